#include "relay/events/event_log.h"

#include <algorithm>
#include <fstream>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "relay/events/event_room.h"
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

TEST(EventLog, keeps_everything_that_many_threads_hand_over) {
    const TemporaryDirectory directory;
    EventFileOptions options{.directory = directory.path() / "events"};
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

TEST(EventLog, counts_what_comes_after_closing) {
    const TemporaryDirectory directory;
    auto log = EventLog::open({directory.path()});
    ASSERT_TRUE(log.has_value());
    (*log)->close();
    (*log)->take({"late\n", 1});
    EXPECT_EQ((*log)->dropped(), 1U);
    EXPECT_TRUE(all_lines(directory.path()).empty());
}

TEST(EventLog, says_why_it_cannot_start) {
    const TemporaryDirectory directory;
    const auto plain = directory.write("plain", "");
    const auto log = EventLog::open({plain / "events"});
    ASSERT_FALSE(log.has_value());
    EXPECT_TRUE(log.error().starts_with("cannot write the event log " + plain.string()));
}

// A disk that hangs: append() does not return before it is back.
class HangingFile final : public EventFile {
  public:
    HangingFile(EventFileOptions options, std::latch& back)
        : EventFile(std::move(options)), back_(back) {}
    core::IoResult<void> append(std::string_view lines, core::WallTime now) override {
        back_.wait();
        return EventFile::append(lines, now);
    }

  private:
    std::latch& back_;
};

// take() returns all the same, the queue stays below its limit, and every record is either written
// or counted as dropped.
TEST(EventLog, a_disk_that_hangs_stops_nobody) {
    const TemporaryDirectory directory;
    std::latch back{1};
    auto file =
        std::make_unique<HangingFile>(EventFileOptions{.directory = directory.path()}, back);
    auto log = EventLog::start(std::move(file));
    ASSERT_TRUE(log.has_value()) << log.error();
    const std::string lines(1U << 20, '\n');
    constexpr std::uint64_t kBatches = 100;
    for (std::uint64_t i = 0; i < kBatches; ++i)
        (*log)->take({lines, 1});
    EXPECT_GE((*log)->dropped(), kBatches - EventLog::kMostQueued / lines.size() - 1);
    EXPECT_LT((*log)->dropped(), kBatches);
    back.count_down();
    (*log)->close();
    EXPECT_EQ((*log)->written() + (*log)->dropped(), kBatches);
    EXPECT_GT((*log)->written(), 0U);
}

// M5, as the log sees it: counted while it lasts, and written again when the folder is back.
TEST(EventLog, records_that_a_folder_refuses_are_counted_until_it_is_back) {
    const TemporaryDirectory directory;
    const auto folder = directory.path() / "events";
    std::filesystem::create_symlink("events", folder);
    auto log = EventLog::start(std::make_unique<EventFile>(EventFileOptions{.directory = folder}));
    ASSERT_TRUE(log.has_value()) << log.error();
    for (int i = 0; i < 10; ++i)
        (*log)->take({"lost\n", 1});
    while ((*log)->dropped() < 10)
        std::this_thread::yield();
    std::filesystem::remove(folder);
    (*log)->take({"kept\n", 1});
    (*log)->close();
    EXPECT_EQ((*log)->written(), 1U);
    EXPECT_EQ(all_lines(folder), std::vector<std::string>{"kept"});
}

TEST(EventRoom, is_what_the_spool_leaves) {
    constexpr std::uint64_t kDisk = 1000U << 20;
    const SpoolConfig spool;  // 80 %, 5 %
    EXPECT_EQ(event_room(spool, kDisk, true).max_octets, kDisk / 100 * 15);
    EXPECT_EQ(event_room(spool, kDisk, true).min_free, kDisk / 100 * 6);
    EXPECT_EQ(event_room(spool, kDisk, false).max_octets, kDisk / 100 * 95);
    EXPECT_EQ(event_room(spool, kDisk, false).min_free, kDisk / 100);
    SpoolConfig all = spool;
    all.max_size = {0, 100};
    EXPECT_EQ(event_room(all, kDisk, true).max_octets, kDisk / 50);
    all.max_size = {kDisk * 10, 0};
    all.min_free = {kDisk * 10, 0};
    EXPECT_EQ(event_room(all, kDisk, true).max_octets, kDisk / 50);
    EXPECT_GT(event_room(all, kDisk, true).min_free, kDisk);
}

}  // namespace
}  // namespace relay
