// Spools that were changed while nobody looked: every octet that is read is flipped, every segment
// is removed, cut, zeroed, swapped and repeated. The mail that comes back is complete, or the loss
// is reported; never does a message come back with another content, and never does a start fail.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "relay/spool/chain.h"
#include "relay/spool/dump.h"
#include "relay/spool/octets.h"
#include "relay/spool/segment_format.h"
#include "tests/sim/sim_spool.h"
#include "tests/sim/spool_scene.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kSmall = 16 << 10;  // octets of a segment
const std::string kJournal = "spool/journal-00/";
const std::string kChain = "spool/journal-00.chain";

// A sanitizer takes ten times as long.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::size_t kStride = 23;
#else
constexpr std::size_t kStride = 1;
#endif

std::string segment(std::uint64_t sequence) {
    return kJournal + relay::segment_file_name(sequence);
}

SpoolReading reading() {
    return {.shards = 1, .segment_size = kSmall, .idle = milliseconds{1}};
}

// Several segments with messages, deferrals and deliveries; left in order.
class SmallSpool {
  public:
    explicit SmallSpool(bool in_order = true) : disk_(std::make_unique<SimDisk>(7)) {
        std::unique_ptr<SimDisk> left;
        {
            RelayOptions options = quick_retries();
            options.segment_size = kSmall;
            SpoolScene scene(*disk_, 7, 1, options);
            for (int i = 0; i < 18; ++i) {
                const char* domain = i % 4 == 1 ? "good.example" : "down.example";
                scene.relay->inject(0, {mailbox(i, domain), mailbox(100 + i, "slow.example")},
                                    150 + 40 * static_cast<std::size_t>(i));
                scene.world.run_for(milliseconds{20});
            }
            scene.world.run_for(seconds{10});
            contents_ = scene.relay->contents();
            if (!in_order) left = disk_->after_kill(7);
        }
        if (left != nullptr) {
            ended_ = std::move(disk_);
            disk_ = std::move(left);
        }
        for (const std::string& file : disk_->files()) {
            if (file.ends_with(".seg")) segments_.push_back(file);
        }
        whole_ = read_spool(*copy(), reading());
    }

    std::unique_ptr<SimDisk> copy() const { return disk_->after_kill(1); }
    const std::vector<std::string>& segments() const { return segments_; }
    const SpoolState& whole() const { return whole_; }
    std::uint64_t first() const { return sequence_at(0); }
    std::uint64_t sequence_at(std::size_t index) const {
        return std::stoull(segments_.at(index).substr(kJournal.size(), 16));
    }

    // What is read of a segment: its header, and of each batch all but the padding.
    std::vector<std::pair<std::size_t, std::size_t>> read_parts(const std::string& file) const {
        const std::string octets = disk_->contents(file);
        std::vector<std::pair<std::size_t, std::size_t>> parts{{0, 80}};
        const relay::SegmentName name{0, std::stoull(file.substr(kJournal.size(), 16))};
        const std::size_t end = relay::scan_segment(octets, name).seal.end;
        for (std::size_t at = relay::kSegmentBlock; at < end;) {
            const auto records = relay::get_at<std::uint64_t>(octets.data() + at + 16);
            parts.emplace_back(at, at + relay::kBatchHeader + records);
            at += relay::batch_octets(records);
        }
        return parts;
    }

    // Reads it as the next start does. True: something was reported.
    bool judge(SimDisk& disk, const std::string& what) const {
        const SpoolState state = read_spool(disk, reading());
        EXPECT_EQ(state.failure, "") << what;
        for (const auto& [recipient, one] : state.recipients) {
            const auto content = contents_.find(recipient);
            EXPECT_TRUE(content != contents_.end()) << what << ": " << recipient;
            if (content == contents_.end() || !one.readable) continue;
            EXPECT_EQ(one.content, content->second) << what << ": " << recipient;
        }
        const bool reported = state.report.damaged > 0;
        EXPECT_TRUE(reported || state == whole_) << what << ": a loss is not reported";
        return reported;
    }

  private:
    std::unique_ptr<SimDisk> ended_;
    std::unique_ptr<SimDisk> disk_;
    std::map<std::string, std::string> contents_;
    std::vector<std::string> segments_;
    SpoolState whole_;
};

