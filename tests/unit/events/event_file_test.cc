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

TEST(EventFile, appends_and_goes_on_after_a_restart) {
    const TemporaryDirectory directory;
    const auto place = directory.path() / "deep/events";
    {
        EventFile file({place, kLarge, 24h});
        ASSERT_TRUE(file.open(now()));
        ASSERT_TRUE(file.append("one\n", now()));
    }
    EventFile file({place, kLarge, 24h});
    ASSERT_TRUE(file.open(now()));
    ASSERT_TRUE(file.append("two\n", now()));
    EXPECT_EQ(content(place / "events.jsonl"), "one\ntwo\n");
    struct stat status{};
    ASSERT_EQ(stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07U, 0U);  // addresses are nobody else's business
}

TEST(EventFile, ends_a_line_that_a_crash_left) {
    const TemporaryDirectory directory;
    directory.write("events.jsonl", "{}\n{\"type\":\"De");
    EventFile file({directory.path(), kLarge, 24h});
    ASSERT_TRUE(file.open(now()));
    ASSERT_TRUE(file.append("{}\n", now()));
    EXPECT_EQ(content(file.path()), "{}\n{\"type\":\"De\n{}\n");
}

TEST(EventFile, rotates_by_size) {
    const TemporaryDirectory directory;
    EventFile file({directory.path(), 10, 24h});
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

TEST(EventFile, rotates_once_a_day) {
    const TemporaryDirectory directory;
    EventFile file({directory.path(), kLarge, 24h * 7});
    const core::WallTime start = now();
    ASSERT_TRUE(file.open(start));
    ASSERT_TRUE(file.append("a\n", start));
    ASSERT_TRUE(file.append("b\n", start + 23h));
    EXPECT_EQ(names(directory.path()).size(), 1U);
    ASSERT_TRUE(file.append("c\n", start + 24h));
    EXPECT_EQ(names(directory.path()).size(), 2U);
    EXPECT_EQ(content(file.path()), "c\n");
}

TEST(EventFile, removes_only_its_own_old_files) {
    const TemporaryDirectory directory;
    directory.write("events-old.jsonl", "");
    directory.write("other.jsonl", "");
    directory.write("events-notes.txt", "");
    std::filesystem::create_directory(directory.path() / "events-d.jsonl");
    EventFile file({directory.path(), kLarge, 1h});
    ASSERT_TRUE(file.open(now()));
    EXPECT_EQ(names(directory.path()).size(), 5U);
    file.remove_old(now() + 2h);
    EXPECT_EQ(names(directory.path()),
              (std::vector<std::string>{"events-d.jsonl", "events-notes.txt", "events.jsonl",
                                        "other.jsonl"}));
}

TEST(EventFile, says_why_it_cannot_open) {
    const TemporaryDirectory directory;
    const auto plain = directory.write("plain", "");
    EXPECT_FALSE(EventFile({plain, kLarge, 1h}).open(now()));
    std::filesystem::create_directory(directory.path() / "events.jsonl");
    EXPECT_EQ(EventFile({directory.path(), kLarge, 1h}).open(now()).error(),
              std::errc::is_a_directory);
}

// /dev/full refuses every write, as a full disk does.
TEST(EventFile, a_full_disk_is_an_error_that_passes) {
    const TemporaryDirectory directory;
    std::filesystem::create_symlink("/dev/full", directory.path() / "events.jsonl");
    EventFile file({directory.path(), kLarge, 1h});
    ASSERT_TRUE(file.open(now()));
    EXPECT_EQ(file.append("a\n", now()).error(), std::errc::no_space_on_device);
    std::filesystem::remove(directory.path() / "events.jsonl");
    ASSERT_TRUE(file.append("b\n", now()));
    EXPECT_EQ(content(file.path()), "b\n");
}

// M5: a folder that answers ELOOP when the file is due to be put aside. Lines go on into the file
// that is open; it is put aside once the folder is back.
TEST(EventFile, a_folder_that_fails_at_a_rotation_costs_no_record) {
    const TemporaryDirectory directory;
    const auto folder = directory.path() / "events";
    EventFile file({folder, 10, 24h});
    const core::WallTime start = now();
    ASSERT_TRUE(file.open(start));
    ASSERT_TRUE(file.append("12345678\n", start));
    std::filesystem::rename(folder, directory.path() / "away");
    std::filesystem::create_symlink("events", folder);
    ASSERT_TRUE(file.append("a\n", start + 1s));
    EXPECT_EQ(file.rotation_failure(), "Too many levels of symbolic links");
    ASSERT_TRUE(file.append("b\n", start + 2s));
    std::filesystem::remove(folder);
    std::filesystem::rename(directory.path() / "away", folder);
    EXPECT_EQ(content(file.path()), "12345678\na\nb\n");
    ASSERT_TRUE(file.append("c\n", start + 3s));  // not tried at every batch
    EXPECT_EQ(names(folder).size(), 1U);
    ASSERT_TRUE(file.append("d\n", start + 1s + EventFile::kRotateAgain));
    EXPECT_EQ(file.rotation_failure(), "");
    EXPECT_EQ(names(folder).size(), 2U);
    EXPECT_EQ(content(file.path()), "d\n");
}

TEST(EventFile, a_folder_that_cannot_be_opened_is_an_error_until_it_is_back) {
    const TemporaryDirectory directory;
    const auto folder = directory.path() / "events";
    std::filesystem::create_symlink("events", folder);
    EventFile file({folder, kLarge, 24h});
    EXPECT_FALSE(file.open(now()));
    EXPECT_EQ(file.append("a\n", now()).error(), std::errc::too_many_symbolic_link_levels);
    std::filesystem::remove(folder);
    ASSERT_TRUE(file.append("b\n", now()));  // makes it
    EXPECT_EQ(content(file.path()), "b\n");
}

// Records went into a file that had no name any more, until the next rotation.
TEST(EventFile, a_file_that_was_removed_or_moved_is_begun_again) {
    const TemporaryDirectory directory;
    const auto folder = directory.path() / "events";
    EventFile file({folder, kLarge, 24h});
    ASSERT_TRUE(file.open(now()));
    ASSERT_TRUE(file.append("a\n", now()));
    std::filesystem::remove(file.path());
    ASSERT_TRUE(file.append("b\n", now()));
    EXPECT_EQ(content(file.path()), "b\n");
    std::filesystem::rename(file.path(), folder / "mine");
    ASSERT_TRUE(file.append("c\n", now()));
    EXPECT_EQ(content(file.path()), "c\n");
    EXPECT_EQ(content(folder / "mine"), "b\n");
    std::filesystem::remove_all(folder);
    ASSERT_TRUE(file.append("d\n", now()));
    EXPECT_EQ(content(file.path()), "d\n");
}

std::uint64_t octets(const std::filesystem::path& directory) {
    std::uint64_t sum = 0;
    for (const std::string& name : names(directory))
        sum += std::filesystem::file_size(directory / name);
    return sum;
}

// H6: the log has a share of the disk; the oldest files make room.
TEST(EventFile, the_oldest_files_go_when_the_room_is_taken) {
    const TemporaryDirectory directory;
    constexpr std::uint64_t kRoom = 8U << 17;  // rotates at an eighth
    EventFile file({directory.path(), kLarge, 24h, {.max_octets = kRoom}});
    core::WallTime time = now();
    ASSERT_TRUE(file.open(time));
    const std::string lines(1000, 'x');
    for (int i = 0; i < 5000; ++i) {
        ASSERT_TRUE(file.append(std::to_string(i) + lines + "\n", time += 1ms));
        if (i % 100 == 0) ASSERT_LE(octets(directory.path()), kRoom);
    }
    EXPECT_GT(octets(directory.path()), kRoom / 2);
    EXPECT_GT(file.removed_early(), 20U);
    EXPECT_TRUE(content(file.path()).contains("4999x"));
}

TEST(EventFile, without_room_records_are_refused_and_nothing_is_written) {
    const TemporaryDirectory directory;
    directory.write("events-old.jsonl", std::string(1000, 'x'));
    EventFile file({directory.path(), kLarge, 24h, {.min_free = std::uint64_t{1} << 62}});
    ASSERT_TRUE(file.open(now()));
    EXPECT_EQ(file.append("a\n", now()).error(), std::errc::no_space_on_device);
    EXPECT_EQ(names(directory.path()), std::vector<std::string>{"events.jsonl"});  // old ones first
    EXPECT_EQ(content(file.path()), "");
    EventFile small({directory.path(), kLarge, 24h, {.max_octets = 10}});
    ASSERT_TRUE(small.open(now()));
    EXPECT_FALSE(small.append("12345678901\n", now()));
    EXPECT_TRUE(small.append("123\n", now()));
}

TEST(EventFile, a_fifo_in_its_place_waits_for_nobody) {
    const TemporaryDirectory directory;
    ASSERT_EQ(mkfifo((directory.path() / "events.jsonl").c_str(), 0600), 0);
    EventFile file({directory.path(), kLarge, 24h});
    ASSERT_TRUE(file.open(now()));
    const std::string lines(1U << 20, '\n');
    EXPECT_FALSE(file.append(lines, now()));
    EXPECT_FALSE(file.append(lines, now()));
}

}  // namespace
}  // namespace relay
