// Whole relays in worlds drawn by seed: several shards, sites and servers with quirks, a network
// and a DNS that fail in every way they know for hours. Then the world heals, and everything must
// be final within days of virtual time, with nothing lost and nothing delivered twice. A failing
// seed is repeated with --gtest_filter and POSTHASTE_SIM_LOG=1.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_relay.h"

namespace sim {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr core::Duration kHealsAfter = hours{6};
constexpr core::Duration kInjectionLasts = hours{2};

template <typename T>
const T& pick(core::Prng& prng, std::initializer_list<T> values) {
    return *(values.begin() + prng.below(values.size()));
}

struct SwarmSite {
    std::vector<std::unique_ptr<SimMx>> servers;
    std::vector<core::SocketAddress> addresses;
    std::size_t peak = 0;  // connections of ours at once, all servers
};

class Swarm {
  public:
    explicit Swarm(std::uint64_t seed)
        : draw_(seed * 7919), faults_(seed * 104729), world_(seed, world_options(draw_)) {
        make_sites();
        RelayOptions options;
        options.limits.connection_limit = static_cast<std::uint32_t>(1 + draw_.below(6));
        options.limits.max_deliveries_per_connection =
            static_cast<std::uint32_t>(pick(draw_, {1, 3, 20, 100}));
        options.limits.max_message_rate = {pick<std::uint64_t>(draw_, {2, 20, 1000}), seconds{1}};
        options.intervals = {minutes{5}, minutes{15}, hours{1}};
        options.pipelining =
            pick(draw_, {relay::PipelineMode::next, relay::PipelineMode::next,
                         relay::PipelineMode::message, relay::PipelineMode::lock_step});
        limit_ = options.limits.connection_limit;
        relay_ = std::make_unique<SimRelay>(world_, zone_, options);
        world_.network().set_planner([this](const Opening& opening) { return plan(opening); });
        world_.network().at(core::Instant{kHealsAfter}, [this] { heal(); });
        schedule_mail();
    }

    void run() {
        world_.run_for(kInjectionLasts);
        EXPECT_TRUE(relay_->run_until_drained(days{4}))
            << relay_->waiting() << " messages are not final " << seconds_since_start() << " s";
        const bool closed = relay_->close();
        EXPECT_TRUE(closed);
        std::vector<SimMx*> servers;
        for (SwarmSite& site : sites_) {
            EXPECT_LE(site.peak, limit_) << "connection limit";
            for (auto& server : site.servers) {
                server->stop();
                servers.push_back(server.get());
            }
        }
        const auto idle = [&servers] {
            return std::ranges::all_of(servers, [](SimMx* one) { return one->idle(); });
        };
        const bool stopped = world_.run_until(idle, hours{1});
        EXPECT_TRUE(stopped);
        if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
        for (const std::string& one : relay_->audit(servers)) {
            ADD_FAILURE() << one << history(one.substr(0, one.find(':')), servers);
        }
        EXPECT_EQ(world_.network().open_handles(), 0U);
        for (std::size_t i = 0; i < world_.shards(); ++i) {
            SimBackend& backend = world_.backend(world_.shard(i));
            EXPECT_EQ(backend.free_buffers(), backends_.receive_buffers) << "a buffer is held";
        }
    }
    std::uint64_t trace_hash() const { return world_.trace_hash(); }
    std::size_t deliveries() const { return relay_->count("Delivery"); }
    std::size_t messages() const { return relay_->injected(); }

  private:
    WorldOptions world_options(core::Prng& prng) {
        WorldOptions options;
        options.shards = 1 + prng.below(3);
        options.backend.receive_buffers = pick<std::size_t>(prng, {24, 64, 256});
        options.backend.receive_buffer_size = pick<std::size_t>(prng, {7, 100, 1024});
        backends_ = options.backend;
        return options;
    }