// The spool as files, for what reads those.
class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "spool-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        path_ = name;
    }
    explicit Folder(const SimDisk& disk) : Folder() {
        for (const std::string& file : disk.files()) {
            const auto to = path_ / file;
            std::filesystem::create_directories(to.parent_path());
            std::ofstream(to, std::ios::binary) << disk.contents(file);
        }
    }
    ~Folder() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    int dump(const std::string& below = "", std::string* text = nullptr) const {
        std::FILE* out = std::tmpfile();
        const int exit = relay::dump_spool((path_ / below).string(), out);
        if (text != nullptr) {
            std::rewind(out);
            char octets[4096];
            for (std::size_t got = 0; (got = std::fread(octets, 1, sizeof octets, out)) > 0;)
                text->append(octets, got);
        }
        std::fclose(out);
        return exit;
    }

  private:
    std::filesystem::path path_;
};

TEST(SpoolDamage, a_spool_that_was_left_in_order_has_none) {
    const SmallSpool spool;
    EXPECT_GE(spool.segments().size(), 4U);
    EXPECT_GE(spool.whole().recipients.size(), 18U);
    EXPECT_EQ(spool.whole().report.damaged, 0U);
    std::string text;
    EXPECT_EQ(Folder(*spool.copy()).dump("", &text), 0);
    EXPECT_NE(text.find("\"type\":\"message\""), std::string::npos);
    EXPECT_EQ(text.find("damage"), std::string::npos);
    // Reading it again and again, with ends in order or without: nothing is ever reported.
    auto disk = spool.copy();
    for (int run = 0; run < 4; ++run) {
        EXPECT_FALSE(spool.judge(*disk, "run " + std::to_string(run)));
        disk = run % 2 == 0 ? disk->after_kill(3) : disk->after_power_loss(3);
    }
}

TEST(SpoolDamage, every_flipped_octet_is_reported) {
    const SmallSpool spool;
    std::size_t flips = 0;
    for (const std::string& file : spool.segments()) {
        for (const auto& [begin, end] : spool.read_parts(file)) {
            for (std::size_t at = begin; at < end; at += kStride) {
                auto disk = spool.copy();
                const char octet = disk->contents(file)[at];
                disk->overwrite(file, at, std::string(1, static_cast<char>(octet ^ (1 << at % 8))));
                const std::string what = file + " at " + std::to_string(at);
                ASSERT_TRUE(spool.judge(*disk, what)) << what;
                ++flips;
            }
        }
    }
    std::printf("%zu octets flipped\n", flips);
}

// Padding, and what an unused end holds, is not read.
TEST(SpoolDamage, what_is_not_read_may_change) {
    const SmallSpool spool;
    for (const std::string& file : spool.segments()) {
        std::size_t free = 0;
        for (const auto& [begin, end] : spool.read_parts(file)) {
            for (std::size_t at = free; at < begin; at += 397) {
                auto disk = spool.copy();
                disk->overwrite(file, at, "!");
                EXPECT_FALSE(spool.judge(*disk, file + " at " + std::to_string(at)));
            }
            free = end;
        }
    }
}

TEST(SpoolDamage, every_flipped_octet_of_a_chain_costs_no_mail) {
    const SmallSpool spool;
    const std::string chain = spool.copy()->contents(kChain);
    ASSERT_EQ(chain.size(), 2 * relay::Chain::kSlot);
    for (std::size_t at = 0; at < chain.size(); at += at % relay::Chain::kSlot < 96 ? 1 : 211) {
        auto disk = spool.copy();
        disk->overwrite(kChain, at, std::string(1, static_cast<char>(chain[at] ^ (1 << at % 8))));
        spool.judge(*disk, "chain at " + std::to_string(at));
    }
    auto disk = spool.copy();
    disk->overwrite(kChain, 20, "!");
    disk->overwrite(kChain, relay::Chain::kSlot + 20, "!");
    EXPECT_TRUE(spool.judge(*disk, "both slots"));
    auto without = spool.copy();
    without->drop_file(kChain);
    EXPECT_TRUE(spool.judge(*without, "no chain"));
    EXPECT_EQ(Folder(*[&] {
                  auto copy = spool.copy();
                  copy->drop_file(kChain);
                  return copy;
              }())
                  .dump(),
              1);
}

