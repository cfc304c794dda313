#include "relay/limits/window.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const core::Instant kBegin{hours{1}};

// Sessions of one path with a receiver, step by step: each opens within a step, unless the receiver
// has `cap` already or chance is against it, and lives for so many steps.
class Site {
  public:
    static constexpr core::Duration kStep = milliseconds{20};

    explicit Site(std::size_t limit, unsigned seed = 1) : window_(limit), random_(seed) {}

    std::size_t cap = SIZE_MAX;
    double chance = 0;      // of a refusal, whatever the count
    std::size_t life = 50;  // steps
    std::size_t tries = 0;
    std::size_t refusals = 0;
    std::size_t served = 0;  // sessions times steps
    core::Instant now = kBegin;

    Window& window() { return window_; }
    std::size_t open() const { return ends_.size(); }

    void step() {
        now += kStep;
        std::erase_if(ends_, [this](core::Instant end) {
            if (end > now) return false;
            window_.ended(now, false, ends_.size());
            return true;
        });
        std::size_t opening = 0;
        while (ends_.size() + opening < window_.most(now, ends_.size() + opening))
            ++opening;
        for (; opening > 0; --opening)
            open_one(opening - 1);
        served += ends_.size();
        for (std::size_t i = 0; i < ends_.size(); ++i)
            window_.completed(now, milliseconds{20}, ends_.size());
    }
    void run_for(core::Duration span) {
        for (const core::Instant end = now + span; now < end;)
            step();
    }
    void drop_all() { ends_.clear(); }
    // Of what so many connections would have served since the beginning.
    double served_of(double connections) const {
        return static_cast<double>(served) /
               (connections * static_cast<double>((now - kBegin) / kStep));
    }

  private:
    void open_one(std::size_t others) {
        ++tries;
        const bool unlucky = std::uniform_real_distribution<>(0, 1)(random_) < chance;
        if (ends_.size() >= cap || unlucky) {
            ++refusals;
            window_.refused(now, ends_.size(), others);
            return;
        }
        const std::size_t lives = 1 + random_() % (2 * life);
        ends_.push_back(now + kStep * static_cast<int>(lives));
        window_.opened(now, ends_.size());
    }

    Window window_;
    std::mt19937 random_;
    std::vector<core::Instant> ends_;
};

TEST(Window, it_grows_to_the_limit_as_connections_open) {
    Site site(30);
    site.step();
    EXPECT_EQ(site.open(), Window::kStart);
    site.run_for(seconds{2});
    EXPECT_EQ(site.window().size(), 30U);
    EXPECT_GE(site.open(), 29U);
    EXPECT_EQ(site.refusals, 0U);
}

TEST(Window, connections_that_open_slowly_are_not_waited_for) {
    Window window(30);
    core::Instant now = kBegin;
    std::size_t taken = 0;
    for (; now < kBegin + seconds{10}; now += milliseconds{10}) {
        while (taken < window.most(now, taken))
            ++taken;
    }
    EXPECT_EQ(taken, 30U);
}

// C14: ten are taken, of thirty.
TEST(Window, a_cap_is_found_by_few_refusals_and_seldom_tried) {
    Site site(30);
    site.cap = 10;
    site.run_for(minutes{10});
    EXPECT_EQ(site.window().size(), 10U);
    EXPECT_LE(static_cast<double>(site.refusals), 0.01 * static_cast<double>(site.tries));
    EXPECT_GE(site.served_of(10.0), 0.97);
}

TEST(Window, a_cap_that_is_raised_is_noticed_within_minutes) {
    Site site(30);
    site.cap = 10;
    site.run_for(minutes{5});
    site.cap = SIZE_MAX;
    site.run_for(Window::kLongest);
    EXPECT_EQ(site.window().size(), 30U);
    EXPECT_GE(site.open(), 28U);
}

TEST(Window, a_cap_that_is_lowered_is_followed) {
    Site site(30);
    site.run_for(minutes{1});
    site.cap = 5;
    site.refusals = 0;
    site.run_for(minutes{2});
    EXPECT_EQ(site.window().size(), 5U);
    EXPECT_LE(site.refusals, 60U);
}

TEST(Window, a_cap_of_one_is_kept_and_tried_again) {
    Site site(10);
    site.cap = 1;
    site.run_for(minutes{30});
    EXPECT_EQ(site.window().size(), 1U);
    EXPECT_LE(static_cast<double>(site.refusals), 0.02 * static_cast<double>(site.tries));
    site.cap = 10;
    site.run_for(Window::kLongest);
    EXPECT_EQ(site.window().size(), 10U);
}

TEST(Window, one_or_two_refusals_teach_nothing) {
    Window window(10);
    window.opened(kBegin, 5);
    window.refused(kBegin, 5, 0);
    EXPECT_EQ(window.size(), 10U);
    core::Instant now = window.wider_at(kBegin);
    EXPECT_LE(now, kBegin + Window::kFirstWait);
    window.refused(now + Window::kFirstWait, 5, 0);
    EXPECT_EQ(window.size(), 10U);
    now += Window::kFirstWait + Window::kSecondWait;
    EXPECT_GE(window.most(now, 5), 6U);
    window.opened(now, 6);
    window.refused(now, 6, 0);
    EXPECT_EQ(window.size(), 10U);
}

