#include "relay/smtp/rejection.h"

#include <utility>

#include "core/base/assert.h"

namespace relay {

std::optional<SmtpRefusal> refusal_of(ContentFault fault) {
    switch (fault) {
        case ContentFault::none:
            return std::nullopt;
        case ContentFault::bare_line_ending:
            return SmtpRefusal{"550 5.5.2 Bare CR or LF in content",
                               RejectReason::bare_line_ending};
        case ContentFault::nul:
            return SmtpRefusal{"550 5.5.2 NUL in content", RejectReason::bad_content};
        case ContentFault::too_big:
            return SmtpRefusal{"552 5.3.4 Message bigger than the limit", RejectReason::too_big};
        case ContentFault::loop:
            return SmtpRefusal{"554 5.4.6 Too many Received fields: a mail loop",
                               RejectReason::loop};
        case ContentFault::line_too_long:
            return SmtpRefusal{"554 5.6.0 A line is longer than 998 octets",
                               RejectReason::bad_content};
        case ContentFault::no_header:
            return SmtpRefusal{
                "554 5.6.0 Content begins with a byte order mark or a mailbox's \"From \" line",
                RejectReason::bad_content};
    }
    PH_ASSERT(false && "a fault of content");
    std::unreachable();
}

bool loses_step(ContentFault fault) {
    return fault == ContentFault::bare_line_ending || fault == ContentFault::nul;
}

SmtpRefusal refusal_of(RecipientFault fault) {
    switch (fault) {
        case RecipientFault::address_literal:
            return {"550 5.1.2 Mail for address literals is not taken", RejectReason::address};
        case RecipientFault::null_mx:
            return {"556 5.1.10 The domain takes no mail (null MX, RFC 7505)",
                    RejectReason::address};
        case RecipientFault::no_room:
            return {"452 4.3.1 No room for more recipients now", RejectReason::memory_full};
    }
    PH_ASSERT(false && "a fault of a recipient");
    std::unreachable();
}

}  // namespace relay