    void make_sites() {
        const std::size_t count = 1 + draw_.below(4);
        for (std::size_t i = 0; i < count; ++i) {
            SwarmSite& site = sites_.emplace_back();
            const std::size_t servers = 1 + draw_.below(2);
            for (std::size_t k = 0; k < servers; ++k) {
                const auto host = static_cast<std::uint32_t>(0xc6336400U + i * 8 + k + 1);
                const core::SocketAddress address{core::IpAddress::v4(host), 25};
                MxOptions options = quirks();
                options.name = "mx" + std::to_string(k) + ".site" + std::to_string(i) + ".example";
                zone_.add_address(options.name, address.ip);
                // Two domains share each site.
                for (const char* domain : {"a", "b"}) {
                    zone_.add_mx(domain + std::to_string(i) + ".example",
                                 static_cast<std::uint16_t>(10 + draw_.below(2)), options.name);
                }
                site.addresses.push_back(address);
                site.servers.push_back(std::make_unique<SimMx>(world_, address, options));
                site.servers.back()->start();
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (draw_.below(3) != 0) continue;
            const std::string domain = "a" + std::to_string(i) + ".example";
            zone_.fail(domain, dns::RecordType::mx,
                       pick(draw_, {dns::DnsStatus::servfail, dns::DnsStatus::timeout}));
        }
    }

    MxOptions quirks() {
        MxOptions options;
        options.pipelining = draw_.below(4) != 0;
        options.chunking = draw_.below(3) == 0;
        options.esmtp = draw_.below(8) != 0;
        if (!options.esmtp) options.pipelining = options.chunking = false;
        options.forgets_group_behind_dot = draw_.below(4) == 0;
        options.content_delay = milliseconds{draw_.below(3) * 50};
        options.connection_cap = draw_.below(3) == 0 ? 1 + draw_.below(4) : 0;
        options.close_after = draw_.below(3) == 0 ? 1 + draw_.below(5) : 0;
        options.greylist_for = draw_.below(4) == 0 ? minutes{7} : minutes{0};
        const std::uint64_t one_in = pick<std::uint64_t>(draw_, {4, 20, 100});
        options.script = [this, one_in](const Moment& moment) { return trouble(moment, one_in); };
        return options;
    }

    bool healed() const { return world_.elapsed() >= kHealsAfter; }

    Verdict trouble(const Moment& moment, std::uint64_t one_in) {
        if (moment.stage == Stage::rcpt && moment.argument.starts_with("no")) {
            return {.reply = "550 5.1.1 no such user"};
        }
        if (healed() || faults_.below(one_in) != 0) return {};
        using Ending = Verdict::Ending;
        switch (faults_.below(10)) {
            case 0:
                return {.reply = "421 4.7.0 come back later", .ending = Ending::close};
            case 1:
                return {.reply = "421 4.7.0 closing, perhaps"};
            case 2:
                return {.ending = Ending::drop, .took_it = faults_.below(2) == 0};
            case 3:
                return {.ending = Ending::reset, .took_it = faults_.below(2) == 0};
            case 4:
                return {.ending = Ending::stall, .took_it = faults_.below(2) == 0};
            case 5:
                return {.delay = seconds{faults_.below(100)}};
            case 6:
                return {.reply = moment.stage == Stage::rcpt ? "452 4.5.3 too many recipients"
                                                             : "450 4.0.0 not now"};
            default:
                return {.reply = "451-4.3.0 a reply\r\n451-4.3.0 of several\r\n451 4.3.0 lines"};
        }
    }

    LinkPlan plan(const Opening& opening) {
        for (SwarmSite& site : sites_) {
            std::size_t open = 0;
            bool ours = false;
            for (const core::SocketAddress& address : site.addresses) {
                ours |= address == opening.server;
                open += world_.network().connections_to(address);
            }
            if (ours) site.peak = std::max(site.peak, open);
        }
        LinkPlan plan;
        plan.ragged = faults_.below(2) == 0;
        plan.latency_min = milliseconds{1 + faults_.below(50)};
        plan.latency_max = plan.latency_min + milliseconds{faults_.below(150)};
        plan.window = pick<std::size_t>(faults_, {150, 2000, 65536});
        plan.largest_segment = pick<std::size_t>(faults_, {5, 536, 1460});
        if (healed()) return plan;
        const std::uint64_t fate = faults_.below(24);
        if (fate < 2) plan.connect = ConnectResult::refuse;
        if (fate == 2) plan.connect = ConnectResult::black_hole;
        if (fate == 3) plan.connect = ConnectResult::unreachable;
        if (fate >= 4 && fate < 8) plan.reset_at_client = faults_.below(1500);
        if (fate >= 8 && fate < 12) plan.reset_at_server = faults_.below(4000);
        return plan;
    }

    void heal() {
        for (auto& [name, types] : zone_.names) {
            for (auto& [type, entry] : types)
                entry.status = dns::DnsStatus::ok;
        }
    }

    void schedule_mail() {
        for (int i = 0; i < 60; ++i) {
            std::vector<std::string> recipients;
            const std::size_t count = draw_.below(3) == 0 ? 1 + draw_.below(12) : 1;
            const std::size_t site = draw_.below(sites_.size());
            for (std::size_t k = 0; k < count; ++k) {
                const std::string name = (draw_.below(10) == 0 ? "no" : "u") + std::to_string(i) +
                                         "." + std::to_string(k);
                const std::size_t to = draw_.below(4) == 0 ? draw_.below(sites_.size()) : site;
                recipients.push_back(name + pick(draw_, {"@a", "@b"}) + std::to_string(to) +
                                     ".example");
            }
            const std::size_t size = pick<std::size_t>(draw_, {60, 500, 3000, 20000});
            const std::size_t shard = draw_.below(world_.shards());
            // Bursts: what is injected together is delivered together.
            const core::Instant when{kInjectionLasts * static_cast<int>(draw_.below(6)) / 6};
            world_.network().at(
                when, [this, recipients, size, shard] { relay_->inject(shard, recipients, size); });
        }
    }

    // What was recorded and taken for a recipient, for whoever reads a failure.
    std::string history(const std::string& recipient, const std::vector<SimMx*>& servers) const {
        std::string text;
        for (const Recorded& one : relay_->events_of(recipient))
            text += "\n  " + one.line;
        for (const SimMx* server : servers) {
            for (const Taken& taken : server->ledger()) {
                if (taken.recipient != recipient) continue;
                const auto when = taken.when.time_since_epoch();
                text += "\n  taken by session " + std::to_string(taken.session) + " from " +
                        taken.client.to_string() + " at " +
                        std::to_string(std::chrono::duration_cast<milliseconds>(when).count()) +
                        " ms, reply ends at octet " + std::to_string(taken.reply_end) +
                        (server->reply_arrived(taken) ? ", arrived" : ", lost");
            }
        }
        return text;
    }

    long seconds_since_start() const {
        return std::chrono::duration_cast<seconds>(world_.elapsed()).count();
    }

    core::Prng draw_;
    core::Prng faults_;
    BackendOptions backends_;
    SimWorld world_;
    SimZone zone_;
    std::vector<SwarmSite> sites_;
    std::size_t limit_ = 0;
    std::unique_ptr<SimRelay> relay_;
};

class RelaySwarm : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RelaySwarm, nothing_is_lost_or_doubled) {
    const testing::ScopedTrace seed(__FILE__, __LINE__, "SEED=" + std::to_string(GetParam()));
    Swarm swarm(GetParam());
    swarm.run();
    EXPECT_GT(swarm.deliveries(), swarm.messages() / 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RelaySwarm, testing::Range<std::uint64_t>(1, 51));

TEST(RelaySwarmTrace, the_same_seed_gives_the_same_run) {
    for (const std::uint64_t seed : {3U, 17U, 42U}) {
        std::uint64_t hashes[2] = {};
        for (std::uint64_t& hash : hashes) {
            Swarm swarm(seed);
            swarm.run();
            hash = swarm.trace_hash();
        }
        EXPECT_EQ(hashes[0], hashes[1]) << "seed " << seed;
    }
}

// For long runs by hand: POSTHASTE_SIM_SEEDS=1000:2000 sim_relay --gtest_filter=RelaySwarmTrace.*
TEST(RelaySwarmTrace, seeds_given_by_the_environment) {
    const char* given = std::getenv("POSTHASTE_SIM_SEEDS");
    const char* range = given != nullptr ? given : "51:53";
    char* rest = nullptr;
    const std::uint64_t first = std::strtoull(range, &rest, 10);
    const std::uint64_t last = *rest == ':' ? std::strtoull(rest + 1, nullptr, 10) : first;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        const testing::ScopedTrace trace(__FILE__, __LINE__, "SEED=" + std::to_string(seed));
        std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
        std::fflush(stdout);  // the last line names the seed that aborts or hangs
        Swarm swarm(seed);
        swarm.run();
        ASSERT_FALSE(HasFailure()) << "SEED=" << seed;
    }
}

}  // namespace
}  // namespace sim
