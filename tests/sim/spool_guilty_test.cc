// A message that kills the process whenever it is sent (docs/decisions/0022): its process dies at
// start after start, until the message is found out and set aside; other mail goes all the time. A
// death is a kill of the relay at the moment at which the server hears of a mailbox "guilty…".
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_spool.h"
#include "tests/sim/spool_scene.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kGuilty = "guilty@good.example";

class Lives {
  public:
    explicit Lives(std::uint64_t seed)
        : seed_(seed), disk_(std::make_unique<SimDisk>(seed)), table_(relay::InHandTable::kWords) {}

    struct Life {
        bool died = false;
        core::Duration length{};
    };

    // One life: what happens in it is up to `act`, which ends when it wants or when the relay is
    // dead. kill: it is killed at the end, too.
    template <typename Act>
    Life live(Act act, bool kill = false) {
        std::unique_ptr<SimDisk> left;
        std::vector<std::uint64_t> table;
        Life life;
        {
            RelayOptions options = quick_retries();
            options.in_hand = table_;
            ++count_;
            SpoolScene scene(*disk_, seed_ * 1000 + count_, 1 + count_ % 3, options, elapsed_);
            dead_ = false;
            for (auto& server : scene.servers)
                server->options().script = [this](const Moment& moment) { return serve(moment); };
            act(scene);
            life = {.died = dead_, .length = scene.world.elapsed()};
            if (dead_ || kill) {
                left = disk_->after_kill(seed_ + count_);
                table = table_;
            }
            for (const auto& server : scene.servers) {
                for (const Taken& one : server->ledger())
                    ++delivered_[one.recipient];
            }
            elapsed_ += life.length + seconds{5};
        }
        if (left != nullptr) {
            ended_ = std::move(disk_);
            disk_ = std::move(left);
            table_ = std::move(table);
        }
        return life;
    }

    // Lives until one lasts so long; how many died before.
    std::size_t live_until_one_lasts(core::Duration length, std::size_t most) {
        for (std::size_t deaths = 0; deaths < most; ++deaths) {
            const Life life = live([&](SpoolScene& scene) { run(scene, length); }, true);
            lengths.push_back(life.length);
            if (!life.died) return deaths;
        }
        return most;
    }

    // Until it is dead, at most so long.
    void run(SpoolScene& scene, core::Duration length) {
        scene.world.run_until([this] { return dead_; }, length);
    }

    bool set_aside(const std::string& id) const {
        return std::ranges::count(disk_->files(), "spool/set-aside/" + id) == 1;
    }
    std::size_t set_aside() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            disk_->files(),
            [](const std::string& file) { return file.starts_with("spool/set-aside/"); }));
    }
    std::size_t delivered(const std::string& recipient) { return delivered_[recipient]; }
    bool dead() const { return dead_; }
    SimDisk& disk() { return *disk_; }

    std::set<std::string> deadly{kGuilty};
    core::Duration slowness{};  // of every server, before it answers a content
    std::vector<core::Duration> lengths;

  private:
    Verdict serve(const Moment& moment) {
        if (moment.stage == Stage::rcpt && deadly.contains(std::string(moment.argument))) {
            dead_ = true;
        }
        if (dead_) return {.ending = Verdict::Ending::stall};
        if (moment.stage == Stage::content) return {.delay = slowness};
        return {};
    }

    std::uint64_t seed_;
    std::uint64_t count_ = 0;
    bool dead_ = false;
    core::Duration elapsed_{};
    std::unique_ptr<SimDisk> disk_;
    std::unique_ptr<SimDisk> ended_;
    std::vector<std::uint64_t> table_;
    std::map<std::string, std::size_t> delivered_;
};