TEST(SpoolDamage, a_segment_that_is_missing_is_reported) {
    const SmallSpool spool;
    for (const std::string& file : spool.segments()) {
        auto disk = spool.copy();
        disk->drop_file(file);
        std::string text;
        EXPECT_EQ(Folder(*disk).dump("", &text), 1) << file;
        EXPECT_NE(text.find("the segment is missing"), std::string::npos) << file;
        EXPECT_TRUE(spool.judge(*disk, file + " is removed")) << file;
    }
    auto none = spool.copy();
    for (const std::string& file : spool.segments())
        none->drop_file(file);
    EXPECT_EQ(Folder(*none).dump(), 1);
    EXPECT_TRUE(spool.judge(*none, "no segment"));
}

TEST(SpoolDamage, a_segment_that_is_cut_is_reported) {
    const SmallSpool spool;
    for (const std::string& file : spool.segments()) {
        const std::string octets = spool.copy()->contents(file);
        for (std::size_t length = 0; length < octets.size(); length += 509) {
            auto disk = spool.copy();
            disk->put_file(file, octets.substr(0, length));
            const std::string what = file + " cut to " + std::to_string(length);
            if (length % 5 == 0) EXPECT_EQ(Folder(*disk).dump(), 1) << what;
            EXPECT_TRUE(spool.judge(*disk, what)) << what;
        }
    }
}

TEST(SpoolDamage, a_segment_that_is_zeroed_is_reported) {
    const SmallSpool spool;
    for (const std::string& file : spool.segments()) {
        const std::string octets = spool.copy()->contents(file);
        const auto parts = spool.read_parts(file);
        for (std::size_t begin = 0; begin < parts.back().second; begin += 512) {
            for (const std::size_t length : {std::size_t{512}, octets.size() - begin}) {
                auto disk = spool.copy();
                disk->overwrite(file, begin, std::string(length, '\0'));
                const bool read = std::ranges::any_of(parts, [&](const auto& part) {
                    return part.first < begin + length && begin < part.second;
                });
                const std::string what =
                    file + ", " + std::to_string(length) + " zeros at " + std::to_string(begin);
                EXPECT_EQ(spool.judge(*disk, what), read) << what;
            }
        }
    }
}

TEST(SpoolDamage, segments_that_are_swapped_are_reported) {
    const SmallSpool spool;
    for (const std::string& one : spool.segments()) {
        for (const std::string& other : spool.segments()) {
            if (one >= other) continue;
            auto disk = spool.copy();
            const std::string first = disk->contents(one);
            disk->put_file(one, disk->contents(other));
            disk->put_file(other, first);
            EXPECT_EQ(Folder(*disk).dump(), 1);
            EXPECT_TRUE(spool.judge(*disk, one + " and " + other)) << one << other;
        }
    }
}

// Also numbers at the end of the range, and below what is there: none costs mail, now or later.
TEST(SpoolDamage, a_segment_that_is_repeated_under_another_number_is_reported) {
    const SmallSpool spool;
    const std::uint64_t last = spool.sequence_at(spool.segments().size() - 1);
    const std::set<std::uint64_t> numbers{spool.first(),
                                          last,
                                          last + 1,
                                          last + 2,
                                          last + 1000,
                                          9'999'999'999'999'998,
                                          9'999'999'999'999'999,
                                          10'000'000'000'000'000,
                                          1'000'000'000'000'000'000};
    for (const std::string& file : spool.segments()) {
        for (const std::uint64_t number : numbers) {
            if (segment(number) == file) continue;
            auto disk = spool.copy();
            disk->put_file(segment(number), disk->contents(file));
            const std::string what = file + " as " + std::to_string(number);
            EXPECT_EQ(Folder(*disk).dump(), 1) << what;
            EXPECT_TRUE(spool.judge(*disk, what)) << what;
            if (number > last + 1) {  // it is out of the way, and whatever comes later is found
                const SpoolState again = read_spool(*disk, reading());
                EXPECT_TRUE(again == spool.whole()) << what;
                EXPECT_EQ(again.report.damaged, 0U) << what;
            }
        }
    }
}

