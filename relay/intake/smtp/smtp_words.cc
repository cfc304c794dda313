#include "relay/intake/smtp/smtp_words.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "core/base/assert.h"

namespace relay {

SmtpRefusal words_for(Refusal refusal) {
    switch (refusal) {
        case Refusal::memory_full:
            break;
        case Refusal::draining:
            return {"421 4.3.2 Shutting down, try again", RejectReason::draining};
        case Refusal::spool_full:
            return {"452 4.3.1 No space on disk for more mail now", RejectReason::spool_full};
        case Refusal::spool_failed:
            return {"451 4.3.0 The disk failed, mail cannot be committed",
                    RejectReason::spool_failed};
    }
    return {"452 4.3.1 No room for more mail now", RejectReason::memory_full};
}

metrics::Rejection counted_as(RejectReason reason) {
    switch (reason) {
        case RejectReason::address:
            return metrics::Rejection::address;
        case RejectReason::relaying_denied:
            return metrics::Rejection::relay_denied;
        case RejectReason::too_many_recipients:
            return metrics::Rejection::recipients;
        case RejectReason::too_big:
            return metrics::Rejection::size;
        case RejectReason::bare_line_ending:
        case RejectReason::loop:
        case RejectReason::bad_content:
            return metrics::Rejection::content;
        case RejectReason::memory_full:
            return metrics::Rejection::memory_full;
        case RejectReason::draining:
            return metrics::Rejection::draining;
        case RejectReason::spool_full:
            return metrics::Rejection::spool_full;
        case RejectReason::spool_failed:
            return metrics::Rejection::spool_failed;
        case RejectReason::too_many_errors:
            break;
    }
    return metrics::Rejection::malformed;
}

ReplyView parts_of(std::string_view reply) {
    ReplyView parts;
    const auto number = [&reply](auto& value) {
        const auto [end, error] = std::from_chars(reply.data(), reply.data() + reply.size(), value);
        PH_ASSERT(error == std::errc{});
        const auto length = static_cast<std::size_t>(end - reply.data());
        reply.remove_prefix(std::min(length + 1, reply.size()));
    };
    number(parts.code);
    number(parts.enhanced.klass);
    number(parts.enhanced.subject);
    number(parts.enhanced.detail);
    parts.text = reply;
    return parts;
}

}  // namespace relay
