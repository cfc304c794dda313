// Loss of power, and kills, at every moment at which the disk changes: what comes back is what was
// promised. At each crash point the disk that is left is read by recovery and compared with what
// the relay had said until then:
//   - whoever was accepted and is not final is there, with its content, attempts and next attempt;
//   - outcomes count when they are in a batch that is known to be durable; of each batch under way
//     the first few may count, the same for all mail of a journal: no other outcome may be missing
//     or early (but who is final may be gone with its segment before the outcome is written);
//   - who was not accepted is there whole, or not at all; nothing counts as damaged;
//   - reading again gives the same, and so does losing power anywhere while reading.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
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

struct Told {
    std::string recipient;
    bool final = false;
    unsigned attempts = 0;
};

// Outcomes that share a batch, by their numbers.
struct Written {
    std::uint64_t offset = 0;  // of the batch in its file
    std::size_t begin = 0;
    std::size_t end = 0;
};

// What the relay has said of the mail of one journal.
struct Journaled {
    std::vector<Told> outcomes;
    std::size_t written = 0;         // so many of them were in batches that began
    std::vector<Written> under_way;  // batches that are not known to be durable

    std::size_t not_durable() const {
        std::size_t count = outcomes.size() - written;
        for (const Written& batch : under_way)
            count += batch.end - batch.begin;
        return count;
    }
};

struct Queued {
    unsigned attempts = 0;
    core::WallTime next_attempt{};
};

// All that a crash may be held to.
struct Truth {
    std::vector<Journaled> journals;
    std::map<std::string, Promise> promises;
    std::map<std::string, std::string> contents;
    std::map<std::string, Queued> queued;  // in memory
};

class Observer {
  public:
    Observer(SimDisk& disk, SpoolScene& scene) : disk_(disk), scene_(scene) {
        truth_.journals.resize(scene.world.shards());
        disk.set_listener([this](const DiskEvent& event) { hear(event); });
    }
    ~Observer() { disk_.set_listener({}); }
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

    // Called at every crash point with what is true then.
    std::function<void(const Truth&)> at_crash_point;
    std::size_t crash_points = 0;
    std::size_t most_under_way = 0;  // batches of one journal

  private:
    void hear(const DiskEvent& event) {
        using Phase = DiskEvent::Phase;
        const bool batch = event.action == DiskAction::write && event.synced && event.offset > 0 &&
                           !event.path.ends_with(".chain");
        if (batch) {
            read_outcomes();
            const std::size_t number = journal_of(event.path);
            Journaled& journal = truth_.journals.at(number);
            if (event.phase == Phase::started) {
                // Those that came in the turn in which it was composed are not in it.
                const std::size_t later = scene_.relay->spool(number).journals().front()->noted();
                const std::size_t begin =
                    std::exchange(journal.written, journal.outcomes.size() - later);
                journal.under_way.push_back({event.offset, begin, journal.written});
                most_under_way = std::max(most_under_way, journal.under_way.size());
            } else if (event.phase == Phase::done) {
                std::erase_if(journal.under_way,
                              [&](const Written& one) { return one.offset == event.offset; });
            }
        }
        if (event.phase == Phase::started) return;
        ++crash_points;
        if (!at_crash_point) return;
        read_outcomes();
        truth_.promises = scene_.relay->promises();
        truth_.contents = scene_.relay->contents();
        truth_.queued.clear();
        for (std::size_t i = 0; i < scene_.world.shards(); ++i) {
            for (const auto& journal : scene_.relay->spool(i).journals()) {
                for (const auto& segment : journal->store().segments()) {
                    segment->live.for_each([this](const relay::Message& message) {
                        for (const auto& one : message.recipients)
                            truth_.queued[std::string(one->address)] = {one->attempts,
                                                                        one->next_attempt};
                    });
                }
            }
        }
        at_crash_point(truth_);
    }

    static std::size_t journal_of(std::string_view path) {
        constexpr std::string_view kBefore = "spool/journal-";
        EXPECT_TRUE(path.starts_with(kBefore)) << path;
        return static_cast<std::size_t>(std::stoul(std::string(path.substr(kBefore.size(), 2))));
    }

