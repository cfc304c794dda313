// The simulated disk: that it keeps what was promised durable and nothing else for certain.
#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/file/aligned_buffer.h"
#include "core/file/file.h"
#include "tests/sim/sim_world.h"

namespace sim {
namespace {

using core::Access;
using core::Handle;
using core::Task;

constexpr std::size_t kBlock = core::kDiskBlock;
constexpr std::uint64_t kDraws = 300;  // enough for every shape of a crash to be drawn

// A disk, and a world of one shard that works on it.
struct Machine {
    explicit Machine(std::uint64_t seed = 1) : disk(seed), world(seed, options(disk)) {}
    static WorldOptions options(SimDisk& disk) {
        WorldOptions options;
        options.backend.disk = &disk;
        return options;
    }
    core::Shard& shard() { return world.shard(); }
    Handle open(const std::string& path, Access access) {
        const auto handle = disk.open(path, access);
        EXPECT_TRUE(handle.has_value()) << path;
        return handle.value_or(core::kNoHandle);
    }
    int write(Handle file, std::string octets, std::uint64_t offset, bool synced) {
        int error = -1;
        EXPECT_TRUE(world.run(shard(), write_task(shard(), file, octets, offset, synced, error)));
        return error;
    }
    int sync(Handle file) {
        int error = -1;
        EXPECT_TRUE(world.run(shard(), sync_task(shard(), file, error)));
        return error;
    }
    std::string read(Handle file, std::size_t octets, std::uint64_t offset, int& error) {
        std::string text(octets, '?');
        EXPECT_TRUE(world.run(shard(), read_task(shard(), file, text, offset, error)));
        return text;
    }

    static Task<void> write_task(core::Shard& shard, Handle file, const std::string& octets,
                                 std::uint64_t offset, bool synced, int& error) {
        const auto done = co_await core::write_fully(shard, file, octets, offset, synced);
        error = done ? 0 : done.error().value();
    }
    static Task<void> sync_task(core::Shard& shard, Handle file, int& error) {
        const auto done = co_await core::sync(shard, file);
        error = done ? 0 : done.error().value();
    }
    static Task<void> read_task(core::Shard& shard, Handle file, std::string& text,
                                std::uint64_t offset, int& error) {
        const auto done = co_await core::read_fully(shard, file, text, offset);
        error = done ? 0 : done.error().value();
    }

    SimDisk disk;
    SimWorld world;
};

// A file of so many octets whose name is durable.
Handle durable_file(Machine& machine, const std::string& path, std::uint64_t octets) {
    const Handle file = machine.open(path, Access::write);
    EXPECT_TRUE(machine.disk.allocate(file, octets).has_value());
    const Handle directory = machine.open(".", Access::directory);
    EXPECT_EQ(machine.sync(file), 0);
    EXPECT_EQ(machine.sync(directory), 0);
    machine.disk.close(directory);
    return file;
}

TEST(SimDisk, what_a_synced_write_wrote_survives_every_loss_of_power) {
    Machine machine;
    const Handle file = durable_file(machine, "log", 4 * kBlock);
    const std::string octets(5000, 'a');
    EXPECT_EQ(machine.write(file, octets, 700, true), 0);
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
        const auto left = machine.disk.after_power_loss(seed);
        EXPECT_EQ(left->contents("log").substr(700, 5000), octets);
        EXPECT_EQ(left->contents("log").size(), 4 * kBlock);
        EXPECT_EQ(left->after_power_loss(seed + 1)->contents("log"), left->contents("log"));
    }
    machine.disk.close(file);
}

TEST(SimDisk, a_synced_write_says_nothing_of_the_one_before_it) {
    Machine machine;
    const Handle file = durable_file(machine, "log", 4 * kBlock);
    EXPECT_EQ(machine.write(file, std::string(512, 'a'), 0, false), 0);
    EXPECT_EQ(machine.write(file, std::string(512, 'b'), kBlock, true), 0);
    std::set<char> seen;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
        const std::string left = machine.disk.after_power_loss(seed)->contents("log");
        EXPECT_EQ(left[kBlock], 'b');
        seen.insert(left[0]);
    }
    EXPECT_EQ(seen, (std::set<char>{'\0', 'a'}));
    machine.disk.close(file);
}