TEST(Window, refusals_of_connections_that_began_together_are_one) {
    Window window(10);
    window.opened(kBegin, 5);
    for (std::size_t others = 4; others-- > 0;)
        window.refused(kBegin, 5, others);
    EXPECT_EQ(window.size(), 10U);
}

// Three in a hundred, whatever the count, and sessions that live a moment: no cap, no brake.
TEST(Window, random_refusals_do_not_throttle) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Site site(10, seed);
        site.chance = 0.03;
        site.life = 3;
        site.run_for(minutes{5});
        EXPECT_GE(site.served_of(10.0), 0.9);
    }
}

TEST(Window, a_cap_among_random_refusals_is_found) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Site site(30, seed);
        site.cap = 10;
        site.chance = 0.03;
        site.run_for(minutes{10});
        EXPECT_GE(site.served_of(10.0), 0.9);
        EXPECT_LE(static_cast<double>(site.refusals), 0.06 * static_cast<double>(site.tries));
    }
}

TEST(Window, an_outage_is_no_cap) {
    Site site(10);
    site.run_for(minutes{1});
    for (int i = 0; i < 50; ++i)
        site.window().refused(site.now, 1, 0);  // one that was open still works on
    EXPECT_LT(site.window().size(), 10U);
    site.window().refused(site.now, 0, 0);
    EXPECT_EQ(site.window().size(), 10U);
}

TEST(Window, sessions_in_a_row_that_complete_nothing_take_connections_away) {
    Site site(20);
    site.run_for(seconds{10});
    for (unsigned i = 0; i < Window::kEnough; ++i)
        site.window().ended(site.now, true, 20);
    EXPECT_EQ(site.window().size(), 15U);
    for (unsigned i = 0; i < 50 * Window::kEnough; ++i) {
        site.now += seconds{1};
        site.window().ended(site.now, true, 2);
    }
    EXPECT_EQ(site.window().size(), Window::kLeastBraked);
    site.run_for(minutes{2});
    EXPECT_EQ(site.window().size(), 20U);
}

TEST(Window, single_sessions_that_complete_nothing_take_none) {
    Window window(10);
    for (int i = 0; i < 100; ++i) {
        window.ended(kBegin, true, 10);
        window.ended(kBegin, true, 10);
        window.ended(kBegin, false, 10);
    }
    EXPECT_EQ(window.size(), 10U);
}

// A receiver whose replies take so long as there are connections above four: fewer are better.
TEST(Window, replies_that_get_slow_take_connections_away) {
    Window window(40);
    core::Instant now = kBegin;
    window.opened(now, 40);
    for (int i = 0; i < 100; ++i)
        window.completed(now += milliseconds{10}, milliseconds{50}, 40);
    std::size_t least = 40;
    for (int i = 0; i < 3000; ++i) {
        const std::size_t open = window.size();
        window.completed(now += milliseconds{100}, seconds{1} * static_cast<int>(open) / 4, open);
        least = std::min(least, window.size());
    }
    EXPECT_LT(least, 20U);
    EXPECT_GE(least, Window::kLeastBraked);
}

// A tarpit that begins in the middle: fewer connections help nobody.
TEST(Window, where_fewer_connections_make_nothing_faster_they_come_back) {
    Window window(40);
    core::Instant now = kBegin;
    window.opened(now, 40);
    for (int i = 0; i < 100; ++i)
        window.completed(now += milliseconds{10}, milliseconds{50}, 40);
    std::size_t braked = 0;
    for (int i = 0; i < 6000; ++i) {  // ten minutes
        window.completed(now += milliseconds{100}, seconds{10}, window.size());
        braked += window.size() < 40 ? 1 : 0;
    }
    EXPECT_EQ(window.size(), 40U);
    EXPECT_LE(braked, 600U);
}

// Whatever a receiver does, with whatever limit: never none, never above the limit; and once it
// takes all again, all of them are back within twenty minutes.
TEST(Window, random_receivers_never_exceed_the_limit_and_it_grows_back) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        std::mt19937 random(seed);
        std::size_t limit = 1 + random() % 40;
        Site site(limit, seed);
        for (int scene = 0; scene < 20; ++scene) {
            site.cap = random() % 3 == 0 ? SIZE_MAX : random() % 45;
            site.chance = random() % 4 == 0 ? 0.5 : 0.02;
            site.life = 1 + random() % 100;
            if (random() % 5 == 0) site.drop_all();
            if (random() % 5 == 0) site.window().restart();
            if (random() % 5 == 0) {
                limit = 1 + random() % 40;
                site.window().limit_by(limit);
            }
            for (int step = 0; step < 200; ++step) {
                site.step();
                for (std::size_t taken = 0; taken <= limit; taken += limit) {
                    const std::size_t most = site.window().most(site.now, taken);
                    ASSERT_GE(most, 1U);
                    ASSERT_LE(most, limit);
                }
                ASSERT_GE(site.window().size(), 1U);
                ASSERT_LE(site.window().size(), limit);
                for (unsigned i = random() % 3; i > 0; --i)
                    site.window().ended(site.now, true, site.open());
            }
        }
        site.cap = SIZE_MAX;
        site.chance = 0;
        site.life = 50;
        site.run_for(2 * Window::kLongest);
        EXPECT_EQ(site.window().size(), limit);
    }
}

}  // namespace
}  // namespace relay