TEST(GuiltyMail, is_set_aside_and_goes_when_it_is_released) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        Lives lives(seed);
        std::string id;
        lives.live([&](SpoolScene& scene) {
            for (int i = 0; i < 10; ++i)
                scene.relay->inject(0, {mailbox(i, "down.example")});
            scene.world.run_for(seconds{1});
            scene.relay->inject(0, {kGuilty, "guilty@down.example"});
            lives.run(scene, seconds{10});
            id = scene.relay->promises().at(kGuilty).id;
        });
        ASSERT_TRUE(lives.dead());
        const std::size_t deaths = lives.live_until_one_lasts(minutes{10}, 12);
        // The first one was early too; then two more, and two on trial after a minute each.
        EXPECT_EQ(deaths, 4U) << "seed " << seed;
        EXPECT_TRUE(lives.set_aside(id)) << "seed " << seed;
        EXPECT_EQ(lives.delivered(kGuilty), 0U);
        for (std::size_t i = 0; i < deaths; ++i)
            EXPECT_EQ(lives.lengths[i] >= minutes{1}, i >= 2) << i;

        // It stays, life after life, and with it what went to others of its recipients.
        lives.live([&](SpoolScene& scene) {
            scene.heal();
            lives.run(scene, hours{1});
            EXPECT_EQ(scene.relay->waiting(), 1U);
            std::int64_t held = 0;
            for (std::size_t shard = 0; shard < scene.world.shards(); ++shard)
                held += scene.relay->metrics(shard).spool().set_aside.value();
            EXPECT_EQ(held, 1);
        });
        EXPECT_FALSE(lives.dead());
        for (int i = 0; i < 10; ++i)
            EXPECT_EQ(lives.delivered(mailbox(i, "down.example")), 1U) << i;
        EXPECT_EQ(lives.delivered("guilty@down.example"), 0U);

        // Somebody mended what it died of, and lets it go: no restart is needed.
        lives.deadly.clear();
        lives.live([&](SpoolScene& scene) {
            scene.heal();
            lives.run(scene, minutes{5});
            EXPECT_EQ(scene.relay->waiting(), 1U);
            lives.disk().drop_file("spool/set-aside/" + id);
            lives.run(scene, minutes{1});
            EXPECT_EQ(scene.relay->waiting(), 0U);
        });
        EXPECT_EQ(lives.delivered(kGuilty), 1U);
        EXPECT_EQ(lives.delivered("guilty@down.example"), 1U);
        EXPECT_TRUE(read_spool(lives.disk()).recipients.empty());
    }
}

// Mail that comes in between is delivered within seconds, in every life that lasts so long.
TEST(GuiltyMail, other_mail_goes_meanwhile) {
    Lives lives(11);
    lives.live([&](SpoolScene& scene) {
        scene.relay->inject(0, {kGuilty});
        lives.run(scene, seconds{10});
    });
    int number = 0;
    for (int life = 0; life < 6; ++life) {
        lives.live(
            [&](SpoolScene& scene) {
                lives.run(scene, seconds{20});
                if (lives.dead()) return;
                for (int i = 0; i < 5; ++i)
                    scene.relay->inject(0, {mailbox(number++, "good.example")});
                lives.run(scene, seconds{5});
                for (int i = 1; i <= 5; ++i)
                    EXPECT_FALSE(
                        scene.relay->events_of(mailbox(number - i, "good.example")).empty());
                lives.run(scene, minutes{5});
            },
            true);
    }
    EXPECT_EQ(number, 20);
    for (int i = 0; i < number; ++i)
        EXPECT_EQ(lives.delivered(mailbox(i, "good.example")), 1U) << i;
    EXPECT_EQ(lives.set_aside(), 1U);
}

TEST(GuiltyMail, several_are_found_out_one_after_the_other) {
    for (std::uint64_t seed = 21; seed <= 22; ++seed) {
        Lives lives(seed);
        lives.deadly = {kGuilty, "guilty@slow.example", "guilty2@good.example"};
        lives.live([&](SpoolScene& scene) {
            for (int i = 0; i < 20; ++i)
                scene.relay->inject(0, {mailbox(i, "down.example")});
            scene.world.run_for(seconds{1});
            for (const std::string& one : lives.deadly)
                scene.relay->inject(0, {one});
            lives.run(scene, seconds{10});
        });
        lives.live_until_one_lasts(hours{1}, 60);
        EXPECT_EQ(lives.set_aside(), 3U) << "seed " << seed << ", lives " << lives.lengths.size();
        lives.live([&](SpoolScene& scene) {
            scene.heal();
            lives.run(scene, hours{1});
            EXPECT_EQ(scene.relay->waiting(), 3U);
        });
        for (int i = 0; i < 20; ++i)
            EXPECT_EQ(lives.delivered(mailbox(i, "down.example")), 1U) << i;
    }
}

