// RetrySchedule: when a deferred recipient is tried again, by [retry] or by the table of its
// destination. Pure. The jitter of +-10 % is drawn from the message and the attempt, not from a
// generator. So recipients of one message that were deferred together are due together (in one
// transaction again, first recipient first, as greylisting wants it: RFC 6647 section 5), and other
// messages spread.
#pragma once

#include <vector>

#include "core/base/time.h"
#include "relay/message/message_id.h"
#include "relay/shaping/limits.h"

namespace relay {

class RetrySchedule {
  public:
    RetrySchedule(std::vector<core::Duration> intervals, core::Duration max_age);

    // After the given number of counted attempts (1: the first one was deferred).
    core::Duration first_interval() const { return intervals_.front(); }
    // rule: of the destination, where it has one.
    core::Duration delay(unsigned attempts, const MessageId& message,
                         const RetryRule* rule = nullptr) const;
    core::Duration max_age(const RetryRule* rule = nullptr) const {
        return rule != nullptr && rule->max_age > core::Duration{} ? rule->max_age : max_age_;
    }
    bool expired(core::WallTime created, core::WallTime now,
                 const RetryRule* rule = nullptr) const {
        return now - created >= max_age(rule);
    }

  private:
    std::vector<core::Duration> intervals_;
    core::Duration max_age_;
};

}  // namespace relay
