#include "relay/queue/origin.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/assert.h"
#include "relay/queue/retry_hint.h"

namespace relay {

namespace {

// What a message holds beside its content; measured in bench/, rounded up.
constexpr std::size_t kMessageOctets = 512;
constexpr std::size_t kRecipientOctets = 512;

constexpr core::Duration kStayHome = std::chrono::hours{1};  // longer than closing takes

std::size_t memory_of(const Message& message) {
    return kMessageOctets + message.content.memory() + message.recipients.size() * kRecipientOctets;
}

std::uint64_t milliseconds(core::WallTime time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

metrics::Outcome metric_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::delivered:
            return metrics::Outcome::delivered;
        case Outcome::bounced:
            return metrics::Outcome::bounced;
        case Outcome::expired:
            return metrics::Outcome::expired;
        default:
            return metrics::Outcome::deferred;
    }
}

}  // namespace

Origin::Origin(core::Shard& shard, OriginOptions options, const RetrySchedule& schedule,
               RouterParts router, Exchange& exchange, EventWriter& events,
               metrics::ShardMetrics& metrics)
    : shard_(shard),
      options_(options),
      schedule_(schedule),
      exchange_(exchange),
      events_(events),
      metrics_(metrics),
      router_(shard, router, *this),
      scheduled_(shard.reactor(),
                 [this](Recipient& recipient) {
                     metrics_.left(metrics::Queue::scheduled);
                     dispatch(recipient);
                 }),
      ids_(static_cast<std::uint16_t>(shard.id()), shard.prng().next()),
      came_to_rest_(shard.reactor()),
      reports_(shard, {options_.hostname, options_.delay_warning, schedule.max_age()}, *this,
               metrics) {}

Origin::~Origin() {
    PH_ASSERT(messages_count_ == 0);
}

std::optional<Refusal> Origin::check(std::size_t octets) const {
    if (draining_) return Refusal::draining;
    if (memory_ + octets > options_.memory_limit) return Refusal::memory_full;
    return std::nullopt;
}

std::unique_ptr<Message> Origin::begin() {
    auto message = std::make_unique<Message>();
    message->created = shard_.wall();
    message->id = ids_.next(milliseconds(message->created));
    message->origin = static_cast<std::uint32_t>(shard_.id());
    return message;
}

core::Task<std::expected<MessageId, Refusal>> Origin::commit(std::unique_ptr<Message> owned) {
    PH_ASSERT(owned != nullptr && !owned->recipients.empty());
    if (accepting_over_ && !owned->ours) co_return std::unexpected(Refusal::draining);
    Message& message = *owned.release();  // freed by finish(), with the last recipient
    messages_.push_back(message);
    if (++messages_count_ == 1) publish_oldest();
    message.open_recipients = static_cast<std::uint32_t>(message.recipients.size());
    memory_ += memory_of(message);
    metrics_.content_bytes(static_cast<std::int64_t>(memory_));
    const MessageId id = message.id;

    const EventPeer client{message.injection().client_name, message.injection().client_address};
    events_.reception(message, client, {250, {2, 0, 0}, "OK", {}});
    if (!message.ours) {
        metrics_.received(message.injection().protocol.starts_with("HTTP")
                              ? metrics::Protocol::http
                              : metrics::Protocol::smtp);
    }
    message.forget_injection();
    // A recipient without a route is final at once: the message must outlive this loop.
    ++message.open_recipients;
    for (const auto& recipient : message.recipients) {
        recipient->move_to(RecipientState::committed);
        recipient->move_to(RecipientState::scheduled);
        dispatch(*recipient);
    }
    if (--message.open_recipients == 0) free_message(message);
    co_return id;
}

void Origin::dispatch(Recipient& recipient) {
    if (closing_) return scheduled_.add(recipient, kStayHome);
    ++on_the_way_;
    router_.route(recipient);
}

void Origin::routed(Recipient& recipient) {
    recipient.move_to(RecipientState::ready);
    metrics_.entered(metrics::Queue::ready);
    exchange_.to_home(shard_, recipient.site->home, recipient);
}

void Origin::unroutable(Recipient& recipient) {
    settle(recipient);
}

void Origin::take(Recipient& recipient) {
    PH_ASSERT(recipient.message->origin == shard_.id());
    settle(recipient);
}

