// A relay with a spool over time: notifications, outcomes, failing disks, slow ones, and what
// becomes of schedules over a restart. Memory and space: spool_space_test.cc.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/slices.h"
#include "tests/sim/sim_spool.h"
#include "tests/sim/spool_scene.h"

namespace sim {
namespace {

using relay::Refusal;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kSegment = SpoolScene::kSegment;

// ---- notifications

// A failure that the sender is to be told of: at every crash the mail is still there to be tried
// again, or the notification is.
TEST(SpoolRelay, no_crash_loses_a_notification) {
    const Unwatched unwatched;
    SimDisk disk(1);
    std::size_t points = 0;
    bool sent = false;
    {
        RelayOptions options;
        options.prepare = [](relay::Message& message) {
            message.bounces = relay::BouncePolicy::mail;
        };
        SpoolScene scene(disk, 1, 1, std::move(options));
        disk.set_listener([&](const DiskEvent& event) {
            if (event.phase == DiskEvent::Phase::started) return;
            if (!scene.relay->promises().at("no1@good.example").accepted) return;
            const auto told = scene.relay->events_of("news@sender.example");
            sent |= std::ranges::any_of(told, [](const auto& one) { return one.type == "Bounce"; });
            if (sent) return;
            for (std::uint64_t draw = 0; draw < 4; ++draw) {
                const auto left = disk.after_power_loss(++points);
                const SpoolState state =
                    read_spool(*left, {.shards = 1, .segment_size = SpoolScene::kSegment});
                EXPECT_TRUE(state.recipients.contains("no1@good.example") ||
                            state.recipients.contains("news@sender.example"))
                    << "crash " << points;
            }
        });
        scene.relay->inject(0, {"no1@good.example", "no2@good.example"});
        scene.world.run_for(minutes{1});
        EXPECT_TRUE(sent);  // and refused: there is no sender.example
        disk.set_listener({});
    }
    EXPECT_GT(points, 8U);
}

// Bug: it was dropped with a warning, and the failure that it told of was recorded.
TEST(SpoolRelay, a_notification_waits_for_room_in_a_full_spool) {
    SimDisk disk(5);
    RelayOptions options = quick_retries();
    options.prepare = [](relay::Message& message) { message.bounces = relay::BouncePolicy::mail; };
    disk.set_capacity(12 * SpoolScene::kSegment);
    SpoolScene scene(disk, 5, 1, std::move(options));
    scene.zone.add_mx("sender.example", 10, "mx.good.example");
    scene.zone.fail("good.example", dns::RecordType::mx, dns::DnsStatus::servfail);
    scene.relay->inject(0, {"no1@good.example"});
    for (int i = 0; scene.relay->check(0, 0) == std::nullopt && i < 200; ++i) {
        scene.relay->inject(0, {mailbox(i, "down.example")}, 6000);
        scene.world.run_for(milliseconds{50});
    }
    ASSERT_EQ(scene.relay->check(0, 0), Refusal::spool_full);
    scene.zone.heal("good.example", dns::RecordType::mx);
    scene.world.run_for(minutes{5});  // it has been refused by now
    EXPECT_EQ(scene.taken(), 0U);
    EXPECT_TRUE(read_spool(*disk.after_power_loss(5)).recipients.contains("no1@good.example"));
    disk.set_capacity(200 * SpoolScene::kSegment);
    scene.world.run_for(minutes{1});
    ASSERT_EQ(scene.taken(), 1U);
    EXPECT_EQ(scene.servers[0]->ledger()[0].recipient, "news@sender.example");
    EXPECT_FALSE(read_spool(*disk.after_power_loss(5)).recipients.contains("no1@good.example"));
}

TEST(SpoolRelay, a_notification_quotes_a_content_that_left_memory) {
    SimDisk disk(1);
    RelayOptions options;
    options.intervals = {hours{1}};
    options.max_age = hours{3};
    options.memory_limit = 100'000;
    options.prepare = [](relay::Message& message) { message.bounces = relay::BouncePolicy::mail; };
    SpoolScene scene(disk, 1, 1, std::move(options));
    scene.zone.add_mx("sender.example", 10, "mx.good.example");
    for (int i = 0; i < 40; ++i) {
        scene.relay->inject(0, {mailbox(i, "down.example")}, 6000);
        scene.world.run_for(milliseconds{20});
    }
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    std::size_t quoted = 0;
    for (const Taken& taken : scene.servers[0]->ledger())
        quoted += taken.content.contains("\r\nSubject: ") ? 1U : 0U;
    EXPECT_EQ(scene.taken(), 40U);
    EXPECT_EQ(quoted, 40U);
}

// ---- outcomes

// They come while the disk is slow; no batch is larger for it.
TEST(SpoolRelay, more_outcomes_than_a_batch_takes) {
    SimDisk disk(1);
    SpoolScene scene(disk, 1, 1, quick_retries());
    for (int i = 0; i < 400; ++i) {
        scene.relay->inject(0, {mailbox(i, "slow.example")}, 100);
        if (i % 20 == 0) scene.world.run_for(milliseconds{5});
    }
    scene.world.run_for(seconds{30});  // all are deferred once
    std::uint64_t largest = 0;
    disk.set_listener([&](const DiskEvent& event) {
        if (event.action != DiskAction::write || !event.synced || event.offset == 0) return;
        if (event.path.ends_with(".chain")) return;
        largest = std::max(largest, event.octets);
    });
    disk.set_pace({.least = seconds{2}, .most = seconds{3}});
    scene.world.run_for(minutes{6});  // and once more
    EXPECT_GT(largest, kSegment / 8);
    EXPECT_LE(largest, kSegment / 4 + 4096);
    const SpoolState state = read_spool(*disk.after_power_loss(1), {.shards = 1});
    EXPECT_EQ(state.recipients.size(), 400U);
    for (const auto& [address, one] : state.recipients)
        EXPECT_EQ(one.attempts, 2U) << address;
    disk.set_listener({});
    disk.set_pace({});
}

// ---- a message for many

// M7: it is numbered, encoded, told to the event log and sent on its way some recipients at a time.
TEST(SpoolRelay, a_message_for_many_takes_many_steps) {
    constexpr int kMany = 6'000;
    SimDisk disk(1);
    SpoolScene scene(disk, 1, 1, quick_retries());
    const auto turns = [&] { return scene.world.shard().reactor().stats().turns; };
    std::vector<std::string> all;
    for (int i = 0; i < kMany; ++i)
        all.push_back(mailbox(i, "down.example"));
    const std::uint64_t before = turns();
    scene.relay->inject(0, all, 500);
    EXPECT_TRUE(scene.world.run_until([&] { return accepted(*scene.relay) == kMany; }, minutes{1}));
    EXPECT_GE(turns() - before, 3 * kMany / core::kSlice);
    const SpoolState state = read_spool(*disk.after_power_loss(1), {.shards = 1});
    EXPECT_EQ(state.recipients.size(), static_cast<std::size_t>(kMany));
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{2}));
    EXPECT_EQ(scene.taken(), static_cast<std::size_t>(kMany));
}

