// Relays that are killed again and again, each with another number of shards, on one disk: in the
// end everything that was accepted in any life was delivered or bounced, with its own content, and
// was delivered twice only where a life ended before the outcome was durable.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <utility>
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

// What all lives together said and did.
struct Books {
    std::map<std::string, std::string> accepted;  // content by recipient
    std::map<std::string, std::string> injected;  // the same, of all
    std::map<std::string, std::size_t> journal;   // by recipient
    std::map<std::string, std::size_t> taken;     // by the servers
    std::set<std::string> bounced;
    std::set<std::string> durable;  // final, and the outcome durable before its life ended
    std::size_t excused = 0;        // taken again, rightly
    std::vector<std::string> wrong;
};

class Lives {
  public:
    explicit Lives(std::uint64_t seed)
        : prng_(seed * 7 + 1), seed_(seed), disk_(std::make_unique<SimDisk>(seed)) {
        disk_->set_short_transfers(seed % 2 == 0);
        disk_->set_direct_allowed(seed % 3 != 0);
    }

    // One life until a moment at which it ends without a word.
    void live_and_be_killed() {
        ++life_;
        SpoolScene scene(*disk_, seed_ * 100 + life_, 1 + prng_.below(4), options(), elapsed_);
        journals_.clear();
        events_ = 0;
        disk_->set_listener([this, &scene](const DiskEvent& event) { hear(event, scene); });
        const std::uint64_t rounds = 3 + prng_.below(10);
        for (std::uint64_t round = 0; round < rounds; ++round) {
            inject(scene);
            scene.world.run_for(milliseconds{prng_.below(200'000)});
        }
        // In the middle of commits and deliveries.
        for (std::uint64_t count = prng_.below(8); count > 0; --count)
            inject(scene);
        scene.world.run_for(std::chrono::microseconds{prng_.below(80'000)});
        const bool power = prng_.below(3) != 0;
        auto left = power ? disk_->after_power_loss(prng_.next()) : disk_->after_kill(prng_.next());
        disk_->set_listener({});
        end(scene);
        elapsed_ += scene.world.elapsed() + minutes{prng_.below(40)};
        ended_ = std::move(disk_);  // the scene closes on it
        disk_ = std::move(left);
    }

    void live_to_the_end() {
        ++life_;
        {
            SpoolScene scene(*disk_, seed_ * 100 + life_, 1 + prng_.below(4), options(), elapsed_);
            journals_.clear();
            events_ = 0;
            scene.heal();
            inject(scene);
            ASSERT_TRUE(scene.world.run_until([&] { return scene.relay->recovery_over(); }));
            EXPECT_EQ(scene.relay->recovered().damaged, 0U) << "seed " << seed_;
            EXPECT_TRUE(scene.relay->run_until_drained(hours{48})) << "seed " << seed_;
            scene.world.run_for(seconds{5});
            end(scene);
        }
        EXPECT_TRUE(read_spool(*disk_, {.shards = 3}).recipients.empty()) << "seed " << seed_;
    }

    const Books& close_books() {
        for (const auto& [recipient, content] : books_.accepted) {
            const std::size_t times = books_.taken[recipient];
            if (times == 0 && !books_.bounced.contains(recipient)) {
                books_.wrong.push_back(recipient + " was accepted and is lost");
            }
        }
        return books_;
    }

  private:
    static RelayOptions options() {
        RelayOptions options;
        options.intervals = {minutes{3}, minutes{6}, minutes{20}};
        return options;
    }

    void inject(SpoolScene& scene) {
        static constexpr const char* kDomains[] = {"good.example", "good.example", "slow.example",
                                                   "down.example"};
        const std::size_t shard = prng_.below(scene.world.shards());
        std::vector<std::string> recipients;
        for (std::uint64_t count = 1 + prng_.below(4); count > 0; --count) {
            const char* start = prng_.below(8) == 0 ? "no" : "u";
            recipients.push_back(start + std::to_string(++number_) + "@" +
                                 kDomains[prng_.below(4)]);
        }
        const std::string content = SimRelay::content_of(number_, 100 + prng_.below(9000));
        for (const std::string& one : recipients) {
            books_.injected[one] = content;
            books_.journal[one] = shard;
        }
        scene.relay->inject(shard, recipients, content);
    }

    // Which outcomes are durable: those that a batch took that is complete.
    void hear(const DiskEvent& event, SpoolScene& scene) {
        if (event.action != DiskAction::write || !event.synced || event.offset == 0) return;
        if (event.path.ends_with(".chain")) return;
        const auto journal = static_cast<std::size_t>(std::stoul(event.path.substr(14, 2)));
        Journal& kept = journals_[journal];
        if (event.phase == DiskEvent::Phase::started) {
            note_finals(scene);
            kept.under_way[event.offset] = {kept.written, std::ssize(kept.finals)};
            kept.written = std::ssize(kept.finals);
        } else if (event.phase == DiskEvent::Phase::done) {
            const auto [begin, end] = kept.under_way[event.offset];
            kept.under_way.erase(event.offset);
            kept.durable.insert(kept.finals.begin() + begin, kept.finals.begin() + end);
        }
    }
    void note_finals(SpoolScene& scene) {
        const auto& events = scene.relay->events();
        for (; events_ < events.size(); ++events_) {
            const Recorded& one = events[events_];
            if (one.type == "Delivery" || one.type == "Bounce") {
                journals_[books_.journal.at(one.recipient)].finals.push_back(one.recipient);
            }
        }
    }

    void end(SpoolScene& scene) {
        note_finals(scene);
        for (const auto& [recipient, promise] : scene.relay->promises()) {
            if (promise.accepted) books_.accepted[recipient] = books_.injected.at(recipient);
        }
        for (const Recorded& one : scene.relay->events()) {
            if (one.type == "Bounce") books_.bounced.insert(one.recipient);
            if (one.type == "Expiration") books_.wrong.push_back(one.recipient + " expired");
        }
        for (const auto& server : scene.servers) {
            for (const std::string& violation : server->violations())
                books_.wrong.push_back(violation);
            for (const Taken& taken : server->ledger()) {
                const auto injected = books_.injected.find(taken.recipient);
                if (injected == books_.injected.end() || injected->second != taken.content) {
                    books_.wrong.push_back(taken.recipient + " has another content");
                }
                if (++books_.taken[taken.recipient] == 1) continue;
                ++books_.excused;
                if (books_.durable.contains(taken.recipient)) {
                    books_.wrong.push_back(taken.recipient + " was delivered again");
                }
            }
        }
        for (const auto& [number, kept] : journals_) {
            books_.durable.insert(kept.durable.begin(), kept.durable.end());
        }
    }

    struct Journal {
        std::vector<std::string> finals;
        std::ptrdiff_t written = 0;  // so many were in batches that began
        std::map<std::uint64_t, std::pair<std::ptrdiff_t, std::ptrdiff_t>> under_way;  // by offset
        std::set<std::string> durable;
    };

    core::Prng prng_;
    std::uint64_t seed_;
    std::unique_ptr<SimDisk> ended_;
    std::unique_ptr<SimDisk> disk_;
    core::Duration elapsed_{};
    std::uint64_t life_ = 0;
    std::uint64_t number_ = 0;
    std::map<std::size_t, Journal> journals_;  // of this life
    std::size_t events_ = 0;
    Books books_;
};

class SpoolLives : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SpoolLives, nothing_that_was_accepted_is_lost) {
    std::size_t accepted = 0;
    std::size_t excused = 0;
    for (std::uint64_t seed = GetParam() * 10; seed < GetParam() * 10 + 10; ++seed) {
        Lives lives(seed);
        const std::uint64_t deaths = 2 + seed % 5;
        for (std::uint64_t i = 0; i < deaths; ++i)
            lives.live_and_be_killed();
        lives.live_to_the_end();
        const Books& books = lives.close_books();
        for (const std::string& one : books.wrong)
            ADD_FAILURE() << "seed " << seed << ": " << one;
        accepted += books.accepted.size();
        excused += books.excused;
    }
    std::printf("%zu recipients accepted, %zu taken again\n", accepted, excused);
    EXPECT_GT(accepted, 500U);
    EXPECT_GT(excused, 0U);  // the crashes were where it matters
    EXPECT_LT(excused, accepted / 10);
}

// A sanitizer takes ten times as long.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t kSeeds = 2;
#else
constexpr std::uint64_t kSeeds = 6;
#endif
INSTANTIATE_TEST_SUITE_P(seeds, SpoolLives, ::testing::Range<std::uint64_t>(0, kSeeds));

}  // namespace
}  // namespace sim
