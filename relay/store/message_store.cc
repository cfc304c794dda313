#include "relay/store/message_store.h"

#include <chrono>
#include <cstdint>
#include <utility>

#include "core/base/assert.h"
#include "core/runtime/next_turn.h"
#include "core/runtime/slices.h"

namespace relay {

namespace {

// What a queued message takes beside its content; by the sizes of both and of their
// texts (tests/unit/message), rounded up; bench/run --restart measures the whole.
constexpr std::size_t kMessageOctets = 256;
constexpr std::size_t kRecipientOctets = 160;

constexpr std::size_t kDotsStep = 256 * 1024;  // octets, each of which may begin a line

std::size_t overhead(const Message& message) {
    return kMessageOctets + message.recipients.size() * kRecipientOctets;
}

std::uint64_t milliseconds(core::WallTime time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

bool resident(const Message& message) {
    return static_cast<const core::ListLink<ResidentTag>&>(message).linked();
}

}  // namespace

MessageStore::MessageStore(core::Shard& shard, metrics::ShardMetrics& metrics, std::size_t limit,
                           Spool* spool)
    : shard_(shard),
      metrics_(metrics),
      spool_(spool),
      ids_(static_cast<std::uint16_t>(shard.id()), shard.prng().next()),
      limit_(limit),
      freeing_(shard.reactor()) {}

MessageStore::~MessageStore() {
    PH_ASSERT(size_ == 0 && loads_.empty());
}

// ---- messages

std::unique_ptr<Message> MessageStore::begin() {
    auto message = std::make_unique<Message>();
    message->created = shard_.wall();
    message->id = ids_.next(milliseconds(message->created));
    message->origin = static_cast<std::uint32_t>(shard_.id());
    return message;
}

Message& MessageStore::add(std::unique_ptr<Message> owned) {
    Message& message = *owned.release();
    PH_ASSERT((message.place.segment == nullptr) == (spool_ == nullptr));
    message.origin = static_cast<std::uint32_t>(shard_.id());
    if (spool_ == nullptr) unspooled_.push_back(message);
    ++size_;
    count(0, overhead(message) + message.content.memory());
    if (!message.place.holders.evicted()) {
        fresh_.push_back(message);
        make_room();
    }
    return message;
}

std::unique_ptr<Message> MessageStore::take_out(Message& message) {
    if (message.place.segment == nullptr) {
        core::IntrusiveList<Message, MessageListTag>::remove(message);
    } else if (!Spool::forget(message)) {
        return nullptr;
    }
    --size_;
    count(overhead(message) + message.content.memory(), 0);
    if (resident(message)) core::IntrusiveList<Message, ResidentTag>::remove(message);
    return std::unique_ptr<Message>(&message);
}

void MessageStore::free(std::unique_ptr<Message> message) {
    if (message == nullptr || message->recipients.size() <= core::kSlice) return;
    freeing_.spawn(free_in_slices(std::move(message)));
}

core::Task<void> MessageStore::free_in_slices(std::unique_ptr<Message> message) {
    core::Slices slices(shard_.reactor());
    while (!message->recipients.empty()) {
        message->recipients.pop_back();
        co_await slices.next();
    }
}

Message* MessageStore::any() {
    if (spool_ != nullptr) return spool_->any_message();
    return unspooled_.empty() ? nullptr : &unspooled_.front();
}

core::Task<Message*> MessageStore::find(MessageId id) {
    Message* found = nullptr;
    std::size_t looked = 0;
    const auto look = [&](Message& message) {
        if (message.id == id) found = &message;
        return found == nullptr && ++looked < kMostLookedFor;
    };
    if (spool_ == nullptr) {
        unspooled_.for_each_while(look);
        co_return found;
    }
    // From the newest: the oldest may be given up meanwhile.
    for (std::size_t left = spool_->segments(); left > 0 && found == nullptr;) {
        looked = 0;
        spool_->look_at_segment(--left, look);
        if (found == nullptr) co_await core::NextTurn{shard_.reactor()};
    }
    co_return found;
}

core::WallTime MessageStore::oldest() {
    if (spool_ != nullptr) return spool_->oldest();
    return unspooled_.empty() ? core::WallTime{} : unspooled_.front().created;
}

core::Task<void> MessageStore::close() {
    co_await freeing_.close();
}

// ---- memory and contents

void MessageStore::count(std::size_t before, std::size_t after) {
    PH_ASSERT(memory_ >= before);
    memory_ = memory_ - before + after;
    metrics_.content_bytes(static_cast<std::int64_t>(memory_));
}

void MessageStore::deferred(Message& message) {
    if (!resident(message)) return;
    core::IntrusiveList<Message, ResidentTag>::remove(message);
    deferred_.push_back(message);
    make_room();
}

void MessageStore::make_room() {
    std::size_t looked_at = 0;
    while (memory_ > full() && looked_at++ < kMostLookedAt) {
        if (deferred_.empty() && fresh_.empty()) return;
        Message& message = deferred_.empty() ? fresh_.back() : deferred_.front();
        if (evict(message)) continue;
        // Held: it is being sent, so it is among the last to be looked at again.
        core::IntrusiveList<Message, ResidentTag>::remove(message);
        fresh_.push_front(message);
    }
}

bool MessageStore::evict(Message& message) {
    if (message.place.segment == nullptr || !message.place.holders.try_evict()) return false;
    count(message.content.memory(), 0);
    message.content.evict();
    core::IntrusiveList<Message, ResidentTag>::remove(message);
    metrics_.spool().contents_evicted.add();
    return true;
}

core::Task<bool> MessageStore::hold(Message& message) {
    while (!message.place.holders.try_hold()) {
        if (const auto load = loads_.find(&message); load != loads_.end()) {
            co_await load->second->wait();
            if (message.place.holders.evicted() && !loads_.contains(&message)) co_return false;
            continue;
        }
        loads_.emplace(&message, std::make_unique<core::Event>(shard_.reactor()));
        auto octets = co_await Spool::read_content(message);
        if (octets != nullptr) {
            const std::size_t size = message.size();
            DotSearch dots(std::string_view(octets.get(), size));
            while (dots.advance(kDotsStep))
                co_await core::NextTurn{shard_.reactor()};
            message.content.restore(std::move(octets), size, dots.take());
            message.place.holders.restored(1);
            count(0, message.content.memory());
            fresh_.push_front(message);
            metrics_.spool().contents_read_back.add();
        }
        const auto load = loads_.extract(&message);
        load.mapped()->notify_all();
        // Those who wait look again when they run; the event must live until they were scheduled.
        if (message.place.holders.evicted()) co_return false;
        make_room();
        co_return true;
    }
    co_return true;
}

}  // namespace relay
