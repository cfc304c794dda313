#include "relay/schedule/schedule.h"

#include <algorithm>
#include <utility>

#include "relay/schedule/retry_hint.h"

namespace relay {

Schedule::Schedule(core::Shard& shard, metrics::ShardMetrics& metrics,
                   const RetrySchedule& intervals, std::function<void(Recipient&)> due)
    : shard_(shard),
      metrics_(metrics),
      intervals_(intervals),
      due_(std::move(due)),
      queue_(shard.reactor(), [this](Recipient& recipient) {
          metrics_.left(metrics::Queue::scheduled);
          due_(recipient);
      }) {}

core::WallTime Schedule::end_of(const Message& message, const RetryRule* rule) const {
    const core::WallTime by_schedule = message.created + intervals_.max_age(rule);
    const core::WallTime wanted = message.expires();
    return wanted == core::WallTime{} ? by_schedule : std::min(wanted, by_schedule);
}

Schedule::NextTry Schedule::after_deferral(const Recipient& recipient,
                                           const RetryRule* rule) const {
    const Message& message = *recipient.message;
    const core::WallTime now = shard_.wall();
    const core::Duration by_schedule = intervals_.delay(recipient.attempts, message.id, rule);
    core::Duration delay = std::max(by_schedule, asked_pause(recipient.disposition(), now));
    // Who names a time after the end of the message asks for no further try; there is one.
    if (now + delay >= end_of(message, rule)) delay = by_schedule;
    const DeliverBy& by = message.deliver_by();
    // The sender wants to know then (RFC 2852 section 4.1), so that is when it is tried.
    if (by.asked() && by.deadline > now) delay = std::min(delay, by.deadline - now);
    return try_in(delay, message, rule);
}

Schedule::NextTry Schedule::after_no_try(const Recipient& recipient, const RetryRule* rule) const {
    return try_in(intervals_.delay(1, recipient.message->id, rule), *recipient.message, rule);
}

Schedule::NextTry Schedule::try_in(core::Duration delay, const Message& message,
                                   const RetryRule* rule) const {
    NextTry next{.delay = delay};
    const core::WallTime then = shard_.wall() + delay;
    next.too_late = intervals_.expired(message.created, then, rule) || message.expires_by(then);
    return next;
}

std::optional<core::Duration> Schedule::after_restart(const Recipient& recipient,
                                                      const RetryRule* rule, Overdue overdue) {
    if (recipient.attempts == 0 && recipient.next_attempt == core::WallTime{}) {
        return std::nullopt;  // it was ready
    }
    core::Duration delay = recipient.next_attempt - shard_.wall();
    if (delay <= core::Duration::zero() && overdue == Overdue::now) return std::nullopt;
    if (delay <= core::Duration::zero()) {
        const auto span = static_cast<std::uint64_t>(intervals_.first_interval().count());
        delay = core::Duration{static_cast<core::Duration::rep>(shard_.prng().below(span + 1))};
    }
    // The clock may have been set back since: never longer than the schedule says.
    return std::min(delay, intervals_.delay(std::max<unsigned>(recipient.attempts, 1),
                                            recipient.message->id, rule));
}

void Schedule::add(Recipient& recipient, core::Duration delay) {
    metrics_.entered(metrics::Queue::scheduled);
    queue_.add(recipient, delay);
}

core::Task<void> Schedule::clear() {
    co_await queue_.clear([this](Recipient&) { metrics_.left(metrics::Queue::scheduled); });
}

}  // namespace relay
