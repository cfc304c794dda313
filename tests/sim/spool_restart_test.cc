// What an orderly restart must not change: who has the mail already, and how often the others were
// tried. And what is promised when a write fails: nothing.
#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/spool_scene.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

TEST(SpoolRestart, what_is_final_stays_final) {
    SimDisk disk(3);
    {
        SpoolScene scene(disk, 1, 1, quick_retries());
        for (int i = 0; i < 5; ++i)
            scene.relay->inject(0, {mailbox(i, "good.example"), mailbox(i, "down.example")});
        scene.relay->inject(0, {"no1@good.example"});
        scene.world.run_for(minutes{1});
        EXPECT_EQ(scene.taken(), 5U);
    }
    SpoolScene scene(disk, 2, 1, quick_retries(), hours{1});
    scene.world.run_for(minutes{30});
    EXPECT_EQ(scene.relay->recovered().recipients, 5U);  // those of the site that is down
    EXPECT_EQ(scene.taken(), 0U);
    EXPECT_TRUE(scene.relay->events_of("no1@good.example").empty());
}

TEST(SpoolRestart, attempts_go_on_counting) {
    SimDisk disk(4);
    {
        SpoolScene scene(disk, 1, 1, quick_retries());
        scene.relay->inject(0, {mailbox(1, "down.example")});
        scene.world.run_for(minutes{5});  // at once, and after three minutes
        EXPECT_EQ(scene.relay->events_of(mailbox(1, "down.example")).back().attempts, 2U);
    }
    SpoolScene scene(disk, 2, 1, quick_retries(), hours{1});
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{2}));
    const Recorded last = scene.relay->events_of(mailbox(1, "down.example")).back();
    EXPECT_EQ(last.type, "Delivery");
    EXPECT_EQ(last.attempts, 3U) << last.line;
}

// Also by a copy that compaction makes: the segments are small, and most of the mail is delivered.
TEST(SpoolRestart, tenant_campaign_and_priority_stay) {
    SimDisk disk(6);
    relay::TenantTable tenants;
    int number = 0;
    RelayOptions options = quick_retries();
    options.prepare = [&](relay::Message& message) {
        message.edit_labels() = {&tenants.intern("t" + std::to_string(number % 7)),
                                 number % 2 == 0 ? "" : "spring"};
        message.priority = static_cast<relay::Priority>(number % 3);
        ++number;
    };
    {
        SpoolScene scene(disk, 1, 1, options);
        for (int i = 0; i < 300; ++i) {
            scene.relay->inject(0, {mailbox(i, i < 30 ? "down.example" : "good.example")});
            scene.world.run_for(std::chrono::milliseconds{20});
        }
        scene.world.run_for(minutes{20});
    }
    const SpoolState state = read_spool(disk, {.shards = 1});
    ASSERT_EQ(state.recipients.size(), 30U);
    for (int i = 0; i < 30; ++i) {
        const SpooledRecipient& one = state.recipients.find(mailbox(i, "down.example"))->second;
        EXPECT_EQ(one.tenant, "t" + std::to_string(i % 7));
        EXPECT_EQ(one.campaign, i % 2 == 0 ? "" : "spring");
        EXPECT_EQ(one.priority, static_cast<relay::Priority>(i % 3));
    }
}

// 250 means on disk: the messages of a batch that could not be written are refused, each of them,
// though the same relay goes on to deliver what it accepted before.
TEST(SpoolRestart, messages_of_a_failed_write_are_refused) {
    SimDisk disk(5);
    bool fail_next = false;
    disk.set_faults([&](const DiskRequest& request) {
        const bool batch =
            request.action == DiskAction::write && request.synced && request.path.ends_with(".seg");
        if (!batch || !fail_next) return DiskVerdict{};
        fail_next = false;
        return DiskVerdict{.error = EIO};
    });
    SpoolScene scene(disk, 1, 1, quick_retries());
    scene.relay->inject(0, {mailbox(1, "good.example")});
    scene.world.run_for(minutes{1});
    fail_next = true;
    for (int i = 2; i <= 4; ++i)
        scene.relay->inject(0, {mailbox(i, "good.example")});
    scene.world.run_for(minutes{1});
    ASSERT_FALSE(fail_next) << "nothing was written";
    EXPECT_TRUE(scene.relay->promises().at(mailbox(1, "good.example")).accepted);
    for (int i = 2; i <= 4; ++i) {
        const Promise& promise = scene.relay->promises().at(mailbox(i, "good.example"));
        EXPECT_FALSE(promise.accepted) << i;
        EXPECT_EQ(promise.refused, relay::Refusal::spool_failed) << i;
    }
    EXPECT_EQ(scene.taken(), 1U);
    // The disk works again, but what it holds is not known: only a restart ends that.
    scene.relay->inject(0, {mailbox(5, "good.example")});
    scene.world.run_for(minutes{1});
    EXPECT_EQ(scene.relay->promises().at(mailbox(5, "good.example")).refused,
              relay::Refusal::spool_failed);
}

// Recovery lets others run while it reads: no step of it looks at more than a megabyte of contents,
// at more than kPiecesATurn records, or takes more than kRecordsATurn of them.
TEST(SpoolRestart, a_segment_is_scanned_in_steps) {
    SimDisk disk(6);
    RelayOptions options = quick_retries();
    options.segment_size = 16 << 20;
    constexpr std::size_t kSmall = 6000;  // messages
    {
        SpoolScene scene(disk, 1, 1, options);
        scene.relay->inject(0, {mailbox(1, "down.example")}, 4 << 20);
        for (std::size_t i = 0; i < kSmall; ++i)
            scene.relay->inject(0, {"v" + std::to_string(i) + "@down.example"}, 100);
        scene.world.run_for(minutes{1});
        ASSERT_EQ(accepted(*scene.relay), kSmall + 1);
    }
    SpoolScene scene(disk, 2, 1, options, hours{1});
    const auto turns = [&scene] { return scene.world.shard().reactor().stats().turns; };
    ASSERT_TRUE(scene.world.run_until([&] { return scene.relay->recovery_over(); }));
    EXPECT_EQ(scene.relay->recovered().messages, kSmall + 1);
    const std::uint64_t by_octets = (4 << 20) / relay::Recovery::kScanStep;
    const std::uint64_t by_records = kSmall / relay::Recovery::kPiecesATurn;
    EXPECT_GE(scene.relay->recovered().steps, by_octets + by_records);
    EXPECT_GE(turns(), by_octets + by_records + kSmall / relay::Recovery::kRecordsATurn);
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{2}));
}

}  // namespace
}  // namespace sim
