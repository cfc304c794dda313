// What the disk and the system refuse. Want of descriptors or of memory passes, and so does the
// refusal of mail by it; a write or a sync that failed once is for good, until a restart.
#include <string>

#include <gtest/gtest.h>

#include "relay/spool/file_reserve.h"
#include "relay/spool/patient_write.h"
#include "tests/sim/sim_spool.h"
#include "tests/sim/spool_scene.h"

namespace sim {
namespace {

using relay::Refusal;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void inject_some(SpoolScene& scene, int from, int to, const std::string& domain) {
    for (int i = from; i < to; ++i) {
        scene.relay->inject(0, {mailbox(i, domain)}, 5000);
        scene.world.run_for(milliseconds{20});
    }
}

// M1: connections have taken every descriptor that there is.
TEST(SpoolErrors, works_on_when_all_descriptors_are_taken) {
    SimDisk disk(1);
    RelayOptions options = quick_retries();
    options.memory_limit = 200'000;  // so that contents are read back, too
    SpoolScene scene(disk, 1, 1, options);
    inject_some(scene, 0, 5, "down.example");
    scene.world.run_for(seconds{2});
    disk.set_most_handles(disk.open_handles());
    inject_some(scene, 5, 100, "down.example");
    EXPECT_EQ(accepted(*scene.relay), 100U);
    EXPECT_GT(scene.relay->spool(0).journals().front()->store().segments().size(), 10U);
    scene.heal();
    EXPECT_TRUE(scene.world.run_until([&] { return scene.relay->waiting() == 0; }, hours{12}));
    EXPECT_EQ(scene.taken(), 100U);
    EXPECT_FALSE(scene.relay->space().failed());
    disk.set_most_handles(~std::size_t{0});
    expect_clean(scene);
}

// There are none for a while, not even those that were kept.
TEST(SpoolErrors, refuses_mail_while_no_file_can_be_opened_and_takes_it_again) {
    for (const int error : {EMFILE, ENFILE, ENOMEM}) {
        for (int when = 1; when <= 12; ++when) {
            SimDisk disk(static_cast<std::uint64_t>(when));
            bool short_of_it = false;
            int calls = 0;
            disk.set_faults([&](const DiskRequest& request) {
                const bool fails =
                    request.action == DiskAction::open && short_of_it && ++calls >= when;
                return fails ? DiskVerdict{.error = error} : DiskVerdict{};
            });
            SpoolScene scene(disk, 1, 1, quick_retries());
            inject_some(scene, 0, 20, "down.example");
            EXPECT_EQ(accepted(*scene.relay), 20U);
            short_of_it = true;
            inject_some(scene, 20, 60, "down.example");
            EXPECT_LT(accepted(*scene.relay), 60U);
            EXPECT_EQ(scene.relay->check(0, 0), Refusal::spool_full);
            EXPECT_EQ(refused(*scene.relay, Refusal::spool_failed), 0U);
            EXPECT_EQ(scene.relay->space().shortage(),
                      "the spool cannot open a file at the moment");
            short_of_it = false;
            scene.world.run_for(seconds{3});
            EXPECT_EQ(scene.relay->check(0, 0), std::nullopt);
            const std::size_t before = accepted(*scene.relay);
            inject_some(scene, 60, 80, "good.example");
            EXPECT_EQ(accepted(*scene.relay), before + 20) << when << ' ' << error;
            EXPECT_FALSE(scene.relay->space().failed()) << scene.relay->space().failure();
            const SpoolState state = read_spool(*disk.after_power_loss(1), {.shards = 1});
            expect_kept(*scene.relay, state);
            EXPECT_EQ(state.report.damaged, 0U);
            scene.heal();
            EXPECT_TRUE(scene.relay->run_until_drained(hours{12}));
        }
    }
}

TEST(SpoolErrors, a_start_waits_for_descriptors_and_calls_nothing_damaged) {
    SimDisk disk(2);
    {
        SpoolScene scene(disk, 1, 1, quick_retries());
        inject_some(scene, 0, 30, "down.example");
    }
    int refusals = 20;
    disk.set_faults([&](const DiskRequest& request) {
        const bool fails =
            request.action == DiskAction::open && request.path.ends_with(".seg") && refusals-- > 0;
        return fails ? DiskVerdict{.error = EMFILE} : DiskVerdict{};
    });
    SpoolScene scene(disk, 2, 1, quick_retries(), hours{1});
    EXPECT_TRUE(scene.world.run_until([&] { return scene.relay->recovery_over(); }, minutes{5}));
    EXPECT_LE(refusals, 0);
    EXPECT_EQ(scene.relay->recovered().recipients, 30U);
    EXPECT_EQ(scene.relay->recovered().damaged, 0U);
}

TEST(SpoolErrors, no_memory_for_a_write_is_waited_for) {
    SimDisk disk(3);
    int refusals = 0;
    disk.set_faults([&](const DiskRequest& request) {
        const bool fails = request.action == DiskAction::write && refusals-- > 0;
        return fails ? DiskVerdict{.error = ENOMEM} : DiskVerdict{};
    });
    SpoolScene scene(disk, 1, 1, quick_retries());
    inject_some(scene, 100, 101, "good.example");  // the journal is made
    for (int round = 0; round < 20; ++round) {
        refusals = 5;
        inject_some(scene, round * 5, round * 5 + 5, "good.example");
        scene.world.run_for(seconds{2});
    }
    EXPECT_EQ(accepted(*scene.relay), 101U);
    EXPECT_FALSE(scene.relay->space().failed());
    EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
}

TEST(SpoolErrors, memory_is_not_waited_for_without_end) {
    SimDisk disk(3);
    bool none = false;
    disk.set_faults([&](const DiskRequest& request) {
        const bool fails = none && request.action == DiskAction::write;
        return fails ? DiskVerdict{.error = ENOMEM} : DiskVerdict{};
    });
    SpoolScene scene(disk, 1, 1, quick_retries());
    inject_some(scene, 0, 1, "good.example");
    none = true;
    inject_some(scene, 1, 2, "good.example");
    scene.world.run_for(relay::kMemoryPause * (relay::kMemoryTries + 5));
    EXPECT_TRUE(scene.relay->space().failed());
    EXPECT_EQ(accepted(*scene.relay), 1U);
}

// ---- one error, and then a disk that works again

struct Once {
    const char* name;
    DiskAction action;
    bool synced;
    const char* suffix;  // of the file
};

class SpoolErrorOnce : public ::testing::TestWithParam<Once> {};

// A mutant survived: a failed journal write that does not fail the spool. The disk works again, so
// only a test that goes on injecting after a single error sees it.
TEST_P(SpoolErrorOnce, fails_the_spool_until_a_restart) {
    for (int when = 1; when <= 6; ++when) {
        SimDisk disk(static_cast<std::uint64_t>(when));
        int count = 0;
        bool armed = false;
        bool hit = false;
        disk.set_faults([&](const DiskRequest& request) {
            const Once& once = GetParam();
            if (!armed || hit || request.action != once.action || request.synced != once.synced ||
                !request.path.ends_with(once.suffix) || ++count < when) {
                return DiskVerdict{};
            }
            hit = true;
            return DiskVerdict{.error = EIO};
        });
        SpoolScene scene(disk, 1, 1, quick_retries());
        inject_some(scene, 0, 20, "down.example");
        armed = true;
        int number = 20;
        for (; number < 300 && !hit; ++number) {
            scene.relay->inject(0, {mailbox(number, "good.example")}, 5000);
            scene.world.run_for(milliseconds{20});
        }
        ASSERT_TRUE(hit) << "the error never came";
        scene.world.run_for(seconds{5});
        EXPECT_TRUE(scene.relay->space().failed());
        const std::size_t before = accepted(*scene.relay);
        for (int end = number + 40; number < end; ++number) {
            EXPECT_EQ(scene.relay->check(0, 0), Refusal::spool_failed);
            scene.relay->inject(0, {mailbox(number, "good.example")}, number % 2 == 0 ? 300 : 9000);
            scene.world.run_for(seconds{number % 3});
        }
        EXPECT_EQ(accepted(*scene.relay), before);
        EXPECT_GE(refused(*scene.relay, Refusal::spool_failed), 40U);
        auto left = disk.after_power_loss(1);
        expect_kept(*scene.relay, read_spool(*left->after_kill(1), {.shards = 1}));

        SpoolScene again(*left, 2, 1, quick_retries(), hours{1});  // a restart
        for (const auto& [recipient, content] : scene.relay->contents())
            again.relay->announce(recipient, content);
        again.relay->inject(0, {mailbox(1000, "good.example")}, 500);
        again.world.run_for(seconds{1});
        EXPECT_EQ(accepted(*again.relay), 1U);
    }
}

INSTANTIATE_TEST_SUITE_P(
    kinds, SpoolErrorOnce,
    ::testing::Values(Once{"of_a_write", DiskAction::write, true, ".seg"},
                      Once{"of_a_header", DiskAction::write, true, ".free"},
                      Once{"of_a_chain", DiskAction::write, true, ".chain"},
                      Once{"of_a_fill", DiskAction::write, false, ".free"},
                      Once{"of_a_sync_of_a_file", DiskAction::sync, false, ".free"},
                      Once{"of_a_sync_of_a_directory", DiskAction::sync, false, "journal-00"}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace
}  // namespace sim
