// Origin: its end of the spool: outcomes are noted, contents read back, recovered mail scheduled.
#include <algorithm>
#include <utility>

#include "core/runtime/slices.h"
#include "relay/message/own_disposition.h"
#include "relay/origin/origin.h"

namespace relay {

void Origin::note(Recipient& recipient, Outcome outcome) {
    if (spool_ != nullptr) Spool::note(recipient, outcome);
}

void Origin::prepare(Recipient& recipient) {
    // Closing: it goes to no path any more.
    if (closing_ || !preparing_.spawn(read_back(&recipient))) settle(recipient);
}

core::Task<void> Origin::read_back(Recipient* recipient) {
    bool held = false;
    {
        const InHand::Note note = take_in_hand(*recipient->message);
        held = co_await store_.hold(*recipient->message);
    }
    recipient->content_held = held;
    if (closing_) {
        metrics_.left(metrics::Queue::ready);
        co_return settle(*recipient);
    }
    if (!held) {
        recipient->set_disposition(content_unreadable());
    }
    exchange_.prepared(shard_, *recipient);
}

void Origin::recovered(std::unique_ptr<Message> owned) {
    owned->open_recipients = static_cast<std::uint32_t>(owned->recipients.size());
    Message& message = store_.add(std::move(owned));
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
        walks_.spawn(schedule_many(&message, Schedule::Overdue::spread));
        return;
    }
    ++message.open_recipients;
    for (const auto& recipient : message.recipients)
        schedule_recovered(*recipient, Schedule::Overdue::spread);
    let_go(message);
}

core::Task<void> Origin::let_out(Message& message) {
    return schedule_many(&message, Schedule::Overdue::now);
}

core::Task<void> Origin::schedule_many(Message* message, Schedule::Overdue overdue) {
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

void Origin::schedule_recovered(Recipient& recipient, Schedule::Overdue overdue) {
    const auto delay = schedule_.after_restart(recipient, rule_of(recipient).get(), overdue);
    if (!delay) return dispatch(recipient);
    schedule_.add(recipient, *delay);
}

}  // namespace relay