TEST(SimDisk, writes_that_were_not_synced_survive_in_any_subset) {
    Machine machine;
    const Handle file = durable_file(machine, "log", 4 * kBlock);
    for (const char letter : {'a', 'b', 'c'}) {
        const auto offset = static_cast<std::uint64_t>(letter - 'a') * 512;
        EXPECT_EQ(machine.write(file, std::string(512, letter), offset, false), 0);
    }
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
        const std::string left = machine.disk.after_power_loss(seed)->contents("log");
        seen.insert({left[0], left[512], left[1024]});
    }
    EXPECT_EQ(seen.size(), 8U);
    EXPECT_EQ(machine.sync(file), 0);
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
        const std::string left = machine.disk.after_power_loss(seed)->contents("log");
        EXPECT_EQ((std::string{left[0], left[512], left[1024]}), "abc");
    }
    machine.disk.close(file);
}

TEST(SimDisk, a_sector_that_was_written_twice_has_one_of_its_states) {
    Machine machine;
    const Handle file = durable_file(machine, "log", kBlock);
    EXPECT_EQ(machine.write(file, std::string(512, 'a'), 0, true), 0);
    EXPECT_EQ(machine.write(file, std::string(512, 'b'), 0, false), 0);
    EXPECT_EQ(machine.write(file, std::string(512, 'c'), 0, false), 0);
    std::set<char> seen;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed)
        seen.insert(machine.disk.after_power_loss(seed)->contents("log")[0]);
    EXPECT_EQ(seen, (std::set<char>{'a', 'b', 'c'}));
    machine.disk.close(file);
}

TEST(SimDisk, a_write_in_flight_tears_at_sectors_and_at_any_octet) {
    Machine machine;
    const Handle file = durable_file(machine, "log", 4 * kBlock);
    const std::string octets(4 * kBlock, 'x');
    int error = -1;
    machine.world.spawn(machine.shard(),
                        Machine::write_task(machine.shard(), file, octets, 0, true, error));
    const std::uint64_t before = machine.disk.changes();
    ASSERT_TRUE(machine.world.run_until([&] { return machine.disk.changes() > before; }));
    ASSERT_EQ(error, -1);  // under way
    bool none = false;
    bool all = false;
    bool torn = false;
    bool hole = false;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
        const std::string left = machine.disk.after_power_loss(seed)->contents("log");
        const auto kept = static_cast<std::size_t>(std::ranges::count(left, 'x'));
        none |= kept == 0;
        all |= kept == left.size();
        torn |= kept % 512 != 0;
        hole |= left.find(std::string(512, '\0') + std::string(512, 'x')) != std::string::npos;
    }
    EXPECT_TRUE(none && all && torn && hole);
    ASSERT_TRUE(machine.world.run_until([&] { return error == 0; }));
    EXPECT_EQ(machine.disk.after_power_loss(1)->contents("log"), octets);
    EXPECT_TRUE(machine.world.run_until([&] { return machine.world.running_tasks() == 0; }));
    machine.disk.close(file);
}

TEST(SimDisk, names_survive_in_order_until_their_directory_is_synced) {
    Machine machine;
    ASSERT_TRUE(machine.disk.make_directory("spool").has_value());
    const Handle root = machine.open(".", Access::directory);
    EXPECT_EQ(machine.sync(root), 0);
    for (const char* name : {"spool/a", "spool/b", "spool/c"})
        machine.disk.close(machine.open(name, Access::write));
    ASSERT_TRUE(machine.disk.rename("spool/b", "spool/d").has_value());
    ASSERT_TRUE(machine.disk.remove("spool/a").has_value());
    using Files = std::vector<std::string>;
    std::set<Files> seen;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed)
        seen.insert(machine.disk.after_power_loss(seed)->files());
    EXPECT_EQ(seen, (std::set<Files>{{},
                                     {"spool/a"},
                                     {"spool/a", "spool/b"},
                                     {"spool/a", "spool/b", "spool/c"},
                                     {"spool/a", "spool/c", "spool/d"},
                                     {"spool/c", "spool/d"}}));
    const Handle directory = machine.open("spool", Access::directory);
    EXPECT_EQ(machine.sync(directory), 0);
    for (std::uint64_t seed = 0; seed < kDraws; ++seed)
        EXPECT_EQ(machine.disk.after_power_loss(seed)->files(), (Files{"spool/c", "spool/d"}));
    machine.disk.close(directory);
    machine.disk.close(root);
}

