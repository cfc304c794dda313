#include "core/runtime/mailroom.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "core/runtime/clock.h"

namespace core {
namespace {

// A sleeping place without I/O: wait() blocks on a condition until wake() or the time.
class Bed final : public EventSource {
  public:
    void wait(Instant until) override {
        std::unique_lock lock(mutex_);
        if (until > SystemClock{}.now()) {
            ++sleeps;
            // Bounded, so that a lost wake-up shows as a slow test and a failed count, not a hang.
            if (!woken_.wait_for(lock, std::chrono::seconds{5}, [this] { return pending_; })) {
                ++overslept;
            }
        }
        pending_ = false;
    }
    void wake() override {
        const std::scoped_lock lock(mutex_);
        pending_ = true;
        woken_.notify_one();
    }
    int sleeps = 0;
    int overslept = 0;

  private:
    std::mutex mutex_;
    std::condition_variable woken_;
    bool pending_ = false;
};

bool drain(Inbox& inbox) {
    const SystemClock clock;
    TurnTime time(clock, std::chrono::hours{1});
    TurnWatchdog watchdog;
    watchdog.begin_turn();
    return inbox.drain(time, watchdog);
}

struct Log {
    std::vector<std::size_t> items;
    Letter note(std::size_t item) {
        return Letter::of([this, item] { items.push_back(item); });
    }
};

TEST(Mailbox, is_bounded_and_keeps_order) {
    auto box = std::make_unique<Mailbox>();
    Log log;
    EXPECT_TRUE(box->empty());
    for (std::size_t i = 0; i < Mailbox::kCapacity; ++i) {
        ASSERT_TRUE(box->push(log.note(i)));
    }
    EXPECT_FALSE(box->push(log.note(0)));
    EXPECT_EQ(box->drain([](Letter& letter) { letter.open(); }, [] { return false; }),
              Mailbox::kCapacity);
    EXPECT_TRUE(box->empty());
    EXPECT_TRUE(box->push(log.note(7)));
    for (std::size_t i = 0; i < Mailbox::kCapacity; ++i)
        ASSERT_EQ(log.items[i], i);
}

TEST(Mailroom, more_letters_than_a_mailbox_holds_arrive_in_order) {
    Mailroom room(2);
    Bed beds[2];
    for (std::size_t i = 0; i < 2; ++i)
        room.attach(i, beds[i]);
    Log log;
    constexpr std::size_t kLetters = Mailbox::kCapacity * 3 + 5;
    for (std::size_t i = 0; i < kLetters; ++i)
        room.post(0, 1, log.note(i));
    for (int turns = 0; turns < 10 && log.items.size() < kLetters; ++turns) {
        room.inbox(0).flush();
        drain(room.inbox(1));
    }
    ASSERT_EQ(log.items.size(), kLetters);
    for (std::size_t i = 0; i < kLetters; ++i)
        ASSERT_EQ(log.items[i], i);
    EXPECT_TRUE(room.inbox(0).prepare_to_sleep());
}

TEST(Mailroom, who_holds_unsent_letters_does_not_sleep) {
    Mailroom room(2);
    Bed beds[2];
    for (std::size_t i = 0; i < 2; ++i)
        room.attach(i, beds[i]);
    Log log;
    for (std::size_t i = 0; i <= Mailbox::kCapacity; ++i) {
        room.post(0, 1, log.note(i));
    }
    room.inbox(0).flush();
    EXPECT_FALSE(room.inbox(0).prepare_to_sleep());
    room.inbox(0).woke_up();
    drain(room.inbox(1));
    room.inbox(0).flush();
    EXPECT_TRUE(room.inbox(0).prepare_to_sleep());
    EXPECT_FALSE(room.inbox(1).prepare_to_sleep());  // one more came
}

TEST(Letter, what_it_owns_is_freed_when_opened_or_dropped) {
    auto owned = std::make_shared<int>(0);
    const auto add = [](const std::shared_ptr<int>& to) { return [to] { ++*to; }; };
    Letter opened = Letter::owning(add(owned));
    Letter dropped = Letter::owning(add(owned));
    EXPECT_EQ(owned.use_count(), 3);
    opened.open();
    EXPECT_EQ(*owned, 1);
    EXPECT_EQ(owned.use_count(), 2);
    dropped.drop();
    EXPECT_EQ(*owned, 1);
    EXPECT_EQ(owned.use_count(), 1);
}

TEST(Letter, what_is_small_lies_in_place_and_what_is_not_does_not_fit) {
    struct Small {
        void* receiver;
        void* item;
        void operator()() const {}
    };
    struct Large {
        std::array<char, Letter::kMaxOctets + 1> octets;
        void operator()() const {}
    };
    struct Owner {
        std::unique_ptr<int> owned;
        void operator()() const {}
    };
    static_assert(Letter::kFits<Small> && !Letter::kFits<Large> && !Letter::kFits<Owner>);
}

TEST(Mailroom, letters_that_nobody_opened_are_freed_with_it) {
    const auto owned = std::make_shared<int>(0);
    {
        Mailroom room(2);
        Bed beds[2];
        for (std::size_t i = 0; i < 2; ++i)
            room.attach(i, beds[i]);
        // More than the mailbox holds, so that the outbox has some too.
        for (std::size_t i = 0; i < Mailbox::kCapacity + 3; ++i)
            room.post(0, 1, Letter::owning([owned] { ++*owned; }));
        room.post_from_outside(1, Letter::owning([owned] { ++*owned; }));
    }
    EXPECT_EQ(owned.use_count(), 1);
    EXPECT_EQ(*owned, 0);
}

TEST(Mailroom, counts_letters_to_other_shards) {
    Mailroom room(2);
    Bed beds[2];
    for (std::size_t i = 0; i < 2; ++i)
        room.attach(i, beds[i]);
    Log log;
    room.post(0, 1, log.note(1));
    room.post(0, 0, log.note(2));
    room.post(0, 1, log.note(3));
    EXPECT_EQ(room.sent(0), 2U);
    EXPECT_EQ(room.sent(1), 0U);
}

TEST(Mailroom, a_letter_to_oneself_waits_for_the_next_drain) {
    Mailroom room(1);
    Bed bed;
    room.attach(0, bed);
    struct Echo {
        Mailroom& room;
        int opened = 0;
        void open() {
            if (++opened < 3) room.post(0, 0, Letter::of([this] { open(); }));
        }
    } echo{room};
    room.post(0, 0, Letter::of([&echo] { echo.open(); }));
    room.inbox(0).flush();
    for (int expected = 1; expected <= 3; ++expected) {
        EXPECT_TRUE(drain(room.inbox(0)));
        EXPECT_EQ(echo.opened, expected);
        room.inbox(0).flush();
    }
    EXPECT_FALSE(drain(room.inbox(0)));
}

// One shard of the test below: counts what comes, answers it, and stops at a goal.
struct Player {
    Mailroom& room;
    std::size_t self;
    std::size_t shards;
    Bed& bed;
    SystemClock clock;
    Reactor reactor;
    std::vector<std::uint32_t> next_from;  // order is checked per sender
    std::size_t received = 0;
    std::size_t sent = 0;
    std::size_t goal;
    bool in_order = true;