// L: a file with a number near the end of the range lost the mail that came after it.
TEST(SpoolDamage, a_file_at_the_end_of_the_range_loses_no_later_mail) {
    for (const char* name :
         {"9999999999999999.seg", "9999999999999998.seg", "18446744073709551615.seg",
          "1000000000000000000.seg", "0000000000000000.seg", "00.seg", "9999999999999999.free",
          "9999999999999999.seg.damaged", "notes.txt"}) {
        for (const std::string& octets : {std::string(), std::string(kSmall, 'x')}) {
            SimDisk disk(3);
            RelayOptions options = quick_retries();
            options.segment_size = kSmall;
            {
                SpoolScene scene(disk, 1, 1, options);
                scene.relay->inject(0, {mailbox(1, "down.example")}, 600);
                scene.world.run_for(seconds{1});
            }
            disk.put_file(kJournal + name, octets);
            {
                SpoolScene scene(disk, 2, 1, options, hours{1});
                for (int i = 2; i < 20; ++i) {
                    scene.relay->inject(0, {mailbox(i, "down.example")}, 2000);
                    scene.world.run_for(milliseconds{50});
                }
                EXPECT_EQ(accepted(*scene.relay), 18U) << name;
            }
            EXPECT_EQ(read_spool(disk, reading()).recipients.size(), 19U) << name;
        }
    }
}