TEST(SimDisk, a_directory_that_was_not_synced_goes_with_all_that_is_in_it) {
    Machine machine;
    ASSERT_TRUE(machine.disk.make_directory("spool").has_value());
    const Handle file = machine.open("spool/a", Access::write);
    EXPECT_EQ(machine.write(file, "mail", 0, true), 0);
    const Handle directory = machine.open("spool", Access::directory);
    EXPECT_EQ(machine.sync(directory), 0);
    bool gone = false;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed)
        gone |= machine.disk.after_power_loss(seed)->files().empty();
    EXPECT_TRUE(gone);
    machine.disk.close(directory);
    machine.disk.close(file);
}

TEST(SimDisk, the_name_of_a_removed_file_may_come_back_with_its_octets) {
    Machine machine;
    const Handle file = durable_file(machine, "log", kBlock);
    EXPECT_EQ(machine.write(file, std::string(512, 'a'), 0, true), 0);
    machine.disk.close(file);
    ASSERT_TRUE(machine.disk.remove("log").has_value());
    std::size_t back = 0;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
        const auto left = machine.disk.after_power_loss(seed);
        if (left->files().empty()) continue;
        ++back;
        EXPECT_EQ(left->contents("log")[0], 'a');
    }
    EXPECT_GT(back, 0U);
    EXPECT_LT(back, kDraws);
    EXPECT_EQ(machine.disk.used(), 0U);
}

TEST(SimDisk, a_kill_keeps_what_was_written_but_makes_nothing_durable) {
    Machine machine;
    const Handle file = durable_file(machine, "log", kBlock);
    EXPECT_EQ(machine.write(file, std::string(512, 'a'), 0, false), 0);
    std::set<char> seen;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
        const auto left = machine.disk.after_kill(seed);
        EXPECT_EQ(left->contents("log")[0], 'a');
        seen.insert(left->after_power_loss(seed)->contents("log")[0]);
    }
    EXPECT_EQ(seen, (std::set<char>{'\0', 'a'}));
    machine.disk.close(file);
}

TEST(SimDisk, what_a_failed_sync_did_not_write_no_later_one_writes) {
    Machine machine;
    const Handle file = durable_file(machine, "log", kBlock);
    EXPECT_EQ(machine.write(file, std::string(512, 'a'), 0, false), 0);
    bool failing = true;
    machine.disk.set_faults([&failing](const DiskRequest& request) {
        return DiskVerdict{.error = failing && request.action == DiskAction::sync ? EIO : 0};
    });
    EXPECT_EQ(machine.sync(file), EIO);
    failing = false;
    EXPECT_EQ(machine.sync(file), 0);
    bool lost = false;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed)
        lost |= machine.disk.after_power_loss(seed)->contents("log")[0] != 'a';
    EXPECT_TRUE(lost);
    machine.disk.close(file);
}

TEST(SimDisk, a_write_fails_when_it_is_told_to_and_leaves_nobody_knows_what) {
    std::set<std::size_t> kept;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        Machine machine(seed);
        const Handle file = durable_file(machine, "log", 4 * kBlock);
        machine.disk.set_faults([](const DiskRequest& request) {
            const bool second = request.action == DiskAction::write && request.ordinal == 2;
            return DiskVerdict{.error = second ? EIO : 0};
        });
        EXPECT_EQ(machine.write(file, std::string(512, 'a'), 0, true), 0);
        EXPECT_EQ(machine.write(file, std::string(2 * kBlock, 'b'), kBlock, true), EIO);
        EXPECT_EQ(machine.write(file, std::string(512, 'c'), 512, true), 0);
        const std::string left = machine.disk.after_power_loss(seed)->contents("log");
        EXPECT_EQ(left[0], 'a');
        EXPECT_EQ(left[512], 'c');
        kept.insert(static_cast<std::size_t>(std::ranges::count(left, 'b')));
        machine.disk.close(file);
    }
    EXPECT_GT(kept.size(), 4U);
}