    void read_outcomes() {
        const auto& events = scene_.relay->events();
        for (; seen_ < events.size(); ++seen_) {
            const Recorded& one = events[seen_];
            if (one.type == "Reception") continue;
            const std::size_t shard = scene_.relay->promises().at(one.recipient).shard;
            truth_.journals.at(shard).outcomes.push_back(
                {one.recipient, one.type != "TransientFailure", one.attempts});
        }
    }

    SimDisk& disk_;
    SpoolScene& scene_;
    Truth truth_;
    std::size_t seen_ = 0;
};

// The mail of one journal when these outcomes of it are known: attempts of who is live.
std::map<std::string, unsigned> expected(const Truth& truth, std::size_t journal,
                                         const std::vector<bool>& known) {
    std::map<std::string, unsigned> live;
    for (const auto& [recipient, promise] : truth.promises) {
        if (promise.shard == journal && promise.accepted) live[recipient] = 0;
    }
    for (std::size_t i = 0; i < known.size(); ++i) {
        const Told& told = truth.journals[journal].outcomes[i];
        if (!known[i]) continue;
        if (told.final) {
            live.erase(told.recipient);
        } else if (const auto found = live.find(told.recipient); found != live.end()) {
            found->second = told.attempts;
        }
    }
    return live;
}

// Calls try_one with every set of outcomes that a crash may leave, until it says that one fits.
template <typename TryOne>
bool any_fits(const Journaled& journal, std::vector<bool> known, std::size_t batch,
              const TryOne& try_one) {
    if (batch == journal.under_way.size()) return try_one(known);
    const Written& written = journal.under_way[batch];
    for (std::size_t i = written.begin; i <= written.end; ++i) {
        if (any_fits(journal, known, batch + 1, try_one)) return true;
        if (i < written.end) known[i] = true;
    }
    return false;
}

std::vector<bool> known_at_least(const Journaled& journal) {
    std::vector<bool> known(journal.outcomes.size(), false);
    std::fill_n(known.begin(), journal.written, true);
    for (const Written& batch : journal.under_way) {
        for (std::size_t i = batch.begin; i < batch.end; ++i)
            known[i] = false;
    }
    return known;
}

// Says what is wrong with what was recovered; empty: nothing.
std::string judge(const Truth& truth, const SpoolState& state) {
    if (!state.failure.empty()) return "the spool failed: " + state.failure;
    if (state.report.damaged > 0) return "something counts as damaged";
    std::vector<std::map<std::string, unsigned>> found(truth.journals.size());
    for (const auto& [recipient, one] : state.recipients) {
        const auto promise = truth.promises.find(recipient);
        if (promise == truth.promises.end()) return recipient + " was never injected";
        if (!one.readable) return "the content of " + recipient + " cannot be read";
        if (one.content != truth.contents.at(recipient)) return recipient + " has another content";
        if (promise->second.accepted && one.id != promise->second.id) {
            return recipient + " has another id";
        }
        if (one.sender != "news@sender.example") return recipient + " has another sender";
        if (one.attempts > 0 && one.reply.empty()) return recipient + " has no last reply";
        const auto queued = truth.queued.find(recipient);
        if (queued != truth.queued.end() && queued->second.attempts == one.attempts &&
            queued->second.next_attempt != one.next_attempt) {
            return recipient + " has another next attempt";
        }
        if (!promise->second.accepted) {
            if (one.attempts > 0) return recipient + " was not accepted and has attempts";
            continue;  // it may be there, or not
        }
        if (!found[promise->second.shard].emplace(recipient, one.attempts).second) {
            return recipient + " is there twice";
        }
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        const Journaled& journal = truth.journals[i];
        // A message that is final gives up its place, perhaps before its outcomes are written.
        const auto least_live =
            expected(truth, i, std::vector<bool>(journal.outcomes.size(), true));
        const auto known = known_at_least(journal);
        const bool fits = any_fits(journal, known, 0, [&](const std::vector<bool>& with) {
            auto live = expected(truth, i, with);
            std::erase_if(live, [&](const auto& one) {
                return !least_live.contains(one.first) && !found[i].contains(one.first);
            });
            return found[i] == live;
        });
        if (fits) continue;
        std::string text = "journal " + std::to_string(i) + " has another state (" +
                           std::to_string(journal.not_durable()) + " of " +
                           std::to_string(journal.outcomes.size()) + " outcomes not durable, " +
                           std::to_string(journal.under_way.size()) + " batches under way):";
        const auto least = expected(truth, i, known);
        for (const auto& [recipient, attempts] : least) {
            const auto there = found[i].find(recipient);
            if (there == found[i].end() && !least_live.contains(recipient)) continue;
            if (there == found[i].end()) {
                text += " lacks " + recipient;
            } else if (there->second != attempts) {
                text += " " + recipient + " has " + std::to_string(there->second) +
                        " attempts, not " + std::to_string(attempts);
            }
        }
        for (const auto& [recipient, attempts] : found[i]) {
            if (!least.contains(recipient)) text += " has " + recipient;
        }
        return text;
    }
    return {};
}

