#include "relay/origin/held_mail.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"

namespace relay {

namespace {

std::int64_t recipients_of(const Message& message) {
    return static_cast<std::int64_t>(message.recipients.size());
}

}  // namespace

bool HeldMail::take(Message& message) {
    if (back_ == nullptr) return false;
    switch (back_->why(message.id)) {
        case HeldBack::Why::no:
            return false;
        case HeldBack::Why::suspect:
            back_->found(message.id);
            suspects_.push_back(&message);
            break;
        case HeldBack::Why::set_aside:
            set_aside_.push_back(&message);
            break;
    }
    metrics_.entered(metrics::Queue::scheduled, recipients_of(message));
    publish();
    return true;
}

void HeldMail::publish() {
    metrics_.spool().suspects.set(static_cast<std::int64_t>(suspects_.size()));
    metrics_.spool().set_aside.set(static_cast<std::int64_t>(set_aside_.size()));
}

void HeldMail::leaves(const Message& message) {
    metrics_.left(metrics::Queue::scheduled, recipients_of(message));
    publish();
}

core::Task<void> HeldMail::run() {
    if (running_) co_return;
    running_ = true;
    while (!stopping_ && !empty()) {
        co_await changed_.wait(shard_.now() + kStep);
        if (stopping_) break;
        if (shard_.now() - looked_ >= kLook) co_await let_released_go();
        if (back_->lived() && !suspects_.empty() && !stopping_) co_await try_one();
    }
    running_ = false;
}

core::Task<void> HeldMail::let_released_go() {
    looked_ = shard_.now();
    std::vector<Message*> released;
    std::erase_if(set_aside_, [&](Message* message) {
        if (!back_->released(message->id)) return false;
        released.push_back(message);
        return true;
    });
    for (Message* message : released) {
        core::log_info("message {} is released and goes again", message->id.to_string());
        leaves(*message);
        co_await owner_.let_out(*message);
    }
}

// Any of them: who is on trial in the same company again and again would never be found out.
core::Task<void> HeldMail::try_one() {
    std::swap(suspects_[shard_.prng().below(suspects_.size())], suspects_.back());
    Message* const message = suspects_.back();
    const MessageId id = message->id;
    if (!back_->begin_trial(id)) co_return;
    suspects_.pop_back();
    leaves(*message);
    on_trial_ = message;
    outstanding_ = 1;  // until all of it was let out
    co_await owner_.let_out(*message);
    if (on_trial_ != nullptr) --outstanding_;
    const core::Instant end = shard_.now() + kTrial;
    while (on_trial_ != nullptr && outstanding_ > 0 && !stopping_ && shard_.now() < end)
        co_await changed_.wait(end);
    const bool home = on_trial_ == nullptr || outstanding_ == 0;
    on_trial_ = nullptr;
    back_->end_trial(id, home && !stopping_);
}

void HeldMail::stop() {
    stopping_ = true;
    changed_.notify_all();
}

void HeldMail::forget_all() {
    PH_ASSERT(stopping_);
    for (auto* held : {&suspects_, &set_aside_}) {
        for (const Message* message : *held)
            metrics_.left(metrics::Queue::scheduled, recipients_of(*message));
        held->clear();
    }
    publish();
}

}  // namespace relay