TEST(SimDisk, space_ends_and_comes_back) {
    Machine machine;
    machine.disk.set_capacity(4 * kBlock);
    const Handle file = machine.open("log", Access::write);
    EXPECT_EQ(machine.disk.allocate(file, 5 * kBlock).error().value(), ENOSPC);
    EXPECT_EQ(machine.disk.space("log")->free, 4 * kBlock);
    EXPECT_EQ(machine.write(file, std::string(5 * kBlock, 'a'), 0, false), ENOSPC);
    EXPECT_EQ(machine.disk.size(file).value(), 4 * kBlock);  // a short write came first
    EXPECT_EQ(machine.disk.space("log")->free, 0U);
    EXPECT_EQ(machine.write(file, std::string(kBlock, 'b'), 0, true), 0);  // has its space
    machine.disk.set_capacity(5 * kBlock);
    EXPECT_EQ(machine.write(file, std::string(kBlock, 'c'), 4 * kBlock, true), 0);
    machine.disk.close(file);
}

TEST(SimDisk, short_transfers_are_continued_and_direct_ones_stay_aligned) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Machine machine(seed);
        machine.disk.set_short_transfers(true);
        const Handle plain = machine.open("plain", Access::write);
        std::string octets(10'000, '\0');
        for (std::size_t i = 0; i < octets.size(); ++i)
            octets[i] = static_cast<char>(i * 7 + seed);
        EXPECT_EQ(machine.write(plain, octets, 33, true), 0);
        int error = -1;
        EXPECT_EQ(machine.read(plain, octets.size(), 33, error), octets);
        EXPECT_EQ(error, 0);
        machine.read(plain, 100, octets.size(), error);
        EXPECT_EQ(error, EIO);  // the file ends
        machine.disk.close(plain);

        const Handle direct = machine.open("direct", Access::direct);
        core::AlignedBuffer block(8 * kBlock);
        std::ranges::fill(block.first(8 * kBlock), 'd');
        int failed = -1;
        EXPECT_TRUE(machine.world.run(machine.shard(),
                                      [](core::Shard& shard, Handle file,
                                         std::span<const char> memory, int& out) -> Task<void> {
                                          const auto done = co_await core::write_fully(
                                              shard, file, memory, kBlock, true);
                                          out = done ? 0 : done.error().value();
                                      }(machine.shard(), direct, block.first(8 * kBlock), failed)));
        EXPECT_EQ(failed, 0);
        EXPECT_EQ(machine.write(direct, octets, 0, true), EINVAL);
        machine.disk.close(direct);
    }
}

TEST(SimDisk, one_lock_at_a_time_and_none_after_a_crash) {
    Machine machine;
    const auto first = machine.disk.lock("lock");
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(machine.disk.lock("lock").error().value(), EWOULDBLOCK);
    const auto left = machine.disk.after_kill(1);
    const auto other = left->lock("lock");
    EXPECT_TRUE(other.has_value());
    left->close(*other);
    machine.disk.close(*first);
    const auto again = machine.disk.lock("lock");
    EXPECT_TRUE(again.has_value());
    machine.disk.close(*again);
    EXPECT_EQ(machine.disk.open_handles(), 0U);
}

class Ending final : public core::Operation {
  public:
    std::optional<int> result;

  private:
    void complete(const core::Completion& completion) override { result = completion.result; }
};

TEST(SimDisk, a_cancelled_operation_ends_with_all_of_its_effect_or_none) {
    std::set<int> results;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        Machine machine(seed);
        const Handle file = durable_file(machine, "log", kBlock);
        const std::string octets(512, 'a');
        Ending ending;
        machine.shard().io().start_write(file, octets, 0, true, ending);
        if (seed % 2 == 0) machine.world.run_for(std::chrono::microseconds{1});
        machine.shard().io().cancel(ending);
        ASSERT_TRUE(machine.world.run_until([&] { return ending.result.has_value(); }));
        EXPECT_FALSE(ending.in_flight());
        results.insert(*ending.result);
        const bool there = machine.disk.contents("log")[0] == 'a';
        EXPECT_EQ(there, *ending.result == 512);
        EXPECT_TRUE(there || *ending.result == -ECANCELED);
        machine.disk.close(file);
    }
    EXPECT_EQ(results, (std::set<int>{-ECANCELED, 512}));
}

TEST(SimDisk, the_same_seed_gives_the_same_disk) {
    const auto run = [](std::uint64_t seed) {
        Machine machine(seed);
        const Handle file = durable_file(machine, "log", 8 * kBlock);
        EXPECT_EQ(machine.write(file, std::string(8 * kBlock, 'a'), 0, false), 0);
        machine.disk.close(file);
        return machine.disk.after_power_loss(seed)->contents("log");
    };
    EXPECT_EQ(run(5), run(5));
}

}  // namespace
}  // namespace sim
