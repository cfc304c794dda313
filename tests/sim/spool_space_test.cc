// A relay with a spool that has less memory or less disk than mail: what leaves memory, what is
// refused, and what gives room again.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_spool.h"
#include "tests/sim/spool_scene.h"

namespace sim {
namespace {

using relay::Refusal;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kSegment = SpoolScene::kSegment;

// ---- memory

TEST(SpoolRelay, a_queue_far_larger_than_memory_drains_with_its_contents) {
    constexpr std::size_t kLimit = 400'000;     // octets; 1,200 messages of 6,000 come
    constexpr std::size_t kAhead = 64 * 6'200;  // what one path fetches ahead is held
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SimDisk disk(seed);
        disk.set_short_transfers(seed == 2);
        RelayOptions options = quick_retries();
        options.memory_limit = kLimit;
        SpoolScene scene(disk, seed, 2, options);
        std::size_t peak = 0;
        for (int i = 0; i < 1200; ++i) {
            scene.relay->inject(static_cast<std::size_t>(i) % 2, {mailbox(i, "down.example")},
                                6000);
            scene.world.run_for(milliseconds{20});
            peak = std::max({peak, scene.relay->memory(0), scene.relay->memory(1)});
        }
        EXPECT_EQ(accepted(*scene.relay), 1200U);
        EXPECT_LE(peak, kLimit) << "seed " << seed;
        EXPECT_GT(disk.used(), 1200U * 6000U);
        scene.heal();
        bool over = false;
        EXPECT_TRUE(scene.world.run_until(
            [&] {
                peak = std::max({peak, scene.relay->memory(0), scene.relay->memory(1)});
                over |= peak > kLimit + kAhead;
                return scene.relay->waiting() == 0;
            },
            hours{12}));
        EXPECT_FALSE(over) << peak << " octets in memory, seed " << seed;
        EXPECT_EQ(scene.taken(), 1200U);
        expect_clean(scene);
    }
}

// Content that cannot be read back costs its own message, not the path: others go on.
TEST(SpoolRelay, damaged_contents_do_not_stop_their_site) {
    SimDisk disk(4);
    RelayOptions options = quick_retries();
    options.memory_limit = 300'000;
    options.max_age = hours{5};
    SpoolScene scene(disk, 4, 1, options);
    for (int i = 0; i < 150; ++i) {
        scene.relay->inject(0, {mailbox(i, "down.example")}, 6000);
        scene.world.run_for(milliseconds{20});
    }
    // What went to the disk first is damaged: every content in the oldest segments.
    const auto files = disk.files();
    std::size_t damaged = 0;
    for (const std::string& file : files) {
        if (!file.ends_with(".seg") || ++damaged > 18) continue;
        for (std::uint64_t at = 4096 + 3000; at + 100 < kSegment; at += 1500)
            disk.overwrite(file, at, std::string(100, '!'));
    }
    scene.heal();
    scene.world.run_for(hours{1});
    const std::size_t delivered = scene.taken();
    EXPECT_GT(delivered, 30U);
    EXPECT_LT(delivered, 140U);
    for (int i = 1000; i < 1020; ++i)
        scene.relay->inject(0, {mailbox(i, "down.example")}, 600);
    scene.world.run_for(minutes{10});
    EXPECT_EQ(scene.taken(), delivered + 20);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));  // the others expire
    EXPECT_EQ(scene.relay->count("Expiration"), 150 - delivered);
}

std::vector<std::string> files_that_end_in(const SimDisk& disk, std::string_view suffix) {
    std::vector<std::string> found;
    for (const std::string& file : disk.files()) {
        if (file.ends_with(suffix)) found.push_back(file);
    }
    return found;
}

