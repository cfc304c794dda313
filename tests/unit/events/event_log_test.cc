#include "relay/events/event_log.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/config/temporary_directory.h"

namespace relay {
namespace {

std::vector<std::string> all_lines(const std::filesystem::path& directory) {
    std::vector<std::string> lines;
    for (const auto& each : std::filesystem::directory_iterator(directory)) {
        std::ifstream in(each.path());
        for (std::string line; std::getline(in, line);)
            lines.push_back(line);
    }
    return lines;
}

TEST(EventLog, KeepsEverythingThatManyThreadsHandOver) {
    const TemporaryDirectory directory;
    EventLogOptions options;
    options.directory = directory.path() / "events";
    options.rotate_size = 100'000;  // so that it rotates many times meanwhile
    auto log = EventLog::open(options);
    ASSERT_TRUE(log.has_value()) << log.error();
    constexpr int kThreads = 4;
    constexpr int kBatches = 500;
    {
        std::vector<std::jthread> shards;
        for (int shard = 0; shard < kThreads; ++shard) {
            shards.emplace_back([&, shard] {
                for (int i = 0; i < kBatches; ++i) {
                    const std::string line =
                        std::to_string(shard) + "." + std::to_string(i) + std::string(500, '.');
                    (*log)->take({line + "\n" + line + "+\n", 2});
                }
            });
        }
    }
    (*log)->close();
    EXPECT_EQ((*log)->written(), 2U * kThreads * kBatches);
    EXPECT_EQ((*log)->dropped(), 0U);
    const auto lines = all_lines(options.directory);
    EXPECT_EQ(lines.size(), 2U * kThreads * kBatches);
    EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), lines.size());
}

TEST(EventLog, CountsWhatComesAfterClosing) {
    const TemporaryDirectory directory;
    auto log = EventLog::open({directory.path()});
    ASSERT_TRUE(log.has_value());
    (*log)->close();
    (*log)->take({"late\n", 1});
    EXPECT_EQ((*log)->dropped(), 1U);
    EXPECT_TRUE(all_lines(directory.path()).empty());
}

TEST(EventLog, SaysWhyItCannotStart) {
    const TemporaryDirectory directory;
    const auto plain = directory.write("plain", "");
    const auto log = EventLog::open({plain / "events"});
    ASSERT_FALSE(log.has_value());
    EXPECT_TRUE(log.error().starts_with("cannot write the event log " + plain.string()));
}

// A pipe that nobody reads stands for a disk that hangs: take() returns all the same, the queue
// stays below its limit, and every record is either written or counted as dropped.
TEST(EventLog, ADiskThatHangsStopsNobody) {
    const TemporaryDirectory directory;
    const auto pipe = directory.path() / "events.jsonl";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    auto log = EventLog::open({directory.path(), 1ULL << 40});
    ASSERT_TRUE(log.has_value()) << log.error();
    const std::string lines(1U << 20, '\n');
    constexpr std::uint64_t kBatches = 100;
    for (std::uint64_t i = 0; i < kBatches; ++i)
        (*log)->take({lines, 1});
    EXPECT_GE((*log)->dropped(), kBatches - EventLog::kMostQueued / lines.size() - 1);
    EXPECT_LT((*log)->dropped(), kBatches);
    std::jthread reader([&] {  // the disk is back
        std::ifstream in(pipe, std::ios::binary);
        std::vector<char> some(1U << 16);
        while (in.read(some.data(), static_cast<std::streamsize>(some.size())) || in.gcount() > 0) {
        }
    });
    (*log)->close();
    EXPECT_EQ((*log)->written() + (*log)->dropped(), kBatches);
    log->reset();  // closes our end of the pipe, so that the reader ends
}

}  // namespace
}  // namespace relay