    Player(Mailroom& mail, std::size_t number, std::size_t count, Bed& place, std::size_t end)
        : room(mail),
          self(number),
          shards(count),
          bed(place),
          reactor(clock, place),
          next_from(count, 0),
          goal(end) {
        room.attach(self, bed);
        reactor.set_inbox(&room.inbox(self));
    }
    Letter letter(std::uint32_t from, std::uint32_t number) {
        return Letter::of([this, from, number] {
            in_order &= next_from[from]++ == number;
            if (++received == goal) reactor.stop();
        });
    }
};

TEST(Mailroom, threads_exchange_letters_in_order_and_none_is_lost_or_sleeps_on) {
    constexpr std::size_t kShards = 3;
    constexpr std::uint32_t kEach = 60'000;  // from each to each other
    Mailroom room(kShards);
    Bed beds[kShards];
    std::vector<std::unique_ptr<Player>> players;
    for (std::size_t i = 0; i < kShards; ++i) {
        players.push_back(
            std::make_unique<Player>(room, i, kShards, beds[i], kEach * (kShards - 1)));
    }
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < kShards; ++i) {
            threads.emplace_back([&players, &room, i, self = static_cast<std::uint32_t>(i)] {
                Player& me = *players[i];
                Prng prng{i};
                // Bursts of all sizes, with turns between them that may sleep.
                for (std::uint32_t sent = 0; sent < kEach;) {
                    const auto burst = static_cast<std::uint32_t>(
                        std::min<std::uint64_t>(kEach - sent, 1 + prng.below(9000)));
                    for (std::uint32_t n = sent; n < sent + burst; ++n) {
                        for (std::size_t to = 0; to < me.shards; ++to) {
                            if (to == i) continue;
                            room.post(i, to, players[to]->letter(self, n));
                        }
                    }
                    sent += burst;
                    me.reactor.turn(false);
                }
                if (me.received < me.goal) me.reactor.run();
                // The others may still wait for what lies in our outbox.
                while (!room.inbox(i).prepare_to_sleep()) {
                    room.inbox(i).woke_up();
                    room.inbox(i).flush();
                    std::this_thread::yield();
                }
            });
        }
    }
    for (std::size_t i = 0; i < kShards; ++i) {
        EXPECT_EQ(players[i]->received, kEach * (kShards - 1));
        EXPECT_TRUE(players[i]->in_order);
        EXPECT_EQ(beds[i].overslept, 0);
    }
}

TEST(Mailroom, letters_from_outside_wake_a_sleeper) {
    Mailroom room(1);
    Bed bed;
    Player player(room, 0, 1, bed, 100);
    std::jthread shard([&player] { player.reactor.run(); });
    for (std::uint32_t i = 0; i < 100; ++i) {
        room.post_from_outside(0, player.letter(0, i));
        std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
    shard.join();
    EXPECT_EQ(player.received, 100U);
    EXPECT_TRUE(player.in_order);
    EXPECT_EQ(bed.overslept, 0);
}

}  // namespace
}  // namespace core
