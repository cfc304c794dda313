#include "core/runtime/mailroom.h"

#include <algorithm>
#include <mutex>

#include "core/base/assert.h"

namespace core {

namespace {

#ifdef POSTHASTE_WATCHDOG
constexpr bool kWatched = true;
#else
constexpr bool kWatched = false;
#endif

}  // namespace

// One shard's side: the mailboxes that lead to it, and what it could not send yet.
class Mailroom::Desk final : public Inbox {
  public:
    Desk(Mailroom& room, std::size_t self, std::size_t shards)
        : room_(room), self_(self), outboxes_(shards), dirty_(shards, false) {
        for (std::size_t i = 0; i < shards; ++i)
            boxes_.push_back(std::make_unique<Mailbox>());
    }
    ~Desk() override {  // by now all threads have ended
        const auto drop = [](Letter& letter) { letter.drop(); };
        for (const auto& box : boxes_)
            box->drain(drop, [] { return false; });
        for (std::deque<Letter>& outbox : outboxes_)
            std::ranges::for_each(outbox, drop);
        std::ranges::for_each(outside_, drop);
    }

    bool drain(TurnTime& time, TurnWatchdog& watchdog) override {
        std::size_t count = 0;
        const auto open = [&](Letter& letter) {
            if constexpr (kWatched) watchdog.begin_letter(letter.function());
            letter.open();
            if constexpr (kWatched) watchdog.end();
        };
        // The box that is first changes, so that a short turn does not always serve the same one.
        for (std::size_t i = 0; i < boxes_.size() && !time.over(); ++i) {
            Mailbox& box = *boxes_[(first_ + i) % boxes_.size()];
            count += box.drain(open, [&time] { return time.over(); });
        }
        first_ = (first_ + 1) % boxes_.size();
        // After everything from shards, because one of these letters stops the loop.
        if (!time.over() && outside_waiting_.load(std::memory_order_acquire)) {
            std::vector<Letter> letters;
            {
                const std::scoped_lock lock(outside_mutex_);
                letters.swap(outside_);
                outside_waiting_.store(false, std::memory_order_relaxed);
            }
            for (Letter& letter : letters)
                open(letter);
            count += letters.size();
        }
        return count > 0;
    }

    void flush() override {
        if (!any_dirty_) return;
        any_dirty_ = false;
        for (std::size_t to = 0; to < dirty_.size(); ++to) {
            if (!dirty_[to]) continue;
            dirty_[to] = false;
            Desk& target = *room_.desks_[to];
            auto& outbox = outboxes_[to];
            while (!outbox.empty() && target.boxes_[self_]->push(outbox.front())) {
                outbox.pop_front();
            }
            if (!outbox.empty()) dirty_[to] = any_dirty_ = true;
            if (to != self_) target.wake_if_asleep();
        }
    }

    bool prepare_to_sleep() override {
        if (any_dirty_) return false;  // an outbox waits for room in a full mailbox
        asleep_.exchange(true, std::memory_order_seq_cst);
        for (const auto& box : boxes_) {
            if (!box->empty()) return false;
        }
        return !outside_waiting_.load(std::memory_order_acquire);
    }

    void woke_up() override { asleep_.store(false, std::memory_order_relaxed); }

    void post(std::size_t to, const Letter& letter) {
        if (to != self_) ++sent;
        auto& outbox = outboxes_[to];
        if (!outbox.empty() || !room_.desks_[to]->boxes_[self_]->push(letter)) {
            outbox.push_back(letter);
        }
        dirty_[to] = any_dirty_ = true;
    }

    void post_from_outside(const Letter& letter) {
        {
            const std::scoped_lock lock(outside_mutex_);
            outside_.push_back(letter);
            outside_waiting_.store(true, std::memory_order_release);
        }
        wake_if_asleep();
    }

    void wake_if_asleep() {
        if (asleep_.exchange(false, std::memory_order_seq_cst)) source->wake();
    }

    EventSource* source = nullptr;
    TaskGroup* answers = nullptr;
    std::uint64_t sent = 0;  // to other shards

  private:
    Mailroom& room_;
    std::size_t self_;
    std::vector<std::unique_ptr<Mailbox>> boxes_;  // by sender
    std::size_t first_ = 0;
    std::vector<std::deque<Letter>> outboxes_;  // by receiver
    std::vector<bool> dirty_;
    bool any_dirty_ = false;
    alignas(64) std::atomic<bool> asleep_{false};
    std::mutex outside_mutex_;
    std::vector<Letter> outside_;
    std::atomic<bool> outside_waiting_{false};
};

Mailroom::Mailroom(std::size_t shards) {
    PH_ASSERT(shards > 0);
    for (std::size_t i = 0; i < shards; ++i) {
        desks_.push_back(std::make_unique<Desk>(*this, i, shards));
    }
}

Mailroom::~Mailroom() = default;

void Mailroom::attach(std::size_t shard, EventSource& source) {
    desks_[shard]->source = &source;
}

Inbox& Mailroom::inbox(std::size_t shard) {
    return *desks_[shard];
}

void Mailroom::attach_answers(std::size_t shard, TaskGroup& answers) {
    desks_[shard]->answers = &answers;
}

TaskGroup& Mailroom::answers(std::size_t shard) {
    TaskGroup* const answers = desks_[shard]->answers;
    PH_ASSERT(answers != nullptr);
    return *answers;
}

std::uint64_t Mailroom::sent(std::size_t shard) const {
    return desks_[shard]->sent;
}

void Mailroom::post(std::size_t from, std::size_t to, const Letter& letter) {
    desks_[from]->post(to, letter);
}

void Mailroom::post_from_outside(std::size_t to, const Letter& letter) {
    desks_[to]->post_from_outside(letter);
}

}  // namespace core