// A segment that really has such a number goes on with longer ones.
TEST(SpoolDamage, numbers_go_on_beyond_sixteen_digits) {
    SimDisk disk(3);
    PH_ASSERT(disk.make_directory("spool").has_value());
    PH_ASSERT(disk.make_directory("spool/journal-00").has_value());
    std::string octets(kSmall, '\0');
    relay::write_segment_header(
        {.name = {0, 9'999'999'999'999'999}, .salt = 1, .size = kSmall, .begins_run = true},
        octets.data());
    disk.put_file(segment(9'999'999'999'999'999), octets);
    RelayOptions options = quick_retries();
    options.segment_size = kSmall;
    {
        SpoolScene scene(disk, 2, 1, options);
        for (int i = 0; i < 12; ++i) {
            scene.relay->inject(0, {mailbox(i, "down.example")}, 2000);
            scene.world.run_for(milliseconds{50});
        }
    }
    const SpoolState state = read_spool(disk, reading());
    EXPECT_EQ(state.recipients.size(), 12U);
    EXPECT_EQ(state.report.damaged, 0U);
}

TEST(SpoolDamage, directories_with_names_of_ours_are_set_aside) {
    for (const char* name : {"0000000000000099.seg", "9999999999999999.seg", "5.seg", "x"}) {
        const SmallSpool spool;
        auto disk = spool.copy();
        ASSERT_TRUE(disk->make_directory(kJournal + name).has_value());
        spool.judge(*disk, name);
    }
    // Known before: beside journal-05 another one of the same number was read, or this one was not.
    const SmallSpool spool;
    auto disk = spool.copy();
    ASSERT_TRUE(disk->make_directory("spool/journal-0").has_value());
    ASSERT_TRUE(disk->make_directory("spool/journal-1").has_value());
    disk->put_file("spool/journal-7", "a file");
    disk->put_file("spool/journal-77", "a file");
    EXPECT_FALSE(spool.judge(*disk, "journal-0"));
    EXPECT_EQ(Folder(*disk).dump(), 1);  // by journal-7
}

// The whole directory of a journal: its chain stands beside it.
TEST(SpoolDamage, a_journal_that_is_missing_is_reported) {
    SimDisk disk(9);
    {
        SpoolScene scene(disk, 1, 3, quick_retries());
        for (int i = 0; i < 6; ++i)
            scene.relay->inject(static_cast<std::size_t>(i) % 3, {mailbox(i, "down.example")}, 600);
        scene.world.run_for(seconds{1});
    }
    for (const std::string& file : disk.files()) {
        if (file.starts_with("spool/journal-02/")) disk.drop_file(file);
    }
    Folder folder(disk);
    std::filesystem::remove_all(folder.path() / "spool/journal-02");
    EXPECT_EQ(folder.dump(), 1);
    const SpoolState state = read_spool(disk, {.shards = 1});
    EXPECT_EQ(state.recipients.size(), 4U);
    EXPECT_GT(state.report.damaged, 0U);
}

// What recovery read of a run that was killed is sealed by it: a change after that is reported, of
// the last batch too.
TEST(SpoolDamage, the_end_of_a_run_that_was_killed_is_sealed_by_the_next) {
    const SmallSpool spool(false);
    auto next = spool.copy();
    ASSERT_FALSE(spool.judge(*next, "after the kill"));
    const auto left = next->after_power_loss(2);
    const std::string& newest = spool.segments().back();
    const auto parts = spool.read_parts(newest);
    for (std::size_t at = parts.back().first; at < parts.back().second; at += 7) {
        auto disk = left->after_kill(1);
        const char octet = disk->contents(newest)[at];
        disk->overwrite(newest, at, std::string(1, static_cast<char>(octet ^ 4)));
        ASSERT_TRUE(spool.judge(*disk, newest + " at " + std::to_string(at))) << at;
    }
}

// ---- version 2, whose spools are read: tests/sim/data/spool_v2 was written by it

std::unique_ptr<SimDisk> spool_of_version_2() {
    auto disk = std::make_unique<SimDisk>(4);
    PH_ASSERT(disk->make_directory("spool").has_value());
    PH_ASSERT(disk->make_directory("spool/journal-00").has_value());
    const std::filesystem::path from =
        std::filesystem::path(POSTHASTE_SOURCE_DIR) / "tests/sim/data/spool_v2";
    for (std::uint64_t sequence = 3; sequence <= 8; ++sequence) {
        std::ifstream in(from / relay::segment_file_name(sequence), std::ios::binary);
        const std::string octets((std::istreambuf_iterator<char>(in)), {});
        EXPECT_EQ(octets.size(), kSmall);
        disk->put_file(segment(sequence), octets);
    }
    return disk;
}

TEST(SpoolDamage, a_spool_of_version_2_is_read) {
    auto disk = spool_of_version_2();
    EXPECT_EQ(Folder(*disk).dump(), 0);
    const SpoolState state = read_spool(*disk, reading());
    EXPECT_EQ(state.report.damaged, 0U);
    std::map<std::string, std::size_t> found;  // octets of the content
    for (const auto& [recipient, one] : state.recipients) {
        EXPECT_TRUE(one.readable) << recipient;
        EXPECT_EQ(one.attempts, 1U) << recipient;
        found[recipient] = one.content.size();
    }
    const std::map<std::string, std::size_t> written{
        {"u100@slow.example", 1504}, {"u101@slow.example", 1918}, {"u102@slow.example", 2313},
        {"u103@slow.example", 2721}, {"u104@slow.example", 3105}, {"u105@slow.example", 3519},
        {"u106@slow.example", 3942}, {"u107@slow.example", 4304}, {"u108@slow.example", 4706},
        {"u1@down.example", 1918},   {"u2@down.example", 2313},   {"u4@down.example", 3105},
        {"u5@down.example", 3519},   {"u7@down.example", 4304},   {"u8@down.example", 4706}};
    EXPECT_EQ(found, written);
    // From now on it has a chain: the first start sealed what it read.
    for (std::uint64_t sequence = 4; sequence <= 8; ++sequence) {
        auto without = disk->after_kill(1);
        if (std::ranges::count(without->files(), segment(sequence)) == 0) continue;
        without->drop_file(segment(sequence));
        EXPECT_GT(read_spool(*without, reading()).report.damaged, 0U) << sequence;
    }
}

TEST(SpoolDamage, a_spool_of_version_2_goes_on) {
    auto disk = spool_of_version_2();
    {
        RelayOptions options = quick_retries();
        options.segment_size = kSmall;
        SpoolScene scene(*disk, 5, 1, options, minutes{3});
        for (int i = 500; i < 512; ++i) {
            scene.relay->inject(0, {mailbox(i, "down.example")}, 3000);
            scene.world.run_for(milliseconds{20});
        }
        EXPECT_EQ(scene.relay->recovered().damaged, 0U);
    }
    const SpoolState state = read_spool(*disk, reading());
    EXPECT_EQ(state.report.damaged, 0U);
    std::size_t fresh = 0;
    for (const auto& [recipient, one] : state.recipients)
        fresh += recipient.starts_with("u5") && recipient.size() > 15 ? 1U : 0U;
    EXPECT_EQ(fresh, 12U);
}

TEST(SpoolDamage, a_segment_of_version_2_that_is_missing_between_others_is_reported) {
    for (std::uint64_t sequence = 4; sequence <= 7; ++sequence) {
        auto disk = spool_of_version_2();
        disk->drop_file(segment(sequence));
        EXPECT_GT(read_spool(*disk, reading()).report.damaged, 0U) << sequence;
    }
}

// ---- `posthaste spool dump`

// U7: a DATA_DIR, and what is no spool.
TEST(SpoolDump, finds_the_spool_below_a_data_directory_or_says_what_is_wrong) {
    const SmallSpool spool;
    const Folder folder(*spool.copy());
    std::string above;
    std::string itself;
    EXPECT_EQ(folder.dump("", &above), 0);
    EXPECT_EQ(folder.dump("spool", &itself), 0);
    EXPECT_FALSE(above.empty());
    EXPECT_EQ(above, itself);
    testing::internal::CaptureStderr();
    EXPECT_EQ(folder.dump("spool/journal-00"), 1);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("is no spool"), std::string::npos);
    testing::internal::CaptureStderr();
    EXPECT_EQ(folder.dump("nowhere"), 1);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("No such file"), std::string::npos);
    testing::internal::CaptureStderr();
    EXPECT_EQ(folder.dump("spool/lock"), 1);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("cannot be read"), std::string::npos);
}

TEST(SpoolDump, names_what_is_set_aside) {
    const SmallSpool spool;
    const Folder folder(*spool.copy());
    std::string text;
    ASSERT_EQ(folder.dump("", &text), 0);
    EXPECT_EQ(text.find("set_aside"), std::string::npos);
    const std::size_t message = text.find("\"type\":\"message\"");
    const std::size_t at = text.find("\"id\":\"", message) + 6;
    const std::string id = text.substr(at, 26);
    std::filesystem::create_directory(folder.path() / "spool/set-aside");
    std::ofstream(folder.path() / "spool/set-aside" / id) << "because";
    std::ofstream(folder.path() / "spool/set-aside/README") << "not an id";
    text.clear();
    ASSERT_EQ(folder.dump("", &text), 0);
    std::size_t named = 0;
    for (std::size_t line = 0; line < text.size(); line = text.find('\n', line) + 1) {
        const std::string one = text.substr(line, text.find('\n', line) - line);
        const bool of_it = one.contains(id) && one.contains("\"type\":\"message\"");
        EXPECT_EQ(one.contains("\"set_aside\":true"), of_it) << one;
        named += of_it ? 1U : 0U;
    }
    EXPECT_GE(named, 1U);
}

TEST(SpoolDump, survives_whatever_stands_in_place_of_a_segment) {
    const SmallSpool spool;
    const std::string name = spool.segments().at(1);
    const auto replaced = [&](const auto& make) {
        const Folder folder(*spool.copy());
        std::filesystem::remove(folder.path() / name);
        make(folder.path() / name);
        std::string text;
        EXPECT_EQ(folder.dump("", &text), 1);
        EXPECT_NE(text.find("damage"), std::string::npos);
    };
    replaced([](const auto& path) { std::filesystem::create_directory(path); });
    replaced([](const auto& path) { std::filesystem::create_symlink("nowhere", path); });
    replaced([](const auto& path) { std::filesystem::create_symlink(path.filename(), path); });
    replaced([](const auto& path) { EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0); });
    replaced([](const auto& path) { std::filesystem::create_symlink("/proc/self/mem", path); });
    const Folder folder(*spool.copy());
    std::filesystem::remove(folder.path() / kChain);
    std::filesystem::create_directory(folder.path() / kChain);
    EXPECT_EQ(folder.dump(), 1);
}

}  // namespace
}  // namespace sim
