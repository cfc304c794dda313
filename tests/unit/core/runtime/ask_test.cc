#include "core/runtime/ask.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/event.h"
#include "tests/sim/sim_world.h"

namespace core {
namespace {

using std::chrono::seconds;

class AskTest : public testing::Test {
  public:
    sim::SimWorld world{1, {.shards = 2}};
    Shard& here = world.shard(0);
    Shard& there = world.shard(1);
};

using Heard = std::optional<std::string>;

template <typename Call>
Task<void> ask_there(Shard* from, std::size_t to, Call call, Heard* heard) {
    *heard = co_await from->ask(to, std::move(call));
}

Task<std::string> answer_after(Shard* shard, Duration span, std::string answer) {
    Event never(shard->reactor());
    co_await never.wait(shard->now() + span);
    co_return answer;
}

TEST_F(AskTest, gives_what_the_call_returned_on_the_other_shard) {
    Heard heard;
    const auto call = [this] { return "shard " + std::to_string(there.id()); };
    EXPECT_TRUE(world.run(here, ask_there(&here, 1, call, &heard)));
    EXPECT_EQ(heard, "shard 1");
    EXPECT_EQ(here.letters_sent(), 1U);
    EXPECT_EQ(there.letters_sent(), 1U);
}

TEST_F(AskTest, of_oneself_needs_no_letter) {
    Heard heard;
    EXPECT_TRUE(world.run(here, ask_there(&here, 0, [] { return std::string("mine"); }, &heard)));
    EXPECT_EQ(heard, "mine");
    const auto later = [this] { return answer_after(&here, seconds{1}, "mine, later"); };
    EXPECT_TRUE(world.run(here, ask_there(&here, 0, later, &heard)));
    EXPECT_EQ(heard, "mine, later");
    EXPECT_EQ(here.letters_sent(), 0U);
}

TEST_F(AskTest, comes_after_what_was_told_before_it) {
    std::string said;
    here.tell(1, [&said] { said += "told, "; });
    Heard heard;
    const auto call = [&said] { return said + "asked"; };
    EXPECT_TRUE(world.run(here, ask_there(&here, 1, call, &heard)));
    EXPECT_EQ(heard, "told, asked");
}

TEST_F(AskTest, answers_that_take_time_are_worked_out_at_once) {
    std::vector<Heard> heard(100);
    for (Heard& each : heard) {
        const auto call = [this] { return answer_after(&there, seconds{5}, "done"); };
        world.spawn(here, ask_there(&here, 1, call, &each));
    }
    EXPECT_TRUE(world.run_until([this] { return world.running_tasks() == 0; }));
    for (const Heard& each : heard)
        EXPECT_EQ(each, "done");
    EXPECT_LT(world.elapsed(), seconds{6});
}

TEST_F(AskTest, more_questions_than_a_mailbox_holds_are_all_answered) {
    std::vector<Heard> heard(Mailbox::kCapacity * 2);
    for (std::size_t i = 0; i < heard.size(); ++i) {
        const auto call = [i] { return std::to_string(i); };
        world.spawn(here, ask_there(&here, 1, call, &heard[i]));
    }
    EXPECT_TRUE(world.run_until([this] { return world.running_tasks() == 0; }));
    for (std::size_t i = 0; i < heard.size(); ++i)
        ASSERT_EQ(heard[i], std::to_string(i));
}

// What moves only, and what has no default.
struct Answer {
    explicit Answer(int value) : number(std::make_unique<int>(value)) {}
    std::unique_ptr<int> number;
};

Task<void> ask_for_ownership(Shard* from, int* heard) {
    const auto answer = co_await from->ask(1, [] { return Answer(7); });
    if (answer) *heard = *answer->number;
}

TEST_F(AskTest, an_answer_may_be_what_only_moves) {
    int heard = 0;
    EXPECT_TRUE(world.run(here, ask_for_ownership(&here, &heard)));
    EXPECT_EQ(heard, 7);
}

// A shard that drains answers what it was asked before it ended, and nothing after.
TEST_F(AskTest, a_shard_that_ends_finishes_its_answers_and_gives_none_after) {
    Heard before;
    Heard after = "not yet";
    const auto slow = [this] { return answer_after(&there, seconds{5}, "just so"); };
    world.spawn(here, ask_there(&here, 1, slow, &before));
    world.run_for(seconds{1});
    EXPECT_FALSE(before);
    EXPECT_TRUE(world.run(there, there.stop_answering()));
    EXPECT_GE(world.elapsed(), seconds{5});
    EXPECT_TRUE(world.run_until([&before] { return before.has_value(); }));
    EXPECT_EQ(before, "just so");

    bool ran = false;
    const auto late = [&ran] {
        ran = true;
        return std::string("too late");
    };
    EXPECT_TRUE(world.run(here, ask_there(&here, 1, late, &after)));
    EXPECT_EQ(after, std::nullopt);
    EXPECT_FALSE(ran);
    const auto slow_again = [this] { return answer_after(&there, seconds{5}, "never"); };
    after = "not yet";
    EXPECT_TRUE(world.run(here, ask_there(&here, 1, slow_again, &after)));
    EXPECT_EQ(after, std::nullopt);
    // It may still ask others; of itself it gets no answer either.
    EXPECT_TRUE(world.run(there, ask_there(&there, 0, [] { return std::string("yes"); }, &after)));
    EXPECT_EQ(after, "yes");
    EXPECT_TRUE(world.run(there, ask_there(&there, 1, late, &after)));
    EXPECT_EQ(after, std::nullopt);
    EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace core
