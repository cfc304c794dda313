#include "relay/store/content_store.h"

#include <utility>

#include "core/base/assert.h"
#include "core/runtime/next_turn.h"
#include "relay/spool/spool.h"

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

bool resident(const Message& message) {
    return static_cast<const core::ListLink<ResidentTag>&>(message).linked();
}

}  // namespace

ContentStore::~ContentStore() {
    PH_ASSERT(loads_.empty());
}

void ContentStore::count(std::size_t before, std::size_t after) {
    PH_ASSERT(memory_ >= before);
    memory_ = memory_ - before + after;
    metrics_.content_bytes(static_cast<std::int64_t>(memory_));
}

void ContentStore::add(Message& message) {
    count(0, overhead(message) + message.content.memory());
    if (message.place.holders.evicted()) return;
    fresh_.push_back(message);
    make_room();
}

void ContentStore::remove(Message& message) {
    count(overhead(message) + message.content.memory(), 0);
    if (resident(message)) core::IntrusiveList<Message, ResidentTag>::remove(message);
}

void ContentStore::deferred(Message& message) {
    if (!resident(message)) return;
    core::IntrusiveList<Message, ResidentTag>::remove(message);
    deferred_.push_back(message);
    make_room();
}

void ContentStore::make_room() {
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

bool ContentStore::evict(Message& message) {
    if (message.place.segment == nullptr || !message.place.holders.try_evict()) return false;
    count(message.content.memory(), 0);
    message.content.evict();
    core::IntrusiveList<Message, ResidentTag>::remove(message);
    metrics_.spool().contents_evicted.add();
    return true;
}

core::Task<bool> ContentStore::hold(Message& message) {
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