// Kills in a row under load, with the same mail in hand at a slow server at every one of them.
TEST(InnocentMail, is_never_set_aside_by_kills) {
    for (std::uint64_t seed = 31; seed <= 33; ++seed) {
        Lives lives(seed);
        lives.deadly.clear();
        lives.slowness = minutes{2};
        core::Prng prng{seed};
        int number = 0;
        for (int kill = 0; kill < 60; ++kill) {
            lives.live(
                [&](SpoolScene& scene) {
                    for (int i = 0; i < 4; ++i)
                        scene.relay->inject(0, {mailbox(number++, "good.example")});
                    scene.world.run_for(milliseconds{1000 + prng.below(3000)});
                },
                true);
            ASSERT_EQ(lives.set_aside(), 0U) << kill;
        }
        lives.slowness = {};
        std::size_t held = 0;
        lives.live([&](SpoolScene& scene) {
            scene.world.run_for(seconds{10});
            for (std::size_t shard = 0; shard < scene.world.shards(); ++shard) {
                held +=
                    static_cast<std::size_t>(scene.relay->metrics(shard).spool().suspects.value());
            }
            scene.relay->inject(0, {mailbox(10'000, "good.example")});
            scene.world.run_for(seconds{10});
            EXPECT_FALSE(scene.relay->events_of(mailbox(10'000, "good.example")).empty());
            EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
        });
        EXPECT_GT(held, 0U) << "nothing was suspected: this proves nothing";
        for (int i = 0; i < number; ++i)
            EXPECT_GE(lives.delivered(mailbox(i, "good.example")), 1U) << i;
        EXPECT_EQ(lives.set_aside(), 0U);
    }
}

// Innocent, but in hand whenever the process was killed: it waits a minute once, and never again.
TEST(InnocentMail, is_acquitted_when_its_trial_ends) {
    Lives lives(41);
    lives.deadly.clear();
    lives.slowness = minutes{2};
    const auto killed_young = [&](SpoolScene& scene) { scene.world.run_for(seconds{50}); };
    lives.live(
        [&](SpoolScene& scene) {
            scene.relay->inject(0, {mailbox(1, "good.example")});
            scene.relay->inject(0, {mailbox(2, "good.example")});
            killed_young(scene);
        },
        true);
    lives.live(killed_young, true);
    lives.live(killed_young, true);
    lives.slowness = {};
    const auto suspects = [](SpoolScene& scene) {
        std::int64_t found = 0;
        for (std::size_t shard = 0; shard < scene.world.shards(); ++shard)
            found += scene.relay->metrics(shard).spool().suspects.value();
        return found;
    };
    lives.live(
        [&](SpoolScene& scene) {
            scene.world.run_for(seconds{50});
            EXPECT_EQ(suspects(scene), 2) << "they are held back for a minute";
            // The other one is deferred by its trial, and waits for its time.
            for (auto& server : scene.servers) {
                server->options().script = [](const Moment& moment) {
                    const bool deferred = moment.stage == Stage::rcpt &&
                                          moment.argument == mailbox(1, "good.example");
                    return deferred ? Verdict{.reply = "451 4.7.1 later"} : Verdict{};
                };
            }
            scene.world.run_for(seconds{50});
            EXPECT_EQ(scene.relay->waiting(), 1U);
        },
        true);
    EXPECT_GE(lives.delivered(mailbox(2, "good.example")), 1U);
    lives.live([&](SpoolScene& scene) {
        scene.world.run_for(seconds{5});
        EXPECT_EQ(suspects(scene), 0);
        EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
    });
    EXPECT_GE(lives.delivered(mailbox(1, "good.example")), 1U);
}

// A person may hold a message back by making the file.
TEST(GuiltyMail, a_file_of_its_name_holds_a_message_back) {
    Lives lives(51);
    lives.deadly.clear();
    std::string id;
    lives.live([&](SpoolScene& scene) {
        scene.relay->inject(0, {mailbox(1, "down.example")});
        scene.relay->inject(0, {mailbox(2, "down.example")});
        scene.world.run_for(seconds{5});
        id = scene.relay->promises().at(mailbox(1, "down.example")).id;
    });
    ASSERT_TRUE(lives.disk().make_directory("spool/set-aside").has_value());
    lives.disk().put_file("spool/set-aside/" + id, "");
    lives.disk().put_file("spool/set-aside/README", "nobody's");
    lives.live([&](SpoolScene& scene) {
        scene.heal();
        scene.world.run_for(hours{2});
        EXPECT_EQ(scene.relay->waiting(), 1U);
        lives.disk().drop_file("spool/set-aside/" + id);
        EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
    });
    EXPECT_EQ(lives.delivered(mailbox(1, "down.example")), 1U);
}

// The file that says so cannot be made: the message is held back all the same, and the next start
// makes it.
TEST(GuiltyMail, a_judgement_that_cannot_be_written_down_holds) {
    Lives lives(61);
    std::string id;
    lives.live([&](SpoolScene& scene) {
        scene.relay->inject(0, {kGuilty});
        lives.run(scene, seconds{10});
        id = scene.relay->promises().at(kGuilty).id;
    });
    for (int life = 0; life < 4; ++life)
        lives.live([&](SpoolScene& scene) { lives.run(scene, minutes{10}); }, true);
    ASSERT_EQ(lives.set_aside(), 0U);
    lives.disk().set_faults([](const DiskRequest& request) {
        const bool aside = request.path.contains("set-aside");
        return DiskVerdict{.error = aside && request.action == DiskAction::create ? ENOSPC : 0};
    });
    lives.live([&](SpoolScene& scene) {
        lives.run(scene, minutes{10});
        EXPECT_EQ(scene.relay->waiting(), 1U);
    });
    EXPECT_FALSE(lives.dead());
    EXPECT_EQ(lives.set_aside(), 0U);
    lives.disk().set_faults({});
    lives.live([&](SpoolScene& scene) { lives.run(scene, minutes{10}); });
    EXPECT_FALSE(lives.dead());
    EXPECT_TRUE(lives.set_aside(id));
}

}  // namespace
}  // namespace sim