// And it is freed, too, when there is no room for it.
TEST(SpoolRelay, a_message_for_many_that_is_refused_goes_in_many_steps) {
    constexpr int kMany = 6'000;
    SimDisk disk(1);
    RelayOptions options = quick_retries();
    options.space.max_octets = 4 * kSegment;  // its record takes 217,000 octets
    options.space.most_wanted = 2 * kSegment;
    SpoolScene scene(disk, 1, 1, options);
    std::vector<std::string> all;
    for (int i = 0; i < kMany; ++i)
        all.push_back(mailbox(i, "down.example"));
    scene.relay->inject(0, all, 500);
    const auto turns = [&] { return scene.world.shard().reactor().stats().turns; };
    const auto refused_all = [&] {
        return refused(*scene.relay, Refusal::spool_full) == static_cast<std::size_t>(kMany);
    };
    EXPECT_TRUE(scene.world.run_until(refused_all, minutes{1}));
    const std::uint64_t before = turns();
    scene.world.run_for(milliseconds{1});
    EXPECT_GE(turns() - before, kMany / core::kSlice / 2);
}

// ---- failures

struct Failure {
    const char* name;
    DiskAction action;
    bool synced;
};

class SpoolFailure : public ::testing::TestWithParam<Failure> {};

TEST_P(SpoolFailure, stops_acceptance_and_loses_nothing) {
    for (std::uint64_t when = 1; when <= 12; ++when) {
        SimDisk disk(when);
        std::uint64_t count = 0;
        bool armed = false;
        bool failed = false;
        disk.set_faults([&](const DiskRequest& request) {
            const Failure& failure = GetParam();
            if (!armed || request.action != failure.action || request.synced != failure.synced) {
                return DiskVerdict{};
            }
            if (++count < when) return DiskVerdict{};
            failed = true;
            return DiskVerdict{.error = EIO};  // from then on
        });
        SpoolScene scene(disk, when, 2, quick_retries());
        for (int i = 0; i < 120; ++i) {
            if (i == 30) armed = true;
            const char* domain = i % 3 == 0 ? "down.example" : "good.example";
            scene.relay->inject(static_cast<std::size_t>(i) % 2, {mailbox(i, domain)}, 5000);
            scene.world.run_for(milliseconds{10});
        }
        scene.world.run_for(minutes{1});
        ASSERT_TRUE(failed) << "the fault never came";
        EXPECT_TRUE(scene.relay->space().failed());
        EXPECT_NE(scene.relay->space().failure().find("Input/output error"), std::string::npos)
            << scene.relay->space().failure();
        EXPECT_EQ(scene.relay->check(0, 0), Refusal::spool_failed);
        EXPECT_EQ(scene.relay->check(1, 0), Refusal::spool_failed);
        EXPECT_GE(accepted(*scene.relay), 30U);
        EXPECT_GT(refused(*scene.relay, Refusal::spool_failed), 0U);
        armed = false;  // the disk is well again: acceptance needs a restart all the same
        const std::size_t before = accepted(*scene.relay);
        scene.relay->inject(0, {mailbox(1000, "good.example")}, 500);
        scene.world.run_for(minutes{1});
        EXPECT_EQ(accepted(*scene.relay), before);
        // Delivery goes on from memory, and what was promised is on the disk.
        scene.heal();
        scene.world.run_for(hours{1});
        EXPECT_EQ(scene.relay->waiting(), 0U);
        for (std::uint64_t seed = 0; seed < 4; ++seed)
            expect_kept(*scene.relay, read_spool(*disk.after_power_loss(seed)));
    }
}