// Bug: a segment of which something could not be read was recycled with all that was in it.
TEST(SpoolRelay, a_segment_that_could_not_be_read_is_kept) {
    SimDisk disk(21);
    {
        SpoolScene scene(disk, 1, 1, quick_retries());
        for (int i = 0; i < 24; ++i) {
            scene.relay->inject(0, {mailbox(i, "down.example")}, 3000);
            scene.world.run_for(milliseconds{20});
        }
    }
    disk.overwrite(files_that_end_in(disk, ".seg").front(), 4096 + 20, std::string(3000, '!'));
    SpoolScene scene(disk, 2, 1, quick_retries(), hours{1});
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{2}));
    scene.world.run_for(minutes{1});
    EXPECT_GE(scene.relay->recovered().damaged, 1U);
    EXPECT_LT(scene.taken(), 24U);
    EXPECT_EQ(files_that_end_in(disk, ".damaged").size(), 1U);
}

// Bug: when nothing stood after it its number was given again, and its file could be written over.
TEST(SpoolRelay, the_number_of_a_segment_that_is_kept_stays_its_own) {
    SimDisk disk(24);
    {
        SpoolScene scene(disk, 1, 1, quick_retries());
        scene.relay->inject(0, {mailbox(0, "down.example")}, 3000);
        scene.world.run_for(seconds{1});
    }
    const std::string segment = files_that_end_in(disk, ".seg").front();
    disk.overwrite(segment, 0, std::string(kSegment, '!'));
    {
        SpoolScene scene(disk, 2, 1, quick_retries(), hours{1});
        scene.world.run_for(minutes{1});
        EXPECT_EQ(files_that_end_in(disk, ".damaged"),
                  std::vector<std::string>{segment + ".damaged"});
    }
    SpoolScene scene(disk, 3, 1, quick_retries(), hours{2});
    scene.relay->inject(0, {mailbox(1, "down.example")}, 3000);
    scene.world.run_for(seconds{1});
    const auto segments = files_that_end_in(disk, ".seg");
    EXPECT_EQ(segments.size(), 1U);
    EXPECT_EQ(std::ranges::count(segments, segment), 0);
    EXPECT_EQ(files_that_end_in(disk, ".damaged").size(), 1U);
}

// ---- space

// Bug: each restart left a segment with next to nothing in it after the straggler.
TEST(SpoolRelay, restarts_do_not_eat_the_disk) {
    SimDisk disk(22);
    for (int run = 0; run < 30; ++run) {
        RelayOptions options = quick_retries();
        options.segment_size = 1 << 20;  // far more than a run writes
        SpoolScene scene(disk, 1, 1, std::move(options), minutes{run * 10});
        if (run == 0) scene.relay->inject(0, {mailbox(0, "down.example")}, 600);
        scene.relay->inject(0, {mailbox(100 + run, "good.example")}, 600);
        scene.world.run_for(seconds{20});
    }
    EXPECT_LE(files_that_end_in(disk, ".seg").size(), 8U);
}

// Bug: what one message wanted kept the spool full for all others.
TEST(SpoolRelay, a_message_too_large_for_the_spool_is_refused_alone) {
    SimDisk disk(23);
    RelayOptions options = quick_retries();
    options.space.max_octets = 8 * kSegment;
    options.space.most_wanted = 2 * kSegment;
    SpoolScene scene(disk, 1, 1, options);
    scene.relay->inject(0, {"u1@down.example"}, 600);
    scene.relay->inject(0, {"u2@down.example"}, 20 * kSegment);
    scene.world.run_for(seconds{5});
    EXPECT_EQ(refused(*scene.relay, Refusal::spool_full), 1U);
    EXPECT_EQ(scene.relay->check(0, 0), std::nullopt);
    scene.relay->inject(0, {"u3@down.example"}, 600);
    scene.world.run_for(seconds{1});
    EXPECT_EQ(accepted(*scene.relay), 2U);
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));
}

