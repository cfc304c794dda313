#include "core/runtime/timer_set.h"

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"

namespace core {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kTick{1 << 20};

class Probe final : public Timer {
  public:
    void expire() override {
        ++expired;
        if (on_expire) on_expire();
    }
    int expired = 0;
    std::move_only_function<void()> on_expire;
};

TEST(TimerSet, empty_never_expires) {
    TimerSet timers;
    EXPECT_EQ(timers.next(), kNever);
    EXPECT_EQ(timers.expire(Instant{hours{1}}), 0U);
}

TEST(TimerSet, fires_once_never_early) {
    TimerSet timers;
    Probe probe;
    const Instant deadline{milliseconds{100}};
    timers.arm(probe, deadline);
    EXPECT_EQ(timers.expire(deadline - microseconds{1}), 0U);
    EXPECT_EQ(timers.expire(deadline + kTick), 1U);
    EXPECT_EQ(timers.expire(deadline + seconds{1}), 0U);
    EXPECT_EQ(probe.expired, 1);
    EXPECT_FALSE(probe.armed());
}

TEST(TimerSet, the_past_and_far_future_are_deadlines_too) {
    TimerSet timers;
    timers.expire(Instant{hours{1}});
    Probe past, far;
    timers.arm(past, Instant{});
    timers.arm(far, kNever - seconds{1});
    EXPECT_LE(timers.next(), Instant{hours{1}});
    EXPECT_EQ(timers.expire(Instant{hours{1}}), 1U);
    EXPECT_EQ(past.expired, 1);
    EXPECT_EQ(timers.expire(Instant{hours{24 * 365 * 100}}), 0U);
    timers.disarm(far);
    EXPECT_EQ(timers.size(), 0U);
    EXPECT_EQ(timers.next(), kNever);
}

TEST(TimerSet, an_expiring_timer_may_rearm_itself_and_disarm_another) {
    TimerSet timers;
    Probe first, second;
    const Instant deadline{seconds{1}};
    timers.arm(first, deadline);
    timers.arm(second, deadline);
    first.on_expire = [&] {
        if (second.armed()) timers.disarm(second);
        if (first.expired < 3) timers.arm(first, first.deadline() + seconds{1});
    };
    EXPECT_EQ(timers.expire(Instant{milliseconds{1002}}), 1U);
    EXPECT_EQ(second.expired, 0);
    EXPECT_EQ(timers.expire(Instant{milliseconds{2002}}), 1U);
    EXPECT_EQ(timers.expire(Instant{milliseconds{3002}}), 1U);
    EXPECT_EQ(timers.expire(Instant{milliseconds{9000}}), 0U);
    EXPECT_EQ(first.expired, 3);
}

TEST(TimerSet, rearming_for_now_runs_in_the_next_expiry_and_does_not_spin) {
    TimerSet timers;
    Probe probe;
    timers.arm(probe, Instant{});
    probe.on_expire = [&] { timers.arm(probe, Instant{}); };
    EXPECT_EQ(timers.expire(Instant{seconds{1}}), 1U);
    EXPECT_EQ(timers.expire(Instant{seconds{1}}), 1U);
    timers.disarm(probe);
}

// Against a sorted multiset that cannot be wrong: arms, disarms and jumps of all sizes.
void compare_with_model(std::uint64_t seed) {
    Prng prng{seed};
    TimerSet timers;
    std::vector<std::unique_ptr<Probe>> probes;
    for (int i = 0; i < 200; ++i)
        probes.push_back(std::make_unique<Probe>());
    std::multiset<Instant> model;
    Instant now{};
    for (int step = 0; step < 20'000; ++step) {
        Probe& probe = *probes[prng.below(probes.size())];
        const auto any_span = [&] {
            return Duration{static_cast<Duration::rep>(prng.next() >> (20 + prng.below(40)))};
        };
        switch (prng.below(4)) {
            case 0:
            case 1:
                if (probe.armed()) break;
                timers.arm(probe, now + any_span() - Duration{5'000'000});
                model.insert(probe.deadline());
                break;
            case 2:
                if (!probe.armed()) break;
                model.erase(model.find(probe.deadline()));
                timers.disarm(probe);
                break;
            default: {
                if (!model.empty()) {
                    ASSERT_LE(timers.next(), std::max(*model.begin(), now) + kTick);
                }
                // Often to the moment that next() names: a loop that sleeps until then.
                const Instant next = timers.next();
                now = prng.below(2) == 0 && next != kNever ? std::max(now, next)
                                                           : now + any_span() / 16;
                timers.expire(now);
                std::multiset<Instant> left;
                for (const auto& one : probes) {
                    if (one->armed()) left.insert(one->deadline());
                }
                for (const Instant deadline : left) {
                    if (deadline + kTick <= now) FAIL() << "late, seed " << seed;
                    model.erase(model.find(deadline));
                }
                for (const Instant deadline : model) {
                    if (deadline > now) FAIL() << "early, seed " << seed;
                }
                model = std::move(left);
                break;
            }
        }
        ASSERT_EQ(timers.size(), model.size());
        ASSERT_EQ(timers.next() == kNever, model.empty());
    }
    for (const auto& one : probes) {
        if (one->armed()) timers.disarm(*one);
    }
    EXPECT_EQ(timers.next(), kNever);
}

TEST(TimerSet, agrees_with_a_sorted_set) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        ASSERT_NO_FATAL_FAILURE(compare_with_model(seed)) << "seed " << seed;
    }
}

// A loop that sleeps until next() gets to a timer in at most one step per bit of its distance.
TEST(TimerSet, waiting_for_one_timer_takes_few_wakeups) {
    TimerSet timers;
    Probe probe;
    Instant now{seconds{12'345}};
    timers.expire(now);
    const Instant deadline = now + hours{24 * 5} + milliseconds{123};
    timers.arm(probe, deadline);
    int wakeups = 0;
    while (probe.expired == 0 && wakeups < 1000) {
        now = std::max(now, timers.next());
        timers.expire(now);
        ++wakeups;
    }
    EXPECT_EQ(probe.expired, 1);
    EXPECT_LE(wakeups, 45);
    EXPECT_GE(now, deadline);
    EXPECT_LT(now, deadline + kTick);
}

}  // namespace
}  // namespace core