INSTANTIATE_TEST_SUITE_P(kinds, SpoolFailure,
                         ::testing::Values(Failure{"of_a_batch", DiskAction::write, true},
                                           Failure{"of_filling_a_spare", DiskAction::write, false},
                                           Failure{"of_a_sync", DiskAction::sync, false},
                                           Failure{"of_a_rename", DiskAction::rename, false}),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

TEST(SpoolRelay, a_slow_disk_makes_larger_batches_and_no_errors) {
    SimDisk disk(9);
    disk.set_pace({.least = milliseconds{200}, .most = seconds{2}});
    RelayOptions options = quick_retries();
    options.segment_size = 1 << 20;
    SpoolScene scene(disk, 9, 1, options);
    for (int i = 0; i < 400; ++i) {
        scene.relay->inject(0, {mailbox(i, "good.example")}, 1000);
        scene.world.run_for(milliseconds{10});
    }
    EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
    expect_clean(scene);
    EXPECT_EQ(accepted(*scene.relay), 400U);
    EXPECT_LT(scene.relay->spool(0).stats().batches, 60U);
}

TEST(SpoolRelay, a_lone_message_waits_for_one_synced_write) {
    SimDisk disk(10);
    disk.set_pace({.least = milliseconds{10}, .most = milliseconds{10}});
    RelayOptions options = quick_retries();
    options.segment_size = 1 << 20;  // one that lasts
    SpoolScene scene(disk, 10, 1, options);
    scene.relay->inject(0, {mailbox(1, "good.example")}, 1000);  // makes the first segment
    scene.world.run_for(seconds{2});
    for (int i = 2; i < 12; ++i) {
        const core::Instant begun = scene.world.clock().now();
        const std::string recipient = mailbox(i, "good.example");
        scene.relay->inject(0, {recipient}, 1000);
        ASSERT_TRUE(scene.world.run_until(
            [&] { return scene.relay->promises().at(recipient).accepted; }, seconds{10}));
        EXPECT_LE(scene.world.clock().now() - begun, milliseconds{10} + microseconds{1});
        scene.world.run_for(seconds{1});
    }
}

// ---- schedules over a restart

TEST(SpoolRelay, overdue_retries_are_spread_after_a_restart) {
    SimDisk disk(11);
    std::unique_ptr<SimDisk> left;
    core::Duration elapsed{};
    std::map<std::string, std::string> contents;
    {
        SpoolScene scene(disk, 11, 2, quick_retries());
        for (int i = 0; i < 300; ++i)
            scene.relay->inject(static_cast<std::size_t>(i) % 2, {mailbox(i, "down.example")}, 400);
        scene.world.run_for(minutes{2});
        left = disk.after_power_loss(11);
        elapsed = scene.world.elapsed();
        contents = scene.relay->contents();
    }
    SpoolScene scene(*left, 12, 2, quick_retries(), elapsed + hours{10});
    for (const auto& [recipient, content] : contents)
        scene.relay->announce(recipient, content);
    scene.heal();
    ASSERT_TRUE(scene.world.run_until([&] { return scene.relay->recovery_over(); }, seconds{10}));
    EXPECT_EQ(scene.relay->recovered().recipients, 300U);
    EXPECT_TRUE(scene.world.run_until([&] { return scene.taken() == 300; }, minutes{4}));
    std::vector<std::size_t> by_sixth(7);
    for (const SimMx* server : scene.all_servers()) {
        for (const Taken& taken : server->ledger())
            ++by_sixth.at(static_cast<std::size_t>(taken.when.time_since_epoch() / seconds{30}));
    }
    for (std::size_t i = 0; i < 6; ++i) {  // the first interval is three minutes
        EXPECT_GT(by_sixth[i], 20U) << "sixth " << i;
        EXPECT_LT(by_sixth[i], 90U) << "sixth " << i;
    }
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{5}));
    expect_clean(scene);
    for (const Recorded& one : scene.relay->events()) {
        if (one.type == "Delivery") EXPECT_EQ(one.attempts, 2U) << one.line;
    }
}