TEST(SpoolRelay, a_full_disk_refuses_mail_and_recovers_when_space_returns) {
    SimDisk disk(5);
    disk.set_capacity(12 * kSegment);
    SpoolScene scene(disk, 5, 2, quick_retries());
    int number = 0;
    for (; number < 200; ++number) {
        scene.relay->inject(static_cast<std::size_t>(number) % 2, {mailbox(number, "down.example")},
                            6000);
        scene.world.run_for(milliseconds{50});
    }
    const std::size_t before = accepted(*scene.relay);
    EXPECT_GT(before, 20U);
    EXPECT_LT(before, 70U);
    EXPECT_EQ(refused(*scene.relay, Refusal::spool_full), 200 - before);
    EXPECT_EQ(scene.relay->check(0, 0), Refusal::spool_full);
    EXPECT_FALSE(scene.relay->space().failed());
    expect_kept(*scene.relay, read_spool(*disk.after_power_loss(5)));

    disk.set_capacity(200 * kSegment);  // somebody freed space; no restart
    scene.world.run_for(seconds{3});
    EXPECT_EQ(scene.relay->check(0, 0), std::nullopt);
    for (const int end = number + 20; number < end; ++number) {
        scene.relay->inject(static_cast<std::size_t>(number) % 2, {mailbox(number, "down.example")},
                            6000);
        scene.world.run_for(milliseconds{50});
    }
    EXPECT_EQ(accepted(*scene.relay), before + 20);
    scene.heal();
    EXPECT_TRUE(scene.world.run_until([&] { return scene.relay->waiting() == 0; }, hours{12}));
    EXPECT_EQ(scene.taken(), before + 20);
    EXPECT_EQ(scene.relay->count("Delivery"), before + 20);
}

TEST(SpoolRelay, a_spool_at_max_size_makes_room_by_itself) {
    SimDisk disk(6);
    RelayOptions options = quick_retries();
    options.space.max_octets = 20 * kSegment;
    SpoolScene scene(disk, 6, 2, options);
    // Stragglers among mail that goes at once: only compaction can give the segments up.
    for (int i = 0; i < 400; ++i) {
        const char* domain = i % 25 == 0 ? "down.example" : "good.example";
        scene.relay->inject(static_cast<std::size_t>(i) % 2, {mailbox(i, domain)}, 6000);
        scene.world.run_for(milliseconds{100});
        EXPECT_LE(scene.relay->space().used(), 20 * kSegment);
    }
    scene.world.run_for(seconds{10});
    EXPECT_EQ(scene.relay->check(0, 0), std::nullopt);
    EXPECT_EQ(accepted(*scene.relay), 400U);
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));
    expect_clean(scene);
}

// The spool fills with mail that cannot go; then all of it but one message in each oldest segment
// goes. What is live fits many times: compaction must make room although the spool is full.
TEST(SpoolRelay, stragglers_do_not_keep_a_spool_full) {
    SimDisk disk(7);
    RelayOptions options = quick_retries();
    options.space.max_octets = 16 * kSegment;
    SpoolScene scene(disk, 7, 1, options);
    for (int i = 0; i < 150; ++i) {
        // slow.example goes after ten minutes, down.example not before it is healed.
        const char* domain = i % 30 == 0 ? "down.example" : "slow.example";
        scene.relay->inject(0, {mailbox(i, domain)}, 6000);
        scene.world.run_for(milliseconds{20});
    }
    EXPECT_EQ(scene.relay->check(0, 0), Refusal::spool_full);
    scene.world.run_for(hours{1});
    EXPECT_EQ(scene.relay->check(0, 0), std::nullopt);
    const std::size_t before = accepted(*scene.relay);
    for (int i = 1000; i < 1010; ++i)
        scene.relay->inject(0, {mailbox(i, "good.example")}, 6000);
    scene.world.run_for(seconds{2});
    EXPECT_EQ(accepted(*scene.relay), before + 10);
    scene.heal();
    EXPECT_TRUE(scene.world.run_until([&] { return scene.relay->waiting() == 0; }, hours{12}));
}

