// RetrySchedule: when a deferred recipient is tried again, from [retry]. Pure. The jitter of +-10 %
// is drawn from the message and the attempt, not from a generator: recipients of one message that
// were deferred together are due together (in one transaction again, first recipient first, as
// greylisting wants it: RFC 6647 section 5), and other messages spread.
#pragma once

#include <vector>

#include "core/base/time.h"
#include "relay/message/message_id.h"

namespace relay {

class RetrySchedule {
  public:
    RetrySchedule(std::vector<core::Duration> intervals, core::Duration max_age);

    // After the given number of counted attempts (1: the first one was deferred).
    core::Duration first_interval() const { return intervals_.front(); }
    core::Duration delay(unsigned attempts, const MessageId& message) const;
    core::Duration max_age() const { return max_age_; }
    bool expired(core::WallTime created, core::WallTime now) const {
        return now - created >= max_age_;
    }

  private:
    std::vector<core::Duration> intervals_;
    core::Duration max_age_;
};

}  // namespace relay
