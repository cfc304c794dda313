#include "relay/limits/learned.h"

#include <string>

#include <gtest/gtest.h>

#include "relay/limits/window.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

const core::WallTime kWall{480'000h};
const core::Instant kNow{1000h};

TEST(Learned, windows_and_caps_come_back_with_what_is_left_of_their_time) {
    Learned before;
    before.add("default mx.example/with a space", {11, 4, 10, 15min, 3min}, kWall);
    before.add("default other.example", {.proven = 20, .left = 10min}, kWall);
    before.add("mx.example:25", {20, 7min}, kWall);
    Learned after;
    EXPECT_TRUE(after.read(before.take_text()));
    EXPECT_EQ(after.size(), 3U);
    EXPECT_EQ(after.window("default mx.example/with a space", kWall + 1min),
              (LearnedWindow{11, 4, 10, 14min, 2min}));
    EXPECT_EQ(after.window("default mx.example/with a space", kWall + 4min).ask_in, 0min);
    EXPECT_EQ(after.window("default mx.example/with a space", kWall + 16min), LearnedWindow{});
    EXPECT_EQ(after.window("default other.example", kWall).proven, 20U);
    EXPECT_EQ(after.window("default nobody.example", kWall), LearnedWindow{});
    EXPECT_EQ(after.cap("mx.example:25", kWall + 1min), (LearnedCap{20, 6min}));
    EXPECT_EQ(after.cap("mx.example:25", kWall + 7min), LearnedCap{});
}

TEST(Learned, what_has_no_time_left_or_says_nothing_is_not_written) {
    Learned learned;
    learned.add("a", LearnedWindow{.cap = 5, .refusals = 3, .left = 0min}, kWall);
    learned.add("a", LearnedWindow{.left = 5min}, kWall);
    learned.add("a", LearnedCap{0, 5min}, kWall);
    learned.add("a\nw 1 1 1 1 1 forged", LearnedCap{5, 5min}, kWall);
    learned.add(std::string(Learned::kMostKeyOctets + 1, 'x'), LearnedCap{5, 5min}, kWall);
    EXPECT_EQ(learned.take_text(), "");
}

TEST(Learned, a_damaged_file_is_read_as_far_as_it_is_understood) {
    Learned before;
    before.add("a", LearnedCap{5, 5min}, kWall);
    const std::string line = before.take_text();
    for (const std::string& wrong :
         {"x 1 1 1 1 1 a\n", "w 1 1\n", "w one 1 1 1 1 a\n", "\n", "w 1 1 1 1 1 \n", "w"}) {
        Learned after;
        EXPECT_FALSE(after.read(wrong + line)) << wrong;
    }
    Learned after;
    EXPECT_FALSE(after.read("x\n" + line));
    EXPECT_EQ(after.cap("a", kWall).messages, 5U);
}

TEST(Learned, further_lines_than_the_limit_are_left_out) {
    Learned learned(3);
    for (int i = 0; i < 5; ++i)
        learned.add(std::to_string(i), LearnedCap{5, 5min}, kWall);
    EXPECT_TRUE(learned.is_full());
    Learned after;
    EXPECT_TRUE(after.read(learned.take_text()));
    EXPECT_EQ(after.size(), 3U);
    std::string many;
    for (std::size_t i = 0; i <= Learned::kMostLearned; ++i)
        many += "c 5 0 0 1 1 " + std::to_string(i) + "\n";
    Learned all;
    EXPECT_FALSE(all.read(many));
    EXPECT_EQ(all.size(), Learned::kMostLearned);
}

// Ten are taken, and each above that is refused.
Window taught() {
    Window window(30);
    for (std::size_t open = 1; open <= 10; ++open)
        window.opened(kNow, open);
    for (int i = 0; i < 3; ++i)
        window.refused(kNow + i * 30s, 10, 0);
    return window;
}

TEST(LearnedWindows, a_cap_holds_in_the_next_process_and_is_tried_again_there) {
    const Window before = taught();
    ASSERT_EQ(before.size(), 10U);
    const core::Instant later{5h};  // clocks begin anew
    Window after(30);
    after.restore(before.learned(kNow + 61s), later);
    EXPECT_EQ(after.size(), 10U);
    EXPECT_EQ(after.most(later, 9), 10U);
    EXPECT_EQ(after.most(later, 10), 10U);
    EXPECT_EQ(after.most(later + Window::kLongest, 10), 11U);  // the trial
}

TEST(LearnedWindows, a_count_that_was_open_is_reached_at_once) {
    Window before(30);
    for (std::size_t open = 1; open <= 20; ++open)
        before.opened(kNow, open);
    Window after(30);
    EXPECT_EQ(after.most(kNow, 0), Window::kStart);
    after.restore(before.learned(kNow), kNow);
    EXPECT_EQ(after.most(kNow, 0), 20U);
    Window smaller(15);
    smaller.restore(before.learned(kNow), kNow);
    EXPECT_EQ(smaller.most(kNow, 0), 15U);
}

TEST(LearnedWindows, what_is_over_teaches_nothing) {
    Window after(30);
    after.restore({.cap = 5, .refusals = 3, .proven = 4, .left = 0s}, kNow);
    EXPECT_EQ(after.size(), 30U);
}

}  // namespace
}  // namespace relay
