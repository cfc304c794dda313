// The table of what is in hand: what one process stored is what the next one reads, at whatever
// store it died.
#include "relay/spool/in_hand.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

constexpr std::string_view kBoot = "3d3ab4a0-5cfd-4e8d-a1ad-6ad1c4c1d0f5";
using Memory = std::vector<std::uint64_t>;

MessageId id(std::uint64_t number) {
    return {7, number};
}

Memory fresh() {
    return Memory(InHandTable::kWords);
}

std::vector<std::uint64_t> in_hand(Memory memory) {
    std::vector<std::uint64_t> found;
    for (const Noted& noted : InHandTable(memory).last_run(kBoot).in_hand)
        found.push_back(noted.id.low);
    std::ranges::sort(found);
    return found;
}

TEST(InHandTable, says_what_was_in_hand_when_it_ended) {
    Memory memory = fresh();
    InHandTable table(memory);
    EXPECT_EQ(table.last_run(kBoot).how, LastEnd::unknown);
    table.begin_anew({}, kBoot, 3);
    table.set_state(RunState::young);
    const InHand::Note one = table.shard(0).note(id(1));
    InHand::Note two = table.shard(2).note(id(2));
    {
        const InHand::Note three = table.shard(2).note(id(3));
    }
    EXPECT_EQ(in_hand(memory), (std::vector<std::uint64_t>{1, 2}));
    InHand::Note moved = std::move(two);
    EXPECT_EQ(in_hand(memory), (std::vector<std::uint64_t>{1, 2}));
    moved = table.shard(1).note(id(4));
    EXPECT_EQ(in_hand(memory), (std::vector<std::uint64_t>{1, 4}));
    moved = {};
    EXPECT_EQ(in_hand(memory), std::vector<std::uint64_t>{1});
    EXPECT_EQ(InHandTable(memory).last_run(kBoot).how, LastEnd::early);
    table.set_state(RunState::lived);
    EXPECT_EQ(InHandTable(memory).last_run(kBoot).how, LastEnd::late);
    table.set_state(RunState::ended);
    EXPECT_EQ(InHandTable(memory).last_run(kBoot).how, LastEnd::orderly);
}

TEST(InHandTable, remembers_suspects_and_forgets_the_acquitted) {
    Memory memory = fresh();
    const std::vector<Known> known{
        {.id = id(1), .ends = 3, .deaths = 1}, {.id = id(2), .ends = 3}, {.id = id(3), .ends = 1}};
    InHandTable table(memory);
    table.begin_anew(known, kBoot, 1);
    EXPECT_EQ(InHandTable(memory).last_run(kBoot).known, known);
    table.mark_found(0);
    table.acquit(1);
    const std::vector<Known> left{{.id = id(1), .ends = 3, .deaths = 1, .found = true},
                                  {.id = id(3), .ends = 1}};
    EXPECT_EQ(InHandTable(memory).last_run(kBoot).known, left);
    InHandTable next(memory);
    next.begin_anew(std::span(left).first(1), kBoot, 1);
    EXPECT_EQ(InHandTable(memory).last_run(kBoot).known,
              (std::vector<Known>{{.id = id(1), .ends = 3, .deaths = 1}}));
}

TEST(InHandTable, another_start_of_the_machine_forgets_all) {
    Memory memory = fresh();
    InHandTable table(memory);
    table.begin_anew(std::vector<Known>{{.id = id(1), .ends = 3}}, kBoot, 1);
    table.set_state(RunState::young);
    const InHand::Note note = table.shard(0).note(id(2));
    const LastRun last = InHandTable(memory).last_run("5cfd");
    EXPECT_EQ(last.how, LastEnd::unknown);
    EXPECT_TRUE(last.known.empty() && last.in_hand.empty());
}

// Whoever dies while it begins has either judged the end before, or not.
TEST(InHandTable, an_end_is_counted_once) {
    Memory memory = fresh();
    InHandTable table(memory);
    table.begin_anew({}, kBoot, 1);
    table.set_state(RunState::young);
    const InHand::Note note = table.shard(0).note(id(1));
    Memory after = memory;
    InHandTable(after).begin_anew(std::vector<Known>{{.id = id(1), .ends = 1}}, kBoot, 1);
    // Words are stored one by one; the one with the state decides.
    const Memory before = memory;
    for (const bool judged : {false, true}) {
        Memory torn = judged ? after : before;
        const Memory& other = judged ? before : after;
        // The slots may be cleared or not once it is judged; the area that does not count yet may
        // be written or not before.
        const std::size_t changed =
            judged ? InHandTable::kHeader + 2 * InHandTable::kSlots * 3 : InHandTable::kHeader;
        const std::size_t end =
            judged ? InHandTable::kWords : changed + 2 * InHandTable::kSlots * 3;
        std::copy(other.begin() + static_cast<std::ptrdiff_t>(changed),
                  other.begin() + static_cast<std::ptrdiff_t>(end),
                  torn.begin() + static_cast<std::ptrdiff_t>(changed));
        const LastRun last = InHandTable(torn).last_run(kBoot);
        EXPECT_EQ(last.how, judged ? LastEnd::unknown : LastEnd::early);
        EXPECT_EQ(last.in_hand.size(), judged ? 0U : 1U);
        EXPECT_EQ(last.known.size(), judged ? 1U : 0U);
    }
}

TEST(InHand, what_finds_no_slot_is_counted_and_not_noted) {
    Memory memory(3 * InHandTable::kEntry);
    Trial trial;
    InHand shard(memory, trial);
    std::vector<InHand::Note> notes;
    for (std::uint64_t number = 1; number <= 5; ++number)
        notes.push_back(shard.note(id(number)));
    EXPECT_EQ(shard.unnoted(), 2U);
    EXPECT_EQ(std::ranges::count(memory, 7U), 3);
    notes.clear();
    EXPECT_EQ(std::ranges::count(memory, 7U), 0);
    notes.push_back(shard.note(id(9)));
    EXPECT_EQ(shard.unnoted(), 2U);
    EXPECT_EQ(std::ranges::count(memory, 9U), 1);
}

TEST(InHand, who_is_on_trial_is_noted_as_such) {
    Memory memory = fresh();
    InHandTable table(memory);
    table.begin_anew({}, kBoot, 1);
    table.set_state(RunState::lived);
    table.trial().high = 7;
    table.trial().low = 2;
    const InHand::Note one = table.shard(0).note(id(1));
    EXPECT_FALSE(table.trial().taken);
    const InHand::Note two = table.shard(0).note(id(2));
    EXPECT_TRUE(table.trial().taken);
    const LastRun last = InHandTable(memory).last_run(kBoot);
    ASSERT_EQ(last.in_hand.size(), 2U);
    for (const Noted& noted : last.in_hand)
        EXPECT_EQ(noted.on_trial, noted.id == id(2));
}

TEST(InHandTable, each_shard_has_slots_of_its_own_and_all_can_be_taken) {
    for (const std::size_t shards : {std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
        Memory memory = fresh();
        InHandTable table(memory);
        table.begin_anew({}, kBoot, shards);
        table.set_state(RunState::young);
        std::vector<InHand::Note> notes;
        const std::size_t each = InHandTable::kSlots / shards;
        for (std::size_t shard = 0; shard < shards; ++shard) {
            for (std::size_t i = 0; i <= each; ++i)
                notes.push_back(table.shard(shard).note(id(shard * 100'000 + i)));
            EXPECT_EQ(table.shard(shard).unnoted(), 1U);
        }
        EXPECT_EQ(in_hand(memory).size(), each * shards);
    }
}

}  // namespace
}  // namespace relay
