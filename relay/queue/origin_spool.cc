// Origin: its end of the spool: outcomes are noted, contents fetched, recovered mail scheduled.
#include <algorithm>
#include <utility>

#include "core/runtime/slices.h"
#include "relay/message/own_disposition.h"
#include "relay/queue/origin.h"

namespace relay {

void Origin::note(Recipient& recipient, Outcome outcome) {
    if (spool_ != nullptr) Spool::note(recipient, outcome);
}

void Origin::fetch(Recipient& recipient) {
    // Closing: it goes to no path any more.
    if (closing_ || !fetches_.spawn(fetch_content(&recipient))) settle(recipient);
}

core::Task<void> Origin::fetch_content(Recipient* recipient) {
    bool held = false;
    {
        const InHand::Note note = take_in_hand(*recipient->message);
        held = co_await contents_.hold(*recipient->message);
    }
    recipient->content_held = held;
    if (held && !closing_) {
        exchange_.to_home(shard_, recipient->site->home, *recipient);
        co_return;
    }
    if (!held && !closing_) {
        recipient->set_disposition(content_unreadable());
        // By way of its path, which counts those it sent to fetch.
        exchange_.to_home(shard_, recipient->site->home, *recipient);
        co_return;
    }
    metrics_.left(metrics::Queue::ready);
    settle(*recipient);
}

void Origin::recovered(std::unique_ptr<Message> owned) {
    Message& message = *owned.release();
    message.origin = static_cast<std::uint32_t>(shard_.id());
    message.open_recipients = static_cast<std::uint32_t>(message.recipients.size());
    ++messages_count_;
    contents_.add(message);
    for (const auto& recipient : message.recipients) {
        recipient->move_to(RecipientState::committed);
        recipient->move_to(RecipientState::scheduled);
    }
    const bool first = held_.empty();
    if (held_.take(message)) {
        if (first) trials_.spawn(held_.run());
        return;
    }
    if (message.recipients.size() > core::kSlice) {
        // Closing: nobody goes anywhere any more, and close() forgets them.
        walks_.spawn(schedule_many(&message, Overdue::spread));
        return;
    }
    ++message.open_recipients;
    for (const auto& recipient : message.recipients)
        schedule_recovered(*recipient, Overdue::spread);
    let_go(message);
}

core::Task<void> Origin::let_out(Message& message) {
    return schedule_many(&message, Overdue::now);
}

core::Task<void> Origin::schedule_many(Message* message, Overdue overdue) {
    ++message->open_recipients;
    core::Slices slices(shard_.reactor());
    for (const auto& recipient : message->recipients) {
        schedule_recovered(*recipient, overdue);
        co_await slices.next();
    }
    let_go(*message);
}

InHand::Note Origin::take_in_hand(const Message& message) {
    return in_hand_ == nullptr ? InHand::Note() : in_hand_->note(message.id);
}

// What was ready goes out at once.
void Origin::schedule_recovered(Recipient& recipient, Overdue overdue) {
    if (recipient.attempts == 0 && recipient.next_attempt == core::WallTime{}) {
        return dispatch(recipient);
    }
    core::Duration delay = recipient.next_attempt - shard_.wall();
    if (delay <= core::Duration::zero() && overdue == Overdue::now) return dispatch(recipient);
    if (delay <= core::Duration::zero()) {
        const auto span = static_cast<std::uint64_t>(schedule_.first_interval().count());
        delay = core::Duration{static_cast<core::Duration::rep>(shard_.prng().below(span + 1))};
    }
    // The clock may have been set back since: never longer than the schedule says.
    delay = std::min(delay, schedule_.delay(std::max<unsigned>(recipient.attempts, 1),
                                            recipient.message->id, rule_of(recipient)));
    metrics_.entered(metrics::Queue::scheduled);
    scheduled_.add(recipient, delay);
}

}  // namespace relay
