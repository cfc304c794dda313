#include "relay/events/event_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/config/temporary_directory.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLarge = 1U << 30;

std::string content(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> names(const std::filesystem::path& directory) {
    std::vector<std::string> found;
    for (const auto& each : std::filesystem::directory_iterator(directory)) {
        found.push_back(each.path().filename().string());
    }
    std::ranges::sort(found);
    return found;
}

core::WallTime now() {
    return std::chrono::time_point_cast<core::Duration>(std::chrono::system_clock::now());
}

TEST(EventFile, AppendsAndGoesOnAfterARestart) {
    const TemporaryDirectory directory;
    const auto place = directory.path() / "deep/events";
    {
        EventFile file(place, kLarge, 24h);
        ASSERT_TRUE(file.open(now()));
        ASSERT_TRUE(file.append("one\n", now()));
    }
    EventFile file(place, kLarge, 24h);
    ASSERT_TRUE(file.open(now()));
    ASSERT_TRUE(file.append("two\n", now()));
    EXPECT_EQ(content(place / "events.jsonl"), "one\ntwo\n");
    struct stat status{};
    ASSERT_EQ(stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07U, 0U);  // addresses are nobody else's business
}

TEST(EventFile, EndsALineThatACrashLeft) {
    const TemporaryDirectory directory;
    directory.write("events.jsonl", "{}\n{\"type\":\"De");
    EventFile file(directory.path(), kLarge, 24h);
    ASSERT_TRUE(file.open(now()));
    ASSERT_TRUE(file.append("{}\n", now()));
    EXPECT_EQ(content(file.path()), "{}\n{\"type\":\"De\n{}\n");
}

TEST(EventFile, RotatesBySize) {
    const TemporaryDirectory directory;
    EventFile file(directory.path(), 10, 24h);
    const core::WallTime time(core::Duration(1'795'383'000'123'456'789));
    ASSERT_TRUE(file.open(time));
    ASSERT_TRUE(file.append("12345678\n", time));
    ASSERT_TRUE(file.append("a\n", time));
    ASSERT_TRUE(file.append("123456789\n", time));  // the same microsecond: a name of its own
    EXPECT_EQ(names(directory.path()),
              (std::vector<std::string>{"events-20261122T213000.123456Z-1.jsonl",
                                        "events-20261122T213000.123456Z.jsonl", "events.jsonl"}));
    EXPECT_EQ(content(directory.path() / "events-20261122T213000.123456Z.jsonl"), "12345678\n");
    EXPECT_EQ(content(directory.path() / "events-20261122T213000.123456Z-1.jsonl"), "a\n");
    EXPECT_EQ(content(file.path()), "123456789\n");
}

TEST(EventFile, RotatesOnceADay) {
    const TemporaryDirectory directory;
    EventFile file(directory.path(), kLarge, 24h * 7);
    const core::WallTime start = now();
    ASSERT_TRUE(file.open(start));
    ASSERT_TRUE(file.append("a\n", start));
    ASSERT_TRUE(file.append("b\n", start + 23h));
    EXPECT_EQ(names(directory.path()).size(), 1U);
    ASSERT_TRUE(file.append("c\n", start + 24h));
    EXPECT_EQ(names(directory.path()).size(), 2U);
    EXPECT_EQ(content(file.path()), "c\n");
}

TEST(EventFile, RemovesOnlyItsOwnOldFiles) {
    const TemporaryDirectory directory;
    directory.write("events-old.jsonl", "");
    directory.write("other.jsonl", "");
    directory.write("events-notes.txt", "");
    std::filesystem::create_directory(directory.path() / "events-d.jsonl");
    EventFile file(directory.path(), kLarge, 1h);
    ASSERT_TRUE(file.open(now()));
    EXPECT_EQ(names(directory.path()).size(), 5U);
    file.remove_old(now() + 2h);
    EXPECT_EQ(names(directory.path()),
              (std::vector<std::string>{"events-d.jsonl", "events-notes.txt", "events.jsonl",
                                        "other.jsonl"}));
}

TEST(EventFile, SaysWhyItCannotOpen) {
    const TemporaryDirectory directory;
    const auto plain = directory.write("plain", "");
    EXPECT_FALSE(EventFile(plain, kLarge, 1h).open(now()));
    std::filesystem::create_directory(directory.path() / "events.jsonl");
    EXPECT_EQ(EventFile(directory.path(), kLarge, 1h).open(now()).error(),
              std::errc::is_a_directory);
}

// /dev/full refuses every write, as a full disk does.
TEST(EventFile, AFullDiskIsAnErrorThatPasses) {
    const TemporaryDirectory directory;
    std::filesystem::create_symlink("/dev/full", directory.path() / "events.jsonl");
    EventFile file(directory.path(), kLarge, 1h);
    ASSERT_TRUE(file.open(now()));
    EXPECT_EQ(file.append("a\n", now()).error(), std::errc::no_space_on_device);
    std::filesystem::remove(directory.path() / "events.jsonl");
    ASSERT_TRUE(file.append("b\n", now()));
    EXPECT_EQ(content(file.path()), "b\n");
}

}  // namespace
}  // namespace relay