// New mail fills what it may, to the last block; in each segment one message stays. If it had taken
// the last segment too, nothing could be copied into it, no outcome noted, and it would be full for
// as long as the stragglers stay.
TEST(SpoolRelay, the_last_segment_is_left_to_compaction) {
    SimDisk disk(17);
    RelayOptions options = quick_retries();
    options.space.max_octets = 8 * kSegment;
    SpoolScene scene(disk, 17, 1, options);
    int number = 0;
    // Four blocks each, then single ones: what is left of a segment holds no message.
    for (const std::size_t octets : {std::size_t{14'000}, std::size_t{3000}, std::size_t{100}}) {
        for (const std::size_t before = refused(*scene.relay, Refusal::spool_full);
             refused(*scene.relay, Refusal::spool_full) < before + 3; ++number) {
            const char* domain = number % 2 == 0 ? "down.example" : "slow.example";
            scene.relay->inject(0, {mailbox(number, domain)}, octets);
            scene.world.run_for(milliseconds{20});
            ASSERT_LT(number, 100);
        }
    }
    EXPECT_EQ(scene.relay->check(0, 0), Refusal::spool_full);
    scene.world.run_for(hours{1});  // slow.example has taken its mail
    EXPECT_EQ(scene.relay->check(0, 0), std::nullopt) << "nothing could make room";
    const std::size_t before = accepted(*scene.relay);
    scene.relay->inject(0, {mailbox(1000, "good.example")}, 6000);
    scene.world.run_for(seconds{2});
    EXPECT_EQ(accepted(*scene.relay), before + 1);
    EXPECT_GT(scene.relay->spool(0).stats().moved, 0U);
    // Every outcome was noted: nobody gets it a second time after a kill.
    const SpoolState state = read_spool(*disk.after_kill(1));
    for (const auto& [recipient, one] : state.recipients)
        EXPECT_TRUE(recipient.ends_with("@down.example")) << recipient;
    scene.heal();
    EXPECT_TRUE(scene.world.run_until([&] { return scene.relay->waiting() == 0; }, hours{12}));
}

// Small messages that came one by one take a block each; copied forward they must share blocks, or
// what was copied is slack again, for ever.
TEST(SpoolRelay, compaction_comes_to_an_end) {
    SimDisk disk(16);
    SpoolScene scene(disk, 16, 1, quick_retries());
    for (int i = 0; i < 200; ++i) {
        scene.relay->inject(0, {mailbox(i, "down.example")}, 300);
        scene.world.run_for(milliseconds{30});
    }
    const std::uint64_t live = scene.relay->spool(0).journals().front()->store().live_octets();
    scene.world.run_for(seconds{100});  // all deferred by now, and quiet
    const std::uint64_t moved = scene.relay->spool(0).stats().moved;
    const std::uint64_t batches = scene.relay->spool(0).stats().batches;
    EXPECT_GT(moved, 0U);
    EXPECT_LT(moved, 4 * live);
    EXPECT_LT(batches, 1000U);
    scene.world.run_for(seconds{30});
    EXPECT_EQ(scene.relay->spool(0).stats().moved, moved);
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));
    expect_clean(scene);
}

TEST(SpoolRelay, disk_use_follows_the_live_mail) {
    SimDisk disk(8);
    SpoolScene scene(disk, 8, 1, quick_retries());
    std::uint64_t worst = 0;
    for (int i = 0; i < 1500; ++i) {
        const char* domain = i % 40 == 0 ? "down.example" : "good.example";
        scene.relay->inject(0, {mailbox(i, domain)}, 4000);
        scene.world.run_for(milliseconds{30});
        std::uint64_t live = 0;
        for (const auto& journal : scene.relay->spool(0).journals())
            live += journal->store().live_octets();
        // Twice the live mail and two segments, the active one, the spares, one that is being made,
        // and what is being moved, which is there twice.
        const std::uint64_t bound = relay::Journal::kSlack * live + 8 * kSegment;
        if (disk.used() > bound) worst = std::max(worst, disk.used() - bound);
    }
    EXPECT_EQ(worst, 0U) << "octets above the bound";
    EXPECT_GT(scene.relay->spool(0).stats().moved, 0U);
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));
    scene.world.run_for(seconds{5});
    EXPECT_LE(disk.used(), 6 * kSegment);
    expect_clean(scene);
}

}  // namespace
}  // namespace sim
