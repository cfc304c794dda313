// The octets of a segment: written ones are found, damaged ones are never taken for records.
#include "relay/spool/segment_format.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "relay/spool/octets.h"
#include "tests/unit/spool/segment_builder.h"

namespace relay {
namespace {

using Records = std::vector<BuiltRecord>;

const SegmentName kName{.journal = 3, .sequence = 12};

BuiltRecord message(char letter, std::size_t content) {
    return {RecordType::message, std::string(40, letter), std::string(content, letter)};
}

BuiltRecord outcome(char letter) {
    return {RecordType::outcome, std::string(23, letter), ""};
}

// Three batches: of one block, of two blocks, of one block.
std::vector<Records> small_batches() {
    return {{message('a', 300), outcome('b'), message('c', 0)},
            {outcome('d'), message('e', 5000), outcome('f')},
            {message('g', 100), outcome('h'), outcome('i')}};
}

SegmentBuilder small_segment(SegmentName name = kName) {
    SegmentBuilder builder(name, 6 * kSegmentBlock);
    for (const Records& batch : small_batches())
        builder.add_batch(batch);
    return builder;
}

Records all_of(const std::vector<Records>& batches) {
    Records all;
    for (const Records& batch : batches)
        all.insert(all.end(), batch.begin(), batch.end());
    return all;
}

// Whether some can be had from all by leaving out a few.
bool is_subsequence(const Records& some, const Records& all) {
    auto at = all.begin();
    for (const BuiltRecord& one : some) {
        at = std::find(at, all.end(), one);
        if (at == all.end()) return false;
        ++at;
    }
    return true;
}

TEST(SegmentFormat, crc32c_is_the_one_of_rfc_3720) {
    // RFC 3720 appendix B.4; the library neither inverts the beginning nor the end.
    EXPECT_EQ(~crc32c(0xffffffff, std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(~crc32c(0xffffffff, std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(~crc32c(0xffffffff, "123456789"), 0xe3069283U);
    EXPECT_EQ(crc32c(crc32c(7, "1234"), "56789"), crc32c(7, "123456789"));
}

TEST(SegmentFormat, what_was_written_is_found) {
    const SegmentBuilder built = small_segment();
    EXPECT_TRUE(read_segment_header(built.octets(), kName).has_value());
    const SegmentScan scan = scan_segment(built.octets(), kName);
    EXPECT_EQ(SegmentBuilder::found(built.octets(), scan), all_of(small_batches()));
    EXPECT_TRUE(scan.damages.empty());
    EXPECT_TRUE(scan.interrupted.empty());
    EXPECT_EQ(scan.last_batch, 3U);
    EXPECT_EQ(scan.seal, built.seal());
    EXPECT_EQ(scan.seal.end, built.end());
    EXPECT_EQ(built.end(), 5 * kSegmentBlock);
}

TEST(SegmentFormat, a_fresh_segment_has_nothing_in_it) {
    const SegmentBuilder built(kName, 4 * kSegmentBlock);
    const SegmentScan scan = scan_segment(built.octets(), kName);
    EXPECT_TRUE(scan.records.empty() && scan.damages.empty() && scan.interrupted.empty());
    EXPECT_EQ(scan.last_batch, 0U);
    EXPECT_EQ(scan.seal.end, kSegmentBlock);
}

TEST(SegmentFormat, batches_fill_whole_blocks) {
    EXPECT_EQ(batch_octets(1), kSegmentBlock);
    EXPECT_EQ(batch_octets(kSegmentBlock - kBatchHeader), kSegmentBlock);
    EXPECT_EQ(batch_octets(kSegmentBlock - kBatchHeader + 1), 2 * kSegmentBlock);
    for (const std::size_t content : {0UL, 1UL, 3940UL, 4000UL, 4096UL, 20'000UL}) {
        SegmentBuilder built(kName, kSegmentBlock);
        built.add_batch({message('x', content)});
        built.add_batch({outcome('y')});
        const SegmentScan scan = scan_segment(built.octets(), kName);
        EXPECT_EQ(SegmentBuilder::found(built.octets(), scan),
                  (Records{message('x', content), outcome('y')}));
        EXPECT_EQ(scan.seal.end, built.octets().size());
    }
}

TEST(SegmentFormat, the_header_says_what_is_wrong_with_it) {
    const std::string octets = small_segment().octets();
    EXPECT_FALSE(read_segment_header(octets.substr(0, 100), kName).has_value());
    EXPECT_FALSE(read_segment_header(std::string(kSegmentBlock, '\0'), kName).has_value());
    EXPECT_FALSE(read_segment_header(octets, {3, 13}).has_value());
    EXPECT_FALSE(read_segment_header(octets, {2, 12}).has_value());
    for (std::size_t bit = 0; bit < 80 * 8; ++bit) {
        std::string flipped = octets;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(read_segment_header(flipped, kName).has_value()) << bit;
        EXPECT_EQ(scan_segment(flipped, kName).records.size(), 9U);  // it can be read all the same
    }
}

TEST(SegmentFormat, the_header_says_what_was_written) {
    const Seal before{.end = 3 * kSegmentBlock, .batches = 2, .records = 7, .checksum = 99};
    for (const bool run : {false, true}) {
        for (const auto& seal : {std::optional<Seal>(), std::optional(before)}) {
            std::string octets(kSegmentBlock, '\0');
            write_segment_header(
                {.name = kName, .salt = 7, .size = 123'456, .begins_run = run, .before = seal},
                octets.data());
            const auto header = read_segment_header(octets, kName);
            ASSERT_TRUE(header.has_value());
            EXPECT_EQ(header->begins_run, run);
            EXPECT_EQ(header->before, seal);
            EXPECT_EQ(header->salt, 7U);
            EXPECT_EQ(header->size, 123'456U);
            EXPECT_EQ(header->version, 3U);
        }
    }
}

TEST(SegmentFormat, another_segments_octets_are_none_of_ours) {
    const std::string octets = small_segment().octets();
    for (const SegmentName other : {SegmentName{3, 13}, SegmentName{3, 11}, SegmentName{4, 12}}) {
        const SegmentScan scan = scan_segment(octets, other);
        EXPECT_TRUE(scan.records.empty() && scan.damages.empty() && scan.interrupted.empty());
    }
}

TEST(SegmentFormat, every_truncation_leaves_the_batches_before_it) {
    const SegmentBuilder built = small_segment();
    const auto batches = small_batches();
    for (std::size_t length = 0; length <= built.octets().size(); ++length) {
        // Exactly sized, so that the sanitizers see a read after the end.
        const auto copy = std::make_unique<char[]>(length);
        built.octets().copy(copy.get(), length);
        const std::string_view octets(copy.get(), length);
        const SegmentScan scan = scan_segment(octets, kName);
        const Records found = SegmentBuilder::found(octets, scan);
        std::vector<Records> whole;
        for (std::size_t i = 0; i < batches.size(); ++i) {
            const std::size_t end = i + 1 < batches.size() ? built.starts()[i + 1] : built.end();
            if (length >= end) whole.push_back(batches[i]);
        }
        const Records certain = all_of(whole);
        ASSERT_GE(found.size(), certain.size()) << length;
        ASSERT_TRUE(std::equal(certain.begin(), certain.end(), found.begin())) << length;
        ASSERT_TRUE(is_subsequence(found, all_of(batches))) << length;
        ASSERT_TRUE(scan.damages.empty()) << length;
    }
}

TEST(SegmentFormat, no_flipped_bit_makes_a_record_or_hides_another_batch) {
    const SegmentBuilder built = small_segment();
    const auto batches = small_batches();
    const Records all = all_of(batches);
    std::string octets = built.octets();
    for (std::size_t bit = kSegmentBlock * 8; bit < built.end() * 8; ++bit) {
        const std::size_t at = bit / 8;
        octets[at] = static_cast<char>(octets[at] ^ (1 << (bit % 8)));
        const SegmentScan scan = scan_segment(octets, kName);
        const Records found = SegmentBuilder::found(octets, scan);
        octets[at] = built.octets()[at];
        ASSERT_TRUE(is_subsequence(found, all)) << at;
        const auto& starts = built.starts();
        const auto hit =
            static_cast<std::size_t>(std::ranges::upper_bound(starts, at) - starts.begin()) - 1;
        for (std::size_t i = 0; i < batches.size(); ++i) {
            if (i == hit) continue;
            for (const BuiltRecord& one : batches[i])
                ASSERT_TRUE(std::ranges::find(found, one) != found.end()) << at;
        }
        const bool lost = found.size() < all.size();
        const bool last = hit + 1 == batches.size();
        if (last) {  // it may have been interrupted: no damage is spoken of
            ASSERT_TRUE(scan.damages.empty()) << at;
        } else {
            ASSERT_EQ(lost, !scan.damages.empty()) << at;
            ASSERT_TRUE(scan.interrupted.empty()) << at;
        }
    }
}

TEST(SegmentFormat, a_torn_tail_is_told_from_damage_in_the_middle) {
    const SegmentBuilder built = small_segment();
    std::string torn = built.octets();
    torn.replace(built.starts()[2] + 40, 512, std::string(512, '\0'));
    const SegmentScan tail = scan_segment(torn, kName);
    EXPECT_TRUE(tail.damages.empty());
    ASSERT_EQ(tail.interrupted.size(), 1U);
    EXPECT_EQ(SegmentBuilder::found(torn, tail).size(), 6U);
    EXPECT_EQ(tail.last_batch, 3U);

    std::string damaged = built.octets();
    damaged.replace(built.starts()[1] + 40, 512, std::string(512, '\0'));
    const SegmentScan middle = scan_segment(damaged, kName);
    EXPECT_TRUE(middle.interrupted.empty());
    ASSERT_EQ(middle.damages.size(), 1U);
    EXPECT_GE(middle.damages[0].offset, built.starts()[1]);
    EXPECT_LE(middle.damages[0].offset + middle.damages[0].octets, built.starts()[2]);
    const Records found = SegmentBuilder::found(damaged, middle);
    EXPECT_EQ(found.size(), 6U);

    std::string headless = built.octets();
    headless.replace(built.starts()[1], 4, "????");
    const SegmentScan gap = scan_segment(headless, kName);
    ASSERT_EQ(gap.damages.size(), 1U);
    EXPECT_EQ(gap.damages[0].offset, built.starts()[1]);
    EXPECT_EQ(gap.damages[0].octets, 2 * kSegmentBlock);
    EXPECT_EQ(SegmentBuilder::found(headless, gap).size(), 6U);
}

// Three batches on their way at once: what an interrupted write looks like is no damage, unless a
// later batch knew it to be durable.
TEST(SegmentFormat, a_batch_that_was_under_way_beside_a_later_one_is_no_damage) {
    const auto with = [](std::uint32_t second, std::uint32_t third) {
        SegmentBuilder built(kName, 6 * kSegmentBlock);
        built.add_batch(small_batches()[0]);
        built.add_batch(small_batches()[1], second);
        built.add_batch(small_batches()[2], third);
        return built;
    };
    struct Case {
        std::uint32_t third;
        std::size_t damages;
        std::size_t interrupted;
    };
    for (const Case& one : {Case{0, 1, 0}, Case{1, 0, 1}, Case{2, 0, 1}}) {
        const SegmentBuilder built = with(0, one.third);
        for (const std::size_t hit : {std::size_t{0}, std::size_t{60}}) {  // its header, a record
            std::string octets = built.octets();
            octets.replace(built.starts()[1] + hit, 512, std::string(512, '\0'));
            const SegmentScan scan = scan_segment(octets, kName);
            EXPECT_EQ(scan.damages.size(), one.damages) << one.third << ' ' << hit;
            EXPECT_EQ(scan.interrupted.size(), one.interrupted) << one.third << ' ' << hit;
            EXPECT_EQ(SegmentBuilder::found(octets, scan).size(), 6U);
            EXPECT_EQ(scan.last_batch, 3U);
        }
    }
    // The first was durable when the second began, whatever the third says.
    std::string octets = with(0, 2).octets();
    octets[kSegmentBlock + 60] ^= 1;
    EXPECT_EQ(scan_segment(octets, kName).damages.size(), 1U);
}

TEST(SegmentFormat, nobody_reaches_back_before_the_first_batch) {
    SegmentBuilder built(kName, 4 * kSegmentBlock);
    built.add_batch({outcome('a')}, 1);
    EXPECT_TRUE(scan_segment(built.octets(), kName).records.empty());
}

// Whoever sends mail can put anything into it but the salt.
TEST(SegmentFormat, batches_in_a_content_are_never_taken_for_ours) {
    const std::string inner = small_segment().octets().substr(kSegmentBlock);
    const std::size_t before = kBatchHeader + kRecordHeader + 40;
    const std::string content = std::string(kSegmentBlock - before, '.') + inner;
    SegmentBuilder built(kName, kSegmentBlock);
    built.add_batch({outcome('a')});
    built.add_batch({{RecordType::message, std::string(40, 'm'), content}});
    // The same in a segment of another salt, whose batch header was not written.
    std::string octets(built.octets());
    constexpr std::uint64_t kOther = 99;
    write_segment_header({.name = kName, .salt = kOther, .size = octets.size(), .begins_run = true},
                         octets.data());
    for (const bool header_lost : {false, true}) {
        octets.replace(kSegmentBlock, kSegmentBlock, std::string(kSegmentBlock, '\0'));
        std::string batch = built.octets().substr(kSegmentBlock, kSegmentBlock);
        const std::uint32_t seed = checksum_seed(kName, kOther);
        const std::string body(23, 'a');
        write_record_header(seed, RecordType::outcome, body, 0, seed, batch.data() + kBatchHeader);
        write_batch_header({.number = 1, .octets = kRecordHeader + body.size(), .records = 1},
                           kOther, seed, batch.data());
        octets.replace(kSegmentBlock, batch.size(), batch);
        octets.replace(built.starts()[1], kBatchHeader, std::string(kBatchHeader, '\0'));
        if (header_lost) octets.replace(0, kSegmentBlock, std::string(kSegmentBlock, '\0'));
        const SegmentScan scan = scan_segment(octets, kName);
        EXPECT_EQ(SegmentBuilder::found(octets, scan), Records{outcome('a')}) << header_lost;
    }
}

TEST(SegmentFormat, damaged_content_costs_its_record_only) {
    const SegmentBuilder built = small_segment();
    std::string octets = built.octets();
    const auto at = octets.find(std::string(5000, 'e'));
    ASSERT_NE(at, std::string::npos);
    octets[at + 2000] = '!';
    const SegmentScan scan = scan_segment(octets, kName);
    EXPECT_EQ(scan.records.size(), 8U);
    ASSERT_EQ(scan.damages.size(), 1U);
    EXPECT_LE(scan.damages[0].offset, at);
}

// A file that held a full segment and is written again from the front: whatever of the new octets
// is there, nothing of the old ones is ever found.
TEST(SegmentFormat, stale_octets_of_a_recycled_file_are_never_read) {
    const std::string before = small_segment({3, 11}).octets();
    const Records fresh = {message('x', 600), outcome('y')};
    SegmentBuilder built(kName, before.size(), before);
    built.add_batch(fresh);
    const std::string& after = built.octets();
    const std::size_t sectors = before.size() / 512;
    for (std::size_t kept = 0; kept <= sectors; ++kept) {
        std::string octets = after.substr(0, kept * 512) + before.substr(kept * 512);
        const SegmentScan scan = scan_segment(octets, kName);
        ASSERT_TRUE(scan.damages.empty()) << kept;
        ASSERT_TRUE(is_subsequence(SegmentBuilder::found(octets, scan), fresh)) << kept;
    }
    // The sectors of the new batch in any subset.
    const std::size_t first = kSegmentBlock / 512;
    for (unsigned mask = 0; mask < 4; ++mask) {
        std::string octets = after;
        for (std::size_t i = 0; i < 2; ++i) {
            if ((mask >> i & 1U) == 0) {
                octets.replace((first + i) * 512, 512, before.substr((first + i) * 512, 512));
            }
        }
        const SegmentScan scan = scan_segment(octets, kName);
        EXPECT_TRUE(scan.damages.empty());
        EXPECT_TRUE(is_subsequence(SegmentBuilder::found(octets, scan), fresh));
        if (mask == 3) EXPECT_EQ(scan.records.size(), 2U);
    }
}

TEST(SegmentFormat, an_older_batch_after_a_newer_one_is_stale) {
    SegmentBuilder built(kName, 8 * kSegmentBlock);
    built.add_batch({outcome('a')});
    built.add_batch({outcome('b')});
    std::string octets = built.octets();
    // Batch 1 again after batch 2: a number that does not go on is no batch of this run.
    octets.replace(3 * kSegmentBlock, kSegmentBlock, octets.substr(kSegmentBlock, kSegmentBlock));
    const SegmentScan scan = scan_segment(octets, kName);
    EXPECT_EQ(scan.records.size(), 2U);
    EXPECT_EQ(scan.last_batch, 2U);
}

TEST(SegmentFormat, content_that_looks_like_a_batch_is_content) {
    const std::string inner = small_segment().octets().substr(kSegmentBlock);
    // So that its batches stand at blocks.
    const std::size_t before = kBatchHeader + kRecordHeader + 40;
    const std::string content = std::string(kSegmentBlock - before, '.') + inner;
    SegmentBuilder built(kName, kSegmentBlock);
    const BuiltRecord outer{RecordType::message, std::string(40, 'm'), content};
    built.add_batch({outer});
    const SegmentScan scan = scan_segment(built.octets(), kName);
    EXPECT_EQ(SegmentBuilder::found(built.octets(), scan), Records{outer});
}

// Whatever is changed in a segment that was sealed is damage, the last batch too.
// No step of a scan is longer than it may be, and where it is interrupted changes nothing.
TEST(SegmentFormat, a_scan_in_steps_looks_at_no_more_than_it_may_and_finds_the_same) {
    SegmentBuilder built(kName, 96 * kSegmentBlock);
    std::vector<BuiltRecord> many;
    for (int i = 0; i < 500; ++i)
        many.push_back({RecordType::outcome, "outcome " + std::to_string(i), {}});
    built.add_batch(many);
    built.add_batch({{RecordType::message, "large", std::string(40'000, 'x')}});
    built.add_batch({{RecordType::message, "small", "content"}});
    std::string damaged = built.octets();
    damaged[built.starts()[1] + 20'000] ^= 1;
    std::string headless = built.octets();
    std::fill_n(headless.begin(), kSegmentBlock, '\0');
    for (const std::string& octets : {built.octets(), damaged, headless}) {
        const SegmentScan whole = scan_segment(octets, kName);
        for (const std::size_t most : {1UL, 7UL, 100UL, 5000UL}) {
            for (const std::size_t pieces : {1UL, 3UL, 64UL}) {
                SegmentScanner scanner(octets, kName);
                std::size_t steps = 1;
                while (!scanner.step(most, pieces))
                    ++steps;
                const SegmentScan scan = scanner.take();
                EXPECT_EQ(scan.seal, whole.seal);
                EXPECT_EQ(SegmentBuilder::found(octets, scan),
                          SegmentBuilder::found(octets, whole));
                EXPECT_EQ(scan.damages.size(), whole.damages.size());
                EXPECT_EQ(scan.interrupted.size(), whole.interrupted.size());
                // 40,000 octets and 500 records take so many steps, and no less.
                EXPECT_GE(steps, 40'000 / most);
                EXPECT_GE(steps, 500 / pieces);
            }
        }
    }
}

TEST(SegmentFormat, a_seal_shows_every_flipped_bit) {
    const SegmentBuilder built = small_segment();
    SegmentScan whole = scan_segment(built.octets(), kName);
    hold_to_seal(whole, built.seal());
    EXPECT_TRUE(whole.damages.empty() && whole.interrupted.empty());
    std::string octets = built.octets();
    const auto& starts = built.starts();
    for (std::size_t batch = 0; batch < starts.size(); ++batch) {
        const auto header = octets.substr(starts[batch], kBatchHeader);
        const auto records = get_at<std::uint64_t>(header.data() + 16);
        for (std::size_t at = starts[batch]; at < starts[batch] + kBatchHeader + records; ++at) {
            for (int bit = 0; bit < 8; ++bit) {
                octets[at] = static_cast<char>(octets[at] ^ (1 << bit));
                SegmentScan scan = scan_segment(octets, kName);
                hold_to_seal(scan, built.seal());
                octets[at] = built.octets()[at];
                ASSERT_FALSE(scan.damages.empty()) << at << ' ' << bit;
                ASSERT_TRUE(scan.interrupted.empty()) << at << ' ' << bit;
            }
        }
    }
}

TEST(SegmentFormat, a_seal_shows_every_cut) {
    const SegmentBuilder built = small_segment();
    for (std::size_t length = 0; length < built.end(); length += 7) {
        const std::string octets = built.octets().substr(0, length);
        SegmentScan scan = scan_segment(octets, kName);
        const bool all = scan.records.size() == built.seal().records;
        hold_to_seal(scan, built.seal());
        ASSERT_TRUE(all || !scan.damages.empty()) << length;
    }
}

// What was interrupted when the segment was sealed is no damage later.
TEST(SegmentFormat, a_seal_of_a_segment_with_an_interrupted_batch) {
    SegmentBuilder built(kName, 8 * kSegmentBlock);
    built.add_batch({outcome('a')});
    built.add_batch({outcome('b'), outcome('c')});
    built.add_batch({outcome('d')}, 2);
    std::string octets = built.octets();
    octets[built.starts()[1] + 2] ^= 1;
    const Seal seal = scan_segment(octets, kName).seal;
    EXPECT_EQ(seal.batches, 2U);
    SegmentScan again = scan_segment(octets, kName);
    hold_to_seal(again, seal);
    EXPECT_TRUE(again.damages.empty());
    EXPECT_EQ(again.interrupted.size(), 1U);
    octets[built.starts()[2] + kBatchHeader] ^= 1;
    SegmentScan changed = scan_segment(octets, kName);
    hold_to_seal(changed, seal);
    EXPECT_GE(changed.damages.size(), 2U);
}

TEST(SegmentFormat, random_damage_never_yields_a_record_that_was_not_written) {
    core::Prng prng(9);
    const SegmentBuilder built = small_segment();
    const Records all = all_of(small_batches());
    for (int round = 0; round < 20'000; ++round) {
        std::string octets = built.octets();
        const std::uint64_t hits = 1 + prng.below(6);
        for (std::uint64_t i = 0; i < hits; ++i) {
            const std::size_t length = 1 + prng.below(prng.below(4) == 0 ? 5000 : 16);
            const std::size_t from = prng.below(octets.size() - length);
            const std::size_t to = prng.below(octets.size() - length);
            if (prng.below(2) == 0) {
                octets.replace(to, length, octets.substr(from, length));
            } else {
                for (std::size_t at = to; at < to + length; ++at)
                    octets[at] = static_cast<char>(prng.below(256));
            }
        }
        const SegmentScan scan = scan_segment(octets, kName);
        for (const BuiltRecord& one : SegmentBuilder::found(octets, scan))
            ASSERT_TRUE(std::ranges::find(all, one) != all.end()) << round;
    }
}

}  // namespace
}  // namespace relay
