#include "relay/delivery/host_memory.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const core::Instant kStart{hours{1}};

Disposition no_answer(const std::string& text) {
    Disposition why;
    why.outcome = Outcome::deferred;
    why.reply.text = text;
    return why;
}

TEST(HostMemory, a_host_that_failed_rests_and_its_pauses_double) {
    HostMemory memory({.first = seconds{10}, .longest = minutes{1}});
    core::Instant now = kStart;
    EXPECT_FALSE(memory.ask("h", now, now + seconds{30}).resting);
    for (const int pause : {10, 20, 40, 60, 60}) {
        memory.failed("h", now, no_answer("silence"));
        const auto rest = memory.ask("h", now + seconds{pause - 1}, {});
        EXPECT_TRUE(rest.resting) << pause;
        EXPECT_FALSE(rest.being_tried);
        EXPECT_EQ(rest.until, now + seconds{pause});
        EXPECT_EQ(rest.why.reply.text, "silence");
        now += seconds{pause};
    }
    EXPECT_FALSE(memory.ask("other", now, now + seconds{30}).resting);
}

TEST(HostMemory, one_tries_for_everybody_after_the_pause) {
    HostMemory memory;
    memory.failed("h", kStart, no_answer(""));
    const core::Instant later = kStart + seconds{10};
    EXPECT_FALSE(memory.ask("h", later, later + seconds{30}).resting);
    const auto rest = memory.ask("h", later + seconds{1}, later + seconds{31});
    EXPECT_TRUE(rest.resting && rest.being_tried);
    EXPECT_EQ(rest.until, later + seconds{30});
    // Whoever asked never said what came of it.
    EXPECT_FALSE(memory.ask("h", later + seconds{30}, later + seconds{60}).resting);
}

TEST(HostMemory, failures_of_one_moment_count_once) {
    HostMemory memory;
    for (int i = 0; i < 10; ++i)
        memory.failed("h", kStart, no_answer(""));
    EXPECT_EQ(memory.ask("h", kStart, kStart).failures, 1U);
    EXPECT_FALSE(memory.ask("h", kStart + seconds{10}, kStart + seconds{11}).resting);
}

TEST(HostMemory, a_host_that_answers_is_as_good_as_new) {
    HostMemory memory;
    memory.failed("h", kStart, no_answer(""));
    memory.answers("h", kStart - HostMemory::kLately - seconds{1});
    EXPECT_FALSE(memory.ask("h", kStart, kStart).resting);
    memory.failed("h", kStart, no_answer(""));
    EXPECT_EQ(memory.ask("h", kStart, kStart).until, kStart + seconds{10});
}

// C13: it works for others, so this is a sample, not an outage.
TEST(HostMemory, a_host_that_worked_lately_does_not_rest) {
    HostMemory memory;
    memory.answers("h", kStart);
    EXPECT_TRUE(memory.worked_lately("h", kStart + HostMemory::kLately));
    EXPECT_FALSE(memory.failed("h", kStart + HostMemory::kLately, no_answer("")));
    EXPECT_FALSE(memory.ask("h", kStart + HostMemory::kLately, kStart).resting);
    const core::Instant later = kStart + HostMemory::kLately + seconds{1};
    EXPECT_FALSE(memory.worked_lately("h", later));
    EXPECT_TRUE(memory.failed("h", later, no_answer("")));
    EXPECT_TRUE(memory.ask("h", later, later).resting);
    EXPECT_EQ(memory.known_habits("other"), nullptr);
}

TEST(HostMemory, forgets_what_was_longest_untouched) {
    HostMemory memory;
    for (std::size_t i = 0; i < HostMemory::kMostHosts; ++i)
        memory.failed(std::to_string(i), kStart, no_answer(""));
    memory.failed("0", kStart, no_answer(""));
    memory.failed("one more", kStart, no_answer(""));
    EXPECT_EQ(memory.size(), HostMemory::kMostHosts);
    EXPECT_TRUE(memory.ask("0", kStart, kStart).resting);
    EXPECT_FALSE(memory.ask("1", kStart, kStart).resting);
}

}  // namespace
}  // namespace relay