void Origin::settle(Recipient& recipient) {
    PH_ASSERT(on_the_way_ > 0);
    --on_the_way_;
    switch (recipient.disposition().outcome) {
        case Outcome::none:  // the path closed before it was tried
            recipient.move_to(RecipientState::scheduled);
            router_.release(recipient);
            metrics_.entered(metrics::Queue::scheduled);
            scheduled_.add(recipient, closing_ ? kStayHome : core::Duration::zero());
            break;
        case Outcome::deferred:
            defer(recipient);
            break;
        case Outcome::expired:
            quote_last_reply(recipient);
            finish(recipient, metrics::Outcome::expired);
            break;
        case Outcome::bounced:
            if (events_.classify(recipient.disposition()).retry) {
                Disposition passing = recipient.disposition();
                passing.outcome = Outcome::deferred;
                recipient.set_disposition(std::move(passing));
                defer(recipient);
                break;
            }
            [[fallthrough]];
        default:
            ++recipient.attempts;
            finish(recipient, metric_of(recipient.disposition().outcome));
            break;
    }
    if (on_the_way_ == 0) came_to_rest_.notify_all();
}

void Origin::defer(Recipient& recipient) {
    ++recipient.attempts;
    const core::WallTime now = shard_.wall();
    const core::Duration delay =
        std::max(schedule_.delay(recipient.attempts, recipient.message->id),
                 asked_pause(recipient.disposition()));
    recipient.next_attempt = now + delay;
    const std::string_view site = recipient.site != nullptr
                                      ? std::string_view(recipient.site->facts.name)
                                      : std::string_view{};
    const std::size_t provider = recipient.site != nullptr ? recipient.site->facts.provider : 0;
    events_.outcome(recipient, site);
    metrics_.delivery(provider, metrics::Outcome::deferred);
    if (schedule_.expired(recipient.message->created, recipient.next_attempt)) {
        Disposition expired = recipient.disposition();
        expired.outcome = Outcome::expired;
        recipient.set_disposition(std::move(expired));
        return finish(recipient, metrics::Outcome::expired);
    }
    reports_.deferred(recipient);
    replies_.release(std::exchange(recipient.last_reply, replies_.keep(recipient.disposition())));
    recipient.clear_disposition();
    // Without a route it never left that state.
    if (recipient.state != RecipientState::scheduled) recipient.move_to(RecipientState::scheduled);
    router_.release(recipient);
    metrics_.entered(metrics::Queue::scheduled);
    scheduled_.add(recipient, delay);
}

void Origin::quote_last_reply(Recipient& recipient) {
    if (recipient.last_reply == nullptr) return;
    Disposition quoted = recipient.disposition();
    quoted.code = recipient.last_reply->code;
    quoted.enhanced = recipient.last_reply->enhanced;
    quoted.text = recipient.last_reply->text;
    quoted.command = recipient.last_reply->command;
    quoted.local = recipient.last_reply->local;
    recipient.set_disposition(std::move(quoted));
}

void Origin::finish(Recipient& recipient, metrics::Outcome outcome) {
    recipient.move_to(RecipientState::final);
    const Site* site = recipient.site;
    const bool told = reports_.ended(recipient);
    if (!told || recipient.message->bounces != BouncePolicy::mail) {
        events_.outcome(recipient,
                        site != nullptr ? std::string_view(site->facts.name) : std::string_view{});
    }
    metrics_.delivery(site != nullptr ? site->facts.provider : metrics::kOtherProvider, outcome);
    Message& message = *recipient.message;
    metrics_.finished(shard_.wall() - message.created);
    router_.release(recipient);
    replies_.release(std::exchange(recipient.last_reply, nullptr));
    recipient.clear_disposition();
    PH_ASSERT(message.open_recipients > 0);
    if (--message.open_recipients == 0) free_message(message);
}

void Origin::free_message(Message& message) {
    reports_.message_ends(message);
    const bool oldest = &messages_.front() == &message;
    core::IntrusiveList<Message, MessageListTag>::remove(message);
    --messages_count_;
    memory_ -= memory_of(message);
    metrics_.content_bytes(static_cast<std::int64_t>(memory_));
    delete &message;
    if (oldest) publish_oldest();
}

void Origin::publish_oldest() {
    metrics_.oldest(messages_.empty() ? core::WallTime{} : messages_.front().created);
}

core::Task<bool> Origin::settled(core::Instant deadline) {
    while (on_the_way_ > 0) {
        if (!co_await came_to_rest_.wait(deadline) && on_the_way_ > 0) co_return false;
    }
    co_return true;
}

core::Task<std::size_t> Origin::close() {
    draining_ = closing_ = true;
    co_await reports_.close();
    co_await router_.close();
    scheduled_.clear([this](Recipient& recipient) {
        (void)recipient;
        metrics_.left(metrics::Queue::scheduled);
    });
    std::size_t lost = 0;
    while (!messages_.empty()) {
        Message& message = messages_.front();
        lost += message.open_recipients;
        for (const auto& recipient : message.recipients) {
            router_.release(*recipient);
            replies_.release(std::exchange(recipient->last_reply, nullptr));
        }
        free_message(message);
    }
    co_return lost;
}

}  // namespace relay
