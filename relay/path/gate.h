// Gate: whether a path may begin a transaction or open a connection now; if not, until when, and
// why. It knows the rates, the pauses of an outage (outage.h), whether all hosts are at rest, and
// whether the path is expiring mail or closing. A question that is answered by "go" takes its share
// of the rate. Its limits are values that it is given: of the path's configuration today, or a
// share of them (sharing.h). Pure; owned by the path, one shard.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "relay/limits/token_bucket.h"
#include "relay/path/outage.h"

namespace relay {

struct GateLimits {
    core::Rate messages{100, std::chrono::seconds(1)};
    core::Rate connections{100, std::chrono::minutes(1)};
    std::size_t most_connections = 10;  // so many may open at once, after a quiet time
    bool operator==(const GateLimits&) const = default;
};

// So many of all places of a path. Rates are shared in proportion: the parts of all shards come to
// no more than the whole.
struct GateShare {
    std::size_t places = 1;
    std::size_t of = 1;
    bool operator==(const GateShare&) const = default;
};
GateLimits part_of(const GateLimits& whole, GateShare share);

class Gate {
  public:
    enum class Why : std::uint8_t {
        go,
        message_rate,
        connection_rate,
        provider_rate,  // of messages to all sites of the provider; the path says so
        rate_is_used,   // by the connections that are there: one more would wait
        outage,
        hosts_rest,  // all hosts that are left failed lately
        opening,     // one asks whether the site is back
        suspended,   // by automation; whoever ends it says so
        expiring,    // so much mail is over that it leaves in slices, and nothing else does
        closing,
    };
    struct Answer {
        Why why = Why::go;
        core::Instant until{};  // kNever: some other event ends it
        bool go() const { return why == Why::go; }
    };

    Gate(const GateLimits& limits, HostPauses pauses)
        : limits_(limits),
          message_rate_(limits.messages),
          connection_rate_(connection_bucket(limits)),
          outage_(pauses) {}

    // Rates that changed begin again.
    void limit_by(const GateLimits& limits);
    // Another part of the same limits. Nothing that was saved up is kept: who has a small part now
    // had a large one just before.
    void share(GateShare share, core::Instant now);

    // ---- what happened
    Outage& outage() { return outage_; }
    const Outage& outage() const { return outage_; }
    void hosts_rest(core::Instant until) { hosts_rest_until_ = until; }
    void hosts_answer() { hosts_rest_until_ = {}; }
    void expire(bool some_left) {
        if (phase_ != Phase::closing) phase_ = some_left ? Phase::expiring : Phase::open;
    }
    void suspend(bool suspended) { suspended_ = suspended; }
    bool suspended() const { return suspended_; }
    void close() { phase_ = Phase::closing; }
    bool closing() const { return phase_ == Phase::closing; }

    // ---- may it
    // Why no connection would open now; takes nothing of any rate.
    Answer why_not(core::Instant now) const;
    // Anything at all.
    Answer pass() const;
    // A connection that is idle look for work.
    Answer wake(core::Instant now) const;
    Answer begin_transaction(core::Instant now);
    // open: all connections, those that are opening among them.
    Answer open_connection(core::Instant now, std::size_t open, std::size_t opening);
    // For mail that a host refused just now: the site works.
    Answer open_detour(core::Instant now);

  private:
    enum class Phase : std::uint8_t { open, expiring, closing };

    static std::uint64_t burst_of(const GateLimits& limits) {
        return std::min<std::uint64_t>(limits.most_connections, limits.connections.count);
    }
    static TokenBucket connection_bucket(const GateLimits& limits) {
        return {limits.connections, burst_of(limits)};
    }

    GateLimits limits_;  // of the whole path
    GateShare share_;
    TokenBucket message_rate_;
    TokenBucket connection_rate_;
    Outage outage_;
    core::Instant hosts_rest_until_{};
    Phase phase_ = Phase::open;
    bool suspended_ = false;
};

}  // namespace relay