// Crowds that come while the ones before them are being written.
void inject_crowd(SpoolScene& scene, int number) {
    for (int wave = 0; wave < 3; ++wave) {
        for (int i = 0; i < 5; ++i) {
            const std::string name =
                "c" + std::to_string(number) + "-" + std::to_string(wave * 5 + i);
            scene.relay->inject(0, {name + "@slow.example", name + "@good.example"}, 400);
        }
        scene.world.run_for(std::chrono::microseconds{40});
    }
}

// Messages of all kinds over a quarter of an hour, a straggler in front of them, so that segments
// rotate, are given up, recycled and compacted.
void inject_mail(SpoolScene& scene, int rounds) {
    SimRelay& relay = *scene.relay;
    for (std::size_t shard = 0; shard < scene.world.shards(); ++shard)
        relay.inject(shard, {"first" + std::to_string(shard) + "@down.example"}, 3000);
    int number = 0;
    const auto address = [&number](const char* start, const char* domain) {
        return start + std::to_string(++number) + "@" + domain;
    };
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t shard = 0; shard < scene.world.shards(); ++shard) {
            relay.inject(shard, {address("u", "good.example")}, 300);
            relay.inject(shard,
                         {address("u", "good.example"), address("no", "good.example"),
                          address("u", "slow.example"), address("u", "good.example")},
                         6000);
            if (round % 3 == 0) relay.inject(shard, {address("u", "slow.example")}, 9000);
            if (round % 4 == 1) relay.inject(shard, {address("no", "good.example")}, 2000);
        }
        if (round % 5 == 2) inject_crowd(scene, round);
        scene.world.run_for(seconds{round % 2 == 0 ? 75 : 0} + milliseconds{1});
    }
}

// A sanitizer looks at a part of the crash points: they take it ten times as long.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::size_t kEvery = 7;
#else
constexpr std::size_t kEvery = 1;
#endif

struct RunOptions {
    std::uint64_t seed = 1;
    int rounds = 14;
    bool direct = true;
    bool kill = false;                     // the process, instead of the power
    int draws = 2;                         // crashes at each crash point
    std::size_t every = kEvery;            // crash point
    std::size_t crash_while_reading = 40;  // every so many crash points
};

struct RunResult {
    std::size_t crash_points = 0;
    std::size_t most_under_way = 0;  // batches
    std::size_t crashes = 0;
    std::size_t rotations = 0;
    std::uint64_t moved = 0;
    std::set<std::size_t> slack;  // how many outcomes a crash could have lost
};

// Reads the disk again, with a crash at every third step of the reading: all the same.
void crash_while_reading(const SimDisk& disk, const SpoolState& state, std::uint64_t seed,
                         bool kill) {
    const auto copy = disk.after_kill(seed);
    std::size_t point = 0;
    copy->set_listener([&](const DiskEvent& event) {
        if (event.phase == DiskEvent::Phase::started || ++point % 3 != 0) return;
        // After a kill what was read need not be durable: only another kill leaves it there.
        const auto left =
            kill ? copy->after_kill(seed + point) : copy->after_power_loss(seed + point);
        const SpoolState again =
            read_spool(*left, {.segment_size = SpoolScene::kSegment, .idle = milliseconds{1}});
        EXPECT_TRUE(again == state) << "seed " << seed << ", step " << point << " of recovery";
        EXPECT_EQ(again.report.damaged, 0U) << "seed " << seed << ", step " << point;
    });
    const SpoolState whole = read_spool(*copy, {.segment_size = SpoolScene::kSegment});
    EXPECT_TRUE(whole == state);
    copy->set_listener({});
}

