// Schedule: what waits for a time. It says when a deferred recipient is tried again (by [retry] or
// the rule of its destination, the time that the receiver's reply names, the deadline of BY) and
// when a message has expired, keeps the recipients until then, and spreads what is overdue after a
// restart. One per origin shard, owned by the Origin; it counts its recipients as scheduled.
// A recipient is the schedule's from add() until due() is called with it. Limits: those of
// ScheduledQueue; a receiver's named time by retry_hint.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/message/message.h"
#include "relay/schedule/retry_schedule.h"
#include "relay/schedule/scheduled_queue.h"

namespace relay {

class Schedule {
  public:
    // due: is called for each recipient whose time has come; in slices.
    Schedule(core::Shard& shard, metrics::ShardMetrics& metrics, const RetrySchedule& intervals,
             std::function<void(Recipient&)> due);

    struct NextTry {
        core::Duration delay{};
        bool too_late = false;  // the message has expired by then: it fails now
    };
    // Of a recipient whose attempt, counted already, was deferred. rule: its destination's, or
    // null.
    NextTry after_deferral(const Recipient& recipient, const RetryRule* rule) const;
    // Of a recipient that nobody was asked for: after the first interval.
    NextTry after_no_try(const Recipient& recipient, const RetryRule* rule) const;
    // When what is left of the message has expired.
    core::WallTime end_of(const Message& message, const RetryRule* rule) const;

    // What a restart makes of times that have passed: mail goes now, or is spread over the first
    // interval of [retry], so that a restart is no herd.
    enum class Overdue : std::uint8_t { now, spread };
    // Of a recipient that an earlier run left; none: it goes now.
    std::optional<core::Duration> after_restart(const Recipient& recipient, const RetryRule* rule,
                                                Overdue overdue);

    void add(Recipient& recipient, core::Duration delay);
    // See ScheduledQueue. The visitor calls give_up() for each recipient that it takes.
    core::Task<void> sift(std::function<Sifted(Recipient&)> visit) {
        return queue_.sift(std::move(visit));
    }
    void give_up(const Recipient&) { metrics_.left(metrics::Queue::scheduled); }
    std::size_t size() const { return queue_.size(); }
    // Gives up all that wait, in slices, at the end. Nothing may be added meanwhile.
    core::Task<void> clear();

  private:
    NextTry try_in(core::Duration delay, const Message& message, const RetryRule* rule) const;

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    const RetrySchedule& intervals_;
    std::function<void(Recipient&)> due_;
    ScheduledQueue queue_;
};

}  // namespace relay
