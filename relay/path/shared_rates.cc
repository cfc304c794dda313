#include "relay/path/shared_rates.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/runtime/slices.h"

namespace relay {

SharedRate::~SharedRate() {
    PH_ASSERT(waiting_.empty());
    if (alarm_.armed()) all_.shard_.reactor().timers().disarm(alarm_);
}

bool SharedRate::is_waiting(const Waiter& waiter) {
    return static_cast<const core::ListLink<WaitsForPermitTag>&>(waiter).linked();
}

bool SharedRate::try_take() {
    if (!permits_.try_take()) return false;
    if (told_ > 0) --told_;
    if (permits_.left() == 0 || !alarm_.armed()) look_later();
    return true;
}

void SharedRate::wait(Waiter& waiter) {
    if (is_waiting(waiter)) return;
    waiting_.push_back(waiter);
    ++waiters_;
    look_later();
}

void SharedRate::leave(Waiter& waiter) {
    if (!is_waiting(waiter)) return;
    core::IntrusiveList<Waiter, WaitsForPermitTag>::remove(waiter);
    --waiters_;
}

bool SharedRate::at_rest() const {
    return waiters_ == 0 && permits_.left() == 0 && permits_.again_at() != core::kNever;
}

// In a turn of its own: who waits is in the middle of its queue.
void SharedRate::look_later() {
    if (waiters_ > 0) {
        if (permits_.left() > told_) {
            look_at(core::kAtOnce);
        } else if (permits_.left() > 0) {
            look_at(all_.now() + kTaken);
        } else if (permits_.again_at() != core::kNever) {
            look_at(permits_.again_at());
        }
    } else if (permits_.left() > 0) {
        look_at(all_.now() + RatePermits::kKept);
    }
}

void SharedRate::look_at(core::Instant when) {
    core::TimerSet& timers = all_.shard_.reactor().timers();
    if (alarm_.armed()) {
        if (alarm_.deadline() <= when) return;
        timers.disarm(alarm_);
    }
    timers.arm(alarm_, when);
}

void SharedRate::look() {
    const core::Instant now = all_.now();
    if (now >= told_at_ + kTaken) told_ = 0;
    if (waiters_ > 0) {
        wake();
        if (waiters_ > 0 && permits_.left() == 0 && permits_.may_ask(now)) return ask();
    } else if (permits_.is_stale(now)) {
        return ask();
    }
    look_later();
}

// As many as there are permits for, that others were not told of just now. They take them in place
// or soon after; who cannot use one after all does not wait again, and it is the next one's turn.
void SharedRate::wake() {
    for (std::size_t woken = 0; woken < kWokenAtOnce; ++woken) {
        if (permits_.left() <= told_ || waiters_ == 0) return;
        const std::uint64_t before = permits_.left();
        --waiters_;
        waiting_.pop_front().rate_allows();
        if (permits_.left() < before) continue;
        ++told_;
        told_at_ = all_.now();
    }
}

// As far as one question can bring permits for.
std::uint64_t SharedRate::held_up() {
    const std::uint64_t most = TokenBucket::default_burst(rate_);
    std::uint64_t events = 0;
    waiting_.for_each_while([&](Waiter& waiter) {
        events += std::max<std::uint64_t>(1, waiter.held_up());
        return events < most;
    });
    return std::min(events, most + 1);  // one more than there is: it wants a turn
}

void SharedRate::ask() {
    all_.put(shared_from_this(), permits_.question(held_up(), all_.now()));
}

void SharedRate::answered(const RateGrant& grant) {
    permits_.granted(grant);
    if (waiters_ > 0) wake();
    look_later();
}

// ---- of all rates

std::shared_ptr<SharedRate> SharedRates::share_of(const std::string& name, core::Rate rate) {
    auto& share = shares_[name];
    if (share == nullptr) {
        share = std::make_shared<SharedRate>(*this, name, rate);
    } else {
        share->change(rate);
    }
    return share;
}

RateGrant SharedRates::grant(const std::string& name, core::Rate rate, RateQuestion question) {
    auto& kept = ledgers_.try_emplace(name, Kept{RateLedger(rate), now()}).first->second;
    kept.used = now();
    kept.ledger.change(rate, now());
    return kept.ledger.grant(question, now());
}

void SharedRates::put(std::shared_ptr<SharedRate> share, RateQuestion question) {
    const std::size_t home = std::hash<std::string>{}(share->name()) % shard_.count();
    if (home == shard_.id()) {
        share->answered(grant(share->name(), share->rate_, question));
    } else {
        questions_.spawn(put_to_home(std::move(share), home, question));
    }
}

core::Task<void> SharedRates::put_to_home(std::shared_ptr<SharedRate> share, std::size_t home,
                                          RateQuestion question) {
    SharedRates* const there = &home_(home);
    auto grant =
        co_await shard_.ask(home, [there, name = share->name(), rate = share->rate_, question] {
            return there->grant(name, rate, question);
        });
    // A home that has ended gives none: nothing is sent any more.
    share->answered(grant.value_or(RateGrant{.permits = 0, .again_at = core::kNever}));
}

void SharedRates::sweep() {
    std::erase_if(shares_, [](const auto& entry) {
        return entry.second.use_count() == 1 && entry.second->at_rest();
    });
    // By then every ledger has all of its rate again, or a day of it is used up.
    const core::Instant now = shard_.now();
    std::erase_if(ledgers_, [now](const auto& entry) {
        return now - entry.second.used > 2 * entry.second.ledger.rate().period;
    });
}

}  // namespace relay
