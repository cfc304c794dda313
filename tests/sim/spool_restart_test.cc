// What an orderly restart must not change: who has the mail already, and how often the others were
// tried.
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

}  // namespace
}  // namespace sim
