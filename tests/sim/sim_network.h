// SimNetwork: the network of a simulation. Endpoints (listeners and the two sides of a connection)
// joined by links with latency, bandwidth, segmentation, a window, and resets at a chosen octet;
// all draws come from one seed, all time from one VirtualClock. Backends (one per shard) start
// operations here; what completes is queued at the endpoint's backend and delivered by its wait(),
// never in place. One thread. Handles are never used twice and belong to one backend; using a
// foreign or closed one is an assertion, and so is closing one whose operations have not delivered
// their last completion. Data already received stays readable after a reset, as on Linux; closing
// with unread input resets.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/prng.h"
#include "core/io/io_backend.h"
#include "core/runtime/clock.h"

namespace sim {

class SimBackend;

enum class ConnectResult : std::uint8_t { accept, refuse, black_hole, unreachable, no_route };

// How one connection behaves; chosen when it is opened.
struct LinkPlan {
    ConnectResult connect = ConnectResult::accept;
    core::Duration latency_min = std::chrono::milliseconds{1};  // one way, drawn per segment
    core::Duration latency_max = std::chrono::milliseconds{1};
    std::uint64_t octets_per_second = 0;  // each way; 0: no limit
    std::size_t largest_segment = 1460;
    std::size_t window = 65536;  // octets sent and not read yet, each way
    bool ragged = false;         // drawn segment sizes, short writes, late and split completions
    // Both sides are reset once so many octets have arrived at the server or at the client.
    std::optional<std::uint64_t> reset_at_server;
    std::optional<std::uint64_t> reset_at_client;
};

struct Opening {
    core::SocketAddress client;
    core::SocketAddress server;
    std::uint64_t ordinal = 0;  // counts connection attempts
};

struct NetworkStats {
    std::uint64_t openings = 0;
    std::uint64_t resets = 0;
    std::uint64_t octets = 0;
};

class SimNetwork {
  public:
    static constexpr core::Duration kConnectTimeout = std::chrono::seconds{130};
    static constexpr std::size_t kListenBacklog = 512;

    SimNetwork(core::VirtualClock& clock, std::uint64_t seed) : clock_(clock), prng_(seed) {}

    using Planner = std::function<LinkPlan(const Opening&)>;
    // Asked for every connection attempt; without one each link is a default LinkPlan.
    void set_planner(Planner planner) { planner_ = std::move(planner); }
    // Sends FIN and keeps receiving: what shutdown(2) with SHUT_WR does.
    void half_close(core::Handle handle);
    // Something for later, e.g. a host that comes back.
    void at(core::Instant when, std::move_only_function<void()> action);

    // For SimWorld.
    core::Instant next_event() const;
    void run_due();  // everything due at the clock's time
    std::uint64_t trace_hash() const { return trace_; }
    void trace(std::string_view kind, std::int64_t a, std::int64_t b, std::string_view bytes = {});
    core::Prng& prng() { return prng_; }
    const NetworkStats& stats() const { return stats_; }
    std::size_t open_handles() const { return ends_.size(); }
    // Octets that came to the client's side of the latest connection from this address.
    std::uint64_t arrived_at_client(const core::SocketAddress& client) const;
    // Clients that are connecting or have not closed yet.
    std::size_t connections_to(const core::SocketAddress& server) const;

  private:
    friend class SimBackend;

    struct Slot {
        core::Operation* operation = nullptr;
        bool cancelling = false;
    };
    struct End {
        core::Handle handle = core::kNoHandle;
        SimBackend* backend = nullptr;
        core::SocketAddress local;
        core::SocketAddress peer;
        int in_flight = 0;  // operations without a delivered last completion
        bool listening = false;
        std::deque<core::Handle> backlog;  // listener: connected, not accepted
        bool server_side = false;
        LinkPlan plan;
        core::Handle other = core::kNoHandle;  // far end; may be closed already
        bool connected = false;
        std::string readable;
        std::uint64_t arrived = 0;
        bool fin_arrived = false;
        bool shut = false;  // shutdown() here
        bool fin_sent = false;
        int error = 0;                 // reset: errno of what comes after the readable octets
        std::size_t outstanding = 0;   // sent by this side, unread by the other
        core::Instant last_arrival{};  // of what this side sent
        Slot accept, receive, connect, send, poll;
        core::Shots accepting = core::Shots::many;      // of accept
        core::Intake receiving = core::Intake::stream;  // of receive
        std::span<const iovec> parts;                   // of send
        core::SocketAddress target;                     // of connect
    };
    struct Event {
        core::Instant when;
        std::uint64_t order;
        std::move_only_function<void()> action;
    };

    End& end(core::Handle handle);
    End* find(core::Handle handle);
    core::Handle add_end(SimBackend& backend);
    core::IoResult<core::Handle> listen(SimBackend& backend, core::SocketAddress address,
                                        core::Sharing sharing);
    void start_connect(core::Handle handle);
    void syn_arrives(core::Handle client);
    void shutdown(core::Handle handle);
    void close(core::Handle handle, bool reset);
    void progress_accept(End& end);
    void progress_receive(End& end);
    void progress_send(core::Handle handle);
    void segment_arrives(core::Handle from, core::Handle to, std::string octets);
    void send_fin(End& from);
    void send_reset(core::Handle to, core::Instant when);
    void reset_end(End& end);
    void cancel(core::Handle handle, core::Operation& operation);
    void finish(End& end, Slot& slot, int result);
    Slot* slot_of(End& end, const core::Operation& operation);
    core::Duration latency(const LinkPlan& plan);
    core::Instant arrival(End& from, std::size_t octets);
    bool chance(std::uint64_t one_in) { return prng_.below(one_in) == 0; }

    core::VirtualClock& clock_;
    core::Prng prng_;
    Planner planner_;
    std::map<core::Handle, End> ends_;
    std::map<core::SocketAddress, std::vector<core::Handle>> listeners_;
    std::map<core::SocketAddress, std::uint64_t> arrivals_;  // by client address
    std::vector<Event> events_;                              // a heap, earliest first
    std::uint64_t event_order_ = 0;
    core::Handle last_handle_ = 1000;
    std::uint16_t last_port_ = 30000;
    std::uint64_t trace_ = 0xcbf29ce484222325U;
    NetworkStats stats_;
};

}  // namespace sim
