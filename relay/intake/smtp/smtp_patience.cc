#include "relay/intake/smtp/smtp_patience.h"

#include <algorithm>

namespace relay {

core::Instant SmtpPatience::deadline(core::Instant now,
                                     std::optional<std::uint64_t> content) const {
    core::Instant deadline = now + times_.idle;
    if (stranger_) deadline = std::min(deadline, opened_ + times_.stranger_session);
    if (content) {
        // When the average rate would be too low if nothing more came.
        const auto earned = std::chrono::milliseconds(*content * 1000 / times_.least_rate);
        return std::min({deadline, content_begun_ + times_.content,
                         content_begun_ + times_.content_grace + earned});
    }
    return draining_ ? std::min(deadline, now + times_.drain) : deadline;
}

}  // namespace relay
