// Who is to blame when the process died: the rule alone, end by end.
#include "relay/spool/suspicion.h"

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "core/base/prng.h"

namespace relay {
namespace {

MessageId id(std::uint64_t number) {
    return {1, number};
}

// The ends of one spool, one after the other.
class Ends {
  public:
    // Answers what is set aside.
    std::vector<MessageId> early(const std::vector<std::uint64_t>& in_hand) {
        return next(LastEnd::early, in_hand, {});
    }
    std::vector<MessageId> late(const std::vector<std::uint64_t>& in_hand,
                                const std::vector<std::uint64_t>& on_trial = {}) {
        return next(LastEnd::late, in_hand, on_trial);
    }
    std::vector<MessageId> orderly() { return next(LastEnd::orderly, {}, {}); }
    std::vector<MessageId> unknown() { return next(LastEnd::unknown, {}, {}); }

    bool suspects(std::uint64_t number) const {
        return std::ranges::any_of(
            known_, [number](const Known& one) { return one.id == id(number) && one.suspect(); });
    }
    std::size_t suspects() const {
        return static_cast<std::size_t>(std::ranges::count_if(known_, &Known::suspect));
    }
    std::size_t known() const { return known_.size(); }
    // The run that is ending found what is suspected in its spool, or not.
    bool found = true;

  private:
    std::vector<MessageId> next(LastEnd how, const std::vector<std::uint64_t>& in_hand,
                                const std::vector<std::uint64_t>& on_trial) {
        LastRun run{.how = how, .in_hand = {}, .known = known_};
        for (Known& one : run.known)
            one.found = found && one.suspect();
        for (const std::uint64_t number : in_hand)
            run.in_hand.push_back({id(number), false});
        for (const std::uint64_t number : on_trial)
            run.in_hand.push_back({id(number), true});
        Judgement judgement = judge(run);
        known_ = std::move(judgement.known);
        return judgement.set_aside;
    }

    std::vector<Known> known_;
};

TEST(Suspicion, three_early_ends_in_a_row_make_a_suspect) {
    Ends ends;
    ends.early({1, 2, 3});
    ends.early({1, 2, 4});
    EXPECT_EQ(ends.suspects(), 0U);
    ends.early({1, 5, 6});
    EXPECT_TRUE(ends.suspects(1));
    EXPECT_EQ(ends.suspects(), 1U);
    EXPECT_FALSE(ends.suspects(2)) << "it was not in hand at the third end";
}

TEST(Suspicion, ends_that_are_not_in_a_row_say_nothing) {
    Ends ends;
    for (int round = 0; round < 20; ++round) {
        ends.early({1});
        ends.early({1});
        switch (round % 3) {
            case 0:
                ends.late({1});
                break;
            case 1:
                ends.orderly();
                break;
            default:
                ends.early({2});
        }
        EXPECT_EQ(ends.suspects(), 0U) << round;
    }
}

TEST(Suspicion, an_end_before_anything_began_breaks_no_row) {
    Ends ends;
    ends.early({1});
    ends.early({1});
    ends.unknown();
    ends.early({1});
    EXPECT_TRUE(ends.suspects(1));
    ends.unknown();
    EXPECT_TRUE(ends.suspects(1));
}

TEST(Suspicion, two_deaths_alone_on_trial_set_aside) {
    Ends ends;
    for (int i = 0; i < 3; ++i)
        ends.early({1});
    EXPECT_TRUE(ends.late({7, 8}, {1}).empty());
    EXPECT_TRUE(ends.suspects(1));
    ends.early({7});
    ends.orderly();
    EXPECT_TRUE(ends.suspects(1)) << "it stays one until it was tried";
    EXPECT_EQ(ends.late({8, 9}, {1}), std::vector{id(1)});
    EXPECT_EQ(ends.suspects(), 0U) << "from now on its file says it";
}

TEST(Suspicion, deaths_in_company_on_trial_prove_nothing) {
    Ends ends;
    for (int i = 0; i < 3; ++i)
        ends.early({1, 2});
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(ends.late({5}, {1, 2}).empty());
    EXPECT_TRUE(ends.suspects(1) && ends.suspects(2));
    EXPECT_TRUE(ends.late({}, {2, 2}).empty());  // in two transactions
    EXPECT_EQ(ends.late({}, {2}), std::vector{id(2)});
}

TEST(Suspicion, whoever_is_in_hand_at_late_ends_is_not_to_blame) {
    Ends ends;
    for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(ends.late({1, 2, 3}).empty());
        EXPECT_EQ(ends.known(), 0U);
    }
    // Only suspects are tried.
    EXPECT_TRUE(ends.late({}, {1}).empty());
    EXPECT_TRUE(ends.late({}, {1}).empty());
}

// Kills of young processes, however many, with whatever in hand: nobody was on trial.
TEST(Suspicion, kills_in_a_row_never_set_anything_aside) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        core::Prng prng{seed};
        Ends ends;
        for (int kill = 0; kill < 300; ++kill) {
            std::vector<std::uint64_t> in_hand{1, 2, 3};  // a slow server has these all the time
            for (std::uint64_t count = prng.below(200); count > 0; --count)
                in_hand.push_back(prng.below(500));
            ends.found = prng.below(2) == 0;
            ASSERT_TRUE(ends.early(in_hand).empty()) << "seed " << seed;
        }
        EXPECT_TRUE(ends.suspects(1) && ends.suspects(2) && ends.suspects(3));
    }
}

TEST(Suspicion, a_suspect_that_is_not_in_the_spool_any_more_is_forgotten) {
    Ends ends;
    for (int i = 0; i < 3; ++i)
        ends.early({1});
    ends.found = false;
    ends.early({2});  // recovery may not have come to it
    EXPECT_TRUE(ends.suspects(1));
    ends.late({2});
    EXPECT_EQ(ends.known(), 0U);
}

// It could not be written down that it is set aside: the next start tries again to.
TEST(Suspicion, a_judgement_stands_until_it_is_written_down) {
    const LastRun run{.how = LastEnd::unknown,
                      .in_hand = {},
                      .known = {{.id = id(1), .ends = kRow, .deaths = kDeaths}}};
    EXPECT_EQ(judge(run).set_aside, std::vector{id(1)});
    EXPECT_TRUE(judge(run).known.empty());
}

TEST(Suspicion, suspects_are_remembered_first) {
    Ends ends;
    for (int i = 0; i < 3; ++i)
        ends.early({9});
    LastRun run{.how = LastEnd::early,
                .in_hand = {},
                .known = {{.id = id(1), .ends = 1}, {.id = id(2), .ends = 3}}};
    for (std::uint64_t number = 100; number < 200; ++number)
        run.in_hand.push_back({id(number), false});
    const Judgement judgement = judge(run);
    EXPECT_EQ(judgement.known.front().id, id(2));
    EXPECT_EQ(judgement.known.size(), 101U);
}

}  // namespace
}  // namespace relay
