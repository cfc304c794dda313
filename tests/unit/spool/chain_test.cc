// The chain of a journal: what is written is read, and no slot that is not whole counts.
#include "relay/spool/chain.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

Chain some_chain(std::uint64_t counter) {
    Chain chain{.journal = 4, .counter = counter, .oldest = 7, .newest = 9 + counter, .seals = {}};
    chain.seal(8, {.end = 4096 * counter, .batches = 3, .records = 17, .checksum = 0x1234});
    chain.seal(7, {.end = 8192, .batches = 1, .records = 2, .checksum = 5});
    return chain;
}

std::string file_of(const Chain& one, const Chain& other) {
    std::string file(2 * Chain::kSlot, '\0');
    write_chain(one, file.data() + one.offset());
    write_chain(other, file.data() + other.offset());
    return file;
}

TEST(Chain, the_slot_with_the_higher_counter_counts) {
    for (const std::uint64_t counter : {1UL, 2UL, 77UL}) {
        const Chain older = some_chain(counter);
        const Chain newer = some_chain(counter + 1);
        EXPECT_EQ(read_chain(file_of(older, newer), 4), newer);
        EXPECT_EQ(read_chain(file_of(newer, older), 4), newer);
    }
    EXPECT_EQ(read_chain(file_of(some_chain(1), some_chain(2)), 5), std::nullopt);
}

TEST(Chain, every_flipped_bit_of_a_slot_leaves_the_other) {
    const Chain older = some_chain(6);
    const Chain newer = some_chain(7);
    std::string file = file_of(older, newer);
    for (std::size_t at = 0; at < file.size(); ++at) {
        const int bit = static_cast<int>(at % 8);
        file[at] = static_cast<char>(file[at] ^ (1 << bit));
        EXPECT_EQ(read_chain(file, 4), at < Chain::kSlot ? newer : older) << at;
        file[at] = static_cast<char>(file[at] ^ (1 << bit));
    }
}

TEST(Chain, every_truncation_is_survived) {
    const std::string file = file_of(some_chain(6), some_chain(7));
    for (std::size_t length = 0; length < file.size(); length += 13) {
        const auto chain = read_chain(std::string(file, 0, length), 4);
        EXPECT_EQ(chain.has_value(), length >= Chain::kSlot) << length;
    }
}

TEST(Chain, seals_of_segments_that_are_given_up_go) {
    Chain chain = some_chain(1);
    EXPECT_EQ(chain.seals.front().sequence, 7U);
    chain.give_up_before(8);
    EXPECT_EQ(chain.oldest, 8U);
    EXPECT_EQ(chain.seal_of(7), nullptr);
    ASSERT_NE(chain.seal_of(8), nullptr);
    EXPECT_EQ(chain.seal_of(8)->records, 17U);
    chain.give_up_before(3);
    EXPECT_EQ(chain.oldest, 8U);
}

TEST(Chain, the_oldest_seals_go_when_there_are_too_many) {
    Chain chain;
    for (std::uint64_t sequence = 1; sequence <= Chain::kMostSeals + 5; ++sequence)
        chain.seal(sequence, {.end = sequence, .batches = 0, .records = 0, .checksum = 0});
    EXPECT_EQ(chain.seals.size(), Chain::kMostSeals);
    EXPECT_EQ(chain.seal_of(5), nullptr);
    EXPECT_EQ(chain.seal_of(6)->end, 6U);
    std::string file(2 * Chain::kSlot, '\0');
    write_chain(chain, file.data());
    EXPECT_EQ(read_chain(file, 0), chain);
}

}  // namespace
}  // namespace relay
