// Intake: mail for very many recipients, which becomes several messages (docs/decisions/0050).
#include <new>
#include <utility>

#include "core/runtime/next_turn.h"
#include "relay/intake/intake.h"
#include "relay/message/split.h"

namespace relay {

namespace {

// The recipients at the end go over to a message of their own. False: memory ran out.
bool split_last(Message& whole, Acceptance& acceptance,
                std::vector<std::unique_ptr<Message>>& parts) try {
    const std::size_t over = whole.recipients.size() % Message::kMostRecipients;
    parts.push_back(acceptance.begin());
    split_off(whole, *parts.back(), over == 0 ? Message::kMostRecipients : over);
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

// False: memory ran out, and those named before are all there are.
bool name_recipients(const Message& message, std::deque<std::string>& names) try {
    for (const auto& each : message.recipients)
        names.emplace_back(std::string_view(each->address));
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

}  // namespace

core::Task<Committed> Intake::commit_many(Submission submission) {
    Committed done;
    if (submission.recipients() <= Message::kMostRecipients) {
        const auto id = co_await commit(std::move(submission));
        if (id) done.ids.push_back(*id);
        if (!id) done.refusal = id.error();
        co_return done;
    }
    if (!complete(submission)) done.refusal = Refusal::memory_full;
    if (!done.refusal && submission.wants_seven_bit()) {
        done.refusal = co_await convert(&submission);
    }
    Parts parts;
    while (!done.refusal && submission.recipients() > Message::kMostRecipients) {
        if (!split_last(*submission.message_, acceptance_, parts)) {
            done.refusal = Refusal::memory_full;
        }
        co_await core::NextTurn{reactor_};
    }
    parts.push_back(std::move(submission.message_));
    if (!done.refusal) done.refusal = co_await commit_parts(&parts, &done);
    co_await drop_parts(&parts, &done);
    co_return done;
}

core::Task<std::optional<Refusal>> Intake::commit_parts(Parts* parts, Committed* done) {
    while (!parts->empty()) {
        const std::size_t recipients = parts->back()->recipients.size();
        std::deque<std::string> names;
        if (!done->ids.empty()) name_recipients(*parts->back(), names);
        std::unique_ptr<Message> part = std::move(parts->back());
        parts->pop_back();
        const auto id = co_await acceptance_.commit(std::move(part));
        if (!id) {
            done->refused = recipients;
            done->refused_names = std::move(names);
            co_return id.error();
        }
        done->ids.push_back(*id);
    }
    co_return std::nullopt;
}

core::Task<void> Intake::drop_parts(Parts* parts, Committed* done) {
    while (!parts->empty()) {
        std::unique_ptr<Message> part = std::move(parts->back());
        parts->pop_back();
        done->refused += part->recipients.size();
        if (!done->ids.empty()) name_recipients(*part, done->refused_names);
        acceptance_.drop(std::move(part));
        co_await core::NextTurn{reactor_};
    }
}

}  // namespace relay