RunResult crash_everywhere(const RunOptions& options) {
    const Unwatched unwatched;
    RunResult result;
    SimDisk disk(options.seed);
    disk.set_direct_allowed(options.direct);
    RelayOptions relay_options;
    relay_options.intervals = {minutes{3}, minutes{6}, minutes{20}};
    SpoolScene scene(disk, options.seed, 2, relay_options);
    Observer observer(disk, scene);
    bool wrong = false;
    observer.at_crash_point = [&](const Truth& truth) {
        if (wrong || observer.crash_points % options.every != 0) return;
        for (int draw = 0; draw < options.draws; ++draw) {
            const std::uint64_t seed = options.seed * 1'000'003 + observer.crash_points * 31 +
                                       static_cast<std::uint64_t>(draw);
            const auto left = options.kill ? disk.after_kill(seed) : disk.after_power_loss(seed);
            const SpoolReading how{.segment_size = SpoolScene::kSegment};
            const SpoolState state = read_spool(*left, how);
            ++result.crashes;
            const std::string verdict = judge(truth, state);
            EXPECT_EQ(verdict, "")
                << "seed " << options.seed << ", crash point " << observer.crash_points << ", draw "
                << draw << ", at " << scene.world.elapsed().count() << " ns";
            const SpoolState again = read_spool(*left, how);
            EXPECT_TRUE(again == state) << "crash point " << observer.crash_points;
            EXPECT_EQ(again.report.damaged, 0U) << "crash point " << observer.crash_points;
            if (observer.crash_points % options.crash_while_reading == 0 && draw == 0) {
                crash_while_reading(*left, state, seed, options.kill);
            }
            if (::testing::Test::HasFailure()) wrong = true;
            if (wrong) return;
        }
        for (const Journaled& journal : truth.journals)
            result.slack.insert(journal.not_durable());
    };
    inject_mail(scene, options.rounds);
    scene.world.run_for(minutes{30});
    scene.heal();
    EXPECT_TRUE(scene.relay->run_until_drained(hours{24}));
    scene.world.run_for(seconds{5});
    for (const std::string& one : scene.relay->audit(scene.all_servers()))
        ADD_FAILURE() << one;
    for (std::size_t i = 0; i < 2; ++i) {
        result.moved += scene.relay->spool(i).stats().moved;
        result.rotations +=
            scene.relay->spool(i).journals().front()->store().segments().back()->name.sequence;
    }
    result.crash_points = observer.crash_points;
    result.most_under_way = observer.most_under_way;
    return result;
}

void print(const char* name, const RunResult& result) {
    std::printf(
        "%s: %zu crash points, %zu crashes, %zu segments, up to %zu batches under way, %llu octets "
        "moved, slack up to %zu outcomes\n",
        name, result.crash_points, result.crashes, result.rotations, result.most_under_way,
        static_cast<unsigned long long>(result.moved),
        result.slack.empty() ? 0 : *result.slack.rbegin());
}

TEST(SpoolCrash, power_is_lost_at_every_point_of_a_small_run) {
    const RunResult result = crash_everywhere({});
    print("power", result);
    EXPECT_GT(result.crash_points, 150U);
    EXPECT_GT(result.rotations, 8U);
    EXPECT_GT(result.moved, 0U);
    EXPECT_GT(result.slack.size(), 1U);
    EXPECT_GT(result.most_under_way, 1U);
}

TEST(SpoolCrash, power_is_lost_when_the_page_cache_is_used) {
    const RunResult result = crash_everywhere({.seed = 2, .direct = false});
    print("page cache", result);
    EXPECT_GT(result.moved, 0U);
}

TEST(SpoolCrash, the_process_is_killed_at_every_point) {
    const RunResult result = crash_everywhere({.seed = 3, .kill = true, .draws = 1});
    print("kill", result);
    EXPECT_GT(result.crash_points, 150U);
}

}  // namespace
}  // namespace sim
