#include "relay/delivery/session_cap.h"

namespace relay {

bool SessionCap::closed_silently(std::size_t messages, core::Instant began, core::Instant now) {
    if (messages == 0) return false;
    if (limit_ > 0) {
        if (messages == limit_) {
            hold_until_ = now + kHold;
            probe_.end();
        }
        if (messages <= limit_) return false;
        limit_ = 0;
    }
    if (messages != suspected_) {
        suspected_ = messages;
        facts_ = 1;
        latest_ = now;
        return false;
    }
    if (began < latest_ || now - latest_ < kApart) return false;  // the same fact
    latest_ = now;
    if (++facts_ < kEnough) return false;
    limit_ = messages;
    hold_until_ = now + kHold;
    probe_.end();
    return true;
}

bool SessionCap::carried(std::size_t messages) {
    if (messages > suspected_) facts_ = 0, suspected_ = 0;
    if (limit_ == 0 || messages <= limit_) return false;
    limit_ = 0;
    return true;
}

std::size_t SessionCap::most(core::Instant now) {
    if (limit_ == 0) return 0;
    if (now >= hold_until_ + kHold) {  // nobody confirmed it
        limit_ = 0;
        suspected_ = facts_ = 0;
        return 0;
    }
    return now >= hold_until_ && probe_.begin(now) ? 0 : limit_;
}

}  // namespace relay