// The wall clock of the next run is a day behind, or a year ahead: mail is neither stuck nor lost.
TEST(SpoolRelay, the_clock_may_jump_between_runs) {
    for (const core::Duration jump : {core::Duration{-hours{24}}, core::Duration{hours{24 * 3}}}) {
        SimDisk disk(13);
        std::unique_ptr<SimDisk> left;
        std::map<std::string, std::string> contents;
        {
            SpoolScene scene(disk, 13, 1, quick_retries(), hours{48});
            for (int i = 0; i < 40; ++i)
                scene.relay->inject(0, {mailbox(i, "down.example")}, 400);
            scene.world.run_for(minutes{12});
            left = disk.after_power_loss(13);
            contents = scene.relay->contents();
        }
        SpoolScene scene(*left, 14, 1, quick_retries(), hours{48} + jump);
        for (const auto& [recipient, content] : contents)
            scene.relay->announce(recipient, content);
        scene.heal();
        // The longest interval of the schedule is twenty minutes: nobody waits for much longer.
        EXPECT_TRUE(scene.relay->run_until_drained(hours{1})) << jump.count();
        EXPECT_EQ(scene.taken(), 40U) << jump.count();
        expect_clean(scene);
    }
}

TEST(SpoolRelay, a_second_process_is_told_that_the_spool_is_in_use) {
    SimDisk disk(15);
    SpoolScene scene(disk, 15, 1, quick_retries());
    const auto second = relay::prepare_spool(disk, "spool");
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().find("in use by another process"), std::string::npos);
}

// What one run leaves, a run with any other number of shards finds.
TEST(SpoolRelay, the_number_of_shards_may_change_between_runs) {
    for (std::size_t before = 1; before <= 4; ++before) {
        for (std::size_t after = 1; after <= 4; ++after) {
            SimDisk disk(before * 10 + after);
            std::map<std::string, std::string> contents;
            {
                SpoolScene scene(disk, 1, before, quick_retries());
                for (int i = 0; i < 24; ++i) {
                    scene.relay->inject(static_cast<std::size_t>(i) % before,
                                        {mailbox(i, "down.example")}, 3000);
                }
                scene.world.run_for(minutes{1});
                contents = scene.relay->contents();
            }  // an orderly end: what is left stays in the spool
            SpoolScene scene(disk, 2, after, quick_retries(), hours{1});
            for (const auto& [recipient, content] : contents)
                scene.relay->announce(recipient, content);
            scene.heal();
            scene.world.run_for(seconds{1});
            EXPECT_EQ(scene.relay->recovered().recipients, 24U) << before << " to " << after;
            EXPECT_TRUE(scene.relay->run_until_drained(hours{2})) << before << " to " << after;
            EXPECT_EQ(scene.taken(), 24U);
            expect_clean(scene);
        }
    }
}

}  // namespace
}  // namespace sim
