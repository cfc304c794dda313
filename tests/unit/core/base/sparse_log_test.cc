#include "core/base/sparse_log.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/reactor.h"
#include "core/runtime/shard_log.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SparseLogTest : public testing::Test {
  protected:
    SparseLog::Sink sink() {
        return [this](LogLevel level, std::string_view line) {
            levels.push_back(level);
            lines.emplace_back(line);
        };
    }
    void note(std::string_view subject, std::string_view detail = "why") {
        log.note(now, LogLevel::kWarning, "client refused", subject, detail);
    }

    std::vector<std::string> lines;
    std::vector<LogLevel> levels;
    Instant now{seconds{1000}};
    SparseLog log{{.interval = seconds{60}, .max_subjects = 20, .max_first_lines = 4}, sink()};
};

TEST_F(SparseLogTest, the_first_of_each_subject_is_a_line_at_once) {
    EXPECT_EQ(log.due(), kNever);
    note("192.0.2.1", "Relaying denied");
    note("192.0.2.2");
    log.note(now, LogLevel::kError, "deferred", "192.0.2.1", "");
    EXPECT_EQ(lines,
              (std::vector<std::string>{"client refused: 192.0.2.1: Relaying denied",
                                        "client refused: 192.0.2.2: why", "deferred: 192.0.2.1"}));
    EXPECT_EQ(levels.back(), LogLevel::kError);
    EXPECT_EQ(log.due(), now + seconds{60});
}

TEST_F(SparseLogTest, further_ones_are_one_line_for_each_reason_and_interval) {
    for (int i = 0; i < 1000; ++i)
        note("192.0.2.1");
    for (int i = 0; i < 11; ++i)
        note("192.0.2.2", "the latest");
    EXPECT_EQ(lines.size(), 2U);
    now += seconds{59};
    log.sweep(now);
    EXPECT_EQ(lines.size(), 2U);
    now += seconds{1};
    log.sweep(now);
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(
        lines.back(),
        "client refused: 1009 more in 60 s: 192.0.2.1 (999), 192.0.2.2 (10); last: the latest");
}

TEST_F(SparseLogTest, a_condition_that_lasts_is_one_line_an_interval) {
    for (int i = 0; i < 600; ++i, now += seconds{1})
        note("192.0.2.1");
    EXPECT_EQ(lines.size(), 1U + 9U);  // by note() alone; the tenth interval is not over
}

TEST_F(SparseLogTest, what_was_silent_for_an_interval_is_new_again) {
    note("192.0.2.1");
    now += seconds{60};
    log.sweep(now);
    note("192.0.2.1");  // within an interval of its line: only counted
    EXPECT_EQ(lines.size(), 1U);
    now += seconds{60};
    log.sweep(now);
    EXPECT_EQ(lines.size(), 2U);
    now += seconds{60};
    log.sweep(now);
    EXPECT_EQ(log.due(), kNever);
    note("192.0.2.1");
    EXPECT_EQ(lines.back(), "client refused: 192.0.2.1: why");
    EXPECT_EQ(lines.size(), 3U);
}

TEST_F(SparseLogTest, many_new_subjects_are_a_few_lines_and_a_sum) {
    for (int i = 0; i < 5000; ++i)
        note("198.51.100." + std::to_string(i));
    EXPECT_EQ(lines.size(), 4U);
    note("198.51.100.9");
    now += seconds{60};
    log.sweep(now);
    ASSERT_EQ(lines.size(), 5U);
    // Twenty are remembered, four of them had lines of their own.
    EXPECT_EQ(lines.back(),
              "client refused: 4997 more in 60 s: 198.51.100.9 (2), 198.51.100.10 (1), "
              "198.51.100.11 (1), others (4993); last: why");
}

TEST_F(SparseLogTest, a_flood_of_new_subjects_does_not_hide_another_reason) {
    for (int i = 0; i < 5000; ++i)
        note("198.51.100." + std::to_string(i));
    log.note(now, LogLevel::kError, "name server is silent", "192.0.2.53");
    now += seconds{60};
    log.sweep(now);
    EXPECT_EQ(lines.back(), "name server is silent: 1 more in 60 s");
}

TEST_F(SparseLogTest, reasons_are_bounded) {
    for (int i = 0; i < 500; ++i)
        log.note(now, LogLevel::kWarning, "reason " + std::to_string(i), "x");
    now += seconds{60};
    lines.clear();
    log.sweep(now);
    EXPECT_LE(lines.size(), SparseLog::kMaxReasons + 1);
    EXPECT_TRUE(lines.front().starts_with("other events: 436 more")) << lines.front();
}

TEST_F(SparseLogTest, text_from_outside_is_escaped_and_cut) {
    note("evil\r\n2026 error forged", std::string(10'000, 'x'));
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].find('\n'), std::string::npos);
    EXPECT_LT(lines[0].size(), 600U);
    note("evil\r\n2026 error forged", "a\nb");
    log.close(now + seconds{7});
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[1],
              "client refused: 1 more in 7 s: evil\\x0d\\x0a2026 error forged (1); last: a\\x0ab");
    EXPECT_EQ(log.due(), kNever);
}

class Idle final : public EventSource {
  public:
    void wait(Instant) override {}
    void wake() override {}
};

TEST_F(SparseLogTest, a_shard_writes_its_sums_by_a_timer) {
    VirtualClock clock{WallTime{}};
    Idle source;
    Reactor reactor{clock, source};
    {
        ShardLog on_shard(reactor, {.interval = seconds{60}}, sink());
        const auto pass = [&](Duration time) {
            clock.advance_to(clock.now() + time);
            reactor.turn(false);  // takes the time
            reactor.turn(false);  // expires by it
        };
        on_shard.note(LogLevel::kWarning, "deferred", "example.com", "busy");
        on_shard.note(LogLevel::kWarning, "deferred", "example.com", "busy");
        EXPECT_EQ(lines.size(), 1U);
        EXPECT_EQ(reactor.timers().size(), 1U);
        pass(seconds{59});
        EXPECT_EQ(lines.size(), 1U);
        pass(seconds{1} + milliseconds{2});
        ASSERT_EQ(lines.size(), 2U);
        EXPECT_EQ(lines[1], "deferred: 1 more in 60 s: example.com (1); last: busy");
        pass(seconds{61});
        EXPECT_EQ(reactor.timers().size(), 0U);  // nothing is remembered
        on_shard.note(LogLevel::kWarning, "deferred", "example.com", "busy");
        on_shard.note(LogLevel::kWarning, "deferred", "example.com", "busy");
        EXPECT_EQ(lines.size(), 3U);
    }
    EXPECT_EQ(lines.size(), 4U);
    EXPECT_EQ(reactor.timers().size(), 0U);
}

}  // namespace
}  // namespace core
