// HostWalk: which address a connection tries next. It goes through the hosts of a site in order of
// preference (equals shuffled, RFC 5321 section 5.1; those of a service by priority and weight, RFC
// 2782) and their addresses, and says what TLS each must offer. Hosts that failed lately are passed
// over (host_memory.h), and so is what does not suit a detour. At its end it knows why nothing
// could be used.
//
//   while (auto target = co_await walk.next()) { try it; or: walk.failed(how, why); }
//   source.not_opened(worker, walk.ending());
//
// Owned by its connection; one shard. Limits: kMaxAddressesTried addresses, kMaxAddressesOfAHost of
// one host; an address that this machine has no way to, or that the egress source has no address of
// the family of, does not count.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/runtime/task.h"
#include "relay/delivery/egress_context.h"
#include "relay/delivery/session_openings.h"
#include "relay/delivery/work_source.h"

namespace relay {

// Mail with REQUIRETLS goes back at once when no host has what it takes (RFC 8689 section 4.2.1);
// other mail is told as it was. unsupported: REQUIRETLS itself is lacking.
Disposition without_tls(const SiteFacts& site, Disposition why, bool unsupported);

// One address of one host, and what TLS it must offer.
struct HostTarget {
    std::string host;
    std::uint16_t port = 25;
    core::IpAddress address;
    TlsDemand demand;

    core::SocketAddress peer() const { return {address, port}; }
    std::string endpoint() const { return host + ":" + std::to_string(port); }
};

class HostWalk {
  public:
    static constexpr std::size_t kMaxAddressesTried = 10;
    static constexpr std::size_t kMaxAddressesOfAHost = 5;
    static constexpr core::Duration kAskAgain = std::chrono::seconds{1};  // whether a host is back

    // What became of a target.
    enum class Failed : std::uint8_t {
        no_route,  // this machine has no way there: no fault of the host
        this_try,  // for a reason that is not held against the host
        host,      // the host: nobody asks it for a while
        refused,   // the same, by 4yz instead of a greeting (see Reconnect in limits.h)
        source,    // none of it: our egress source cannot be used. The walk is over
    };

    // detour: null for a connection that takes any mail of the site. All outlive the walk.
    HostWalk(EgressContext& context, const SiteFacts& site, const Detour* detour,
             SessionOpenings& openings);

    // None: nobody is left. The caller says by failed() what became of it, and asks again.
    core::Task<std::optional<HostTarget>> next();
    // Of the target that next() gave last; at least once unless it is used. The last call decides
    // how the walk goes on, the gravest one what it came to.
    void failed(Failed how, Disposition why);
    // No further targets.
    void stop() { step_ = Step::over; }
    NotOpened ending();

  private:
    enum class Step : std::uint8_t { fresh, walking, over };
    struct Candidate {
        std::string host;
        std::uint16_t port = 25;
        std::uint16_t preference = 0;
        std::optional<core::IpAddress> address{};
        // Of the service that named it (RFC 2782); empty: the configuration or MX records did.
        std::string service_domain{};
        bool authenticated = true;  // those SRV records are
    };

    core::Task<void> list_candidates();
    core::Task<void> add_service(std::string service);
    void add_mx_hosts();
    void keep_to_detour();
    core::Task<void> look_up(std::size_t index);
    void demand_tls(const Candidate& candidate, const dns::HostTlsa& tlsa);
    void count_last();
    bool may_try(const core::SocketAddress& peer);
    void keep(Disposition why);
    static NotOpened::Because reason_of(const Disposition& why);

    EgressContext& context_;
    const SiteFacts& site_;
    const Detour* detour_;
    SessionOpenings& openings_;
    const core::Duration patience_;  // of connecting
    Step step_ = Step::fresh;
    std::vector<Candidate> list_;
    std::size_t next_ = 0;  // of list_
    // Of the candidate before that.
    std::vector<core::IpAddress> addresses_;
    std::size_t next_address_ = 0;
    TlsDemand demand_;
    std::size_t tried_of_host_ = 0;
    std::size_t tried_ = 0;
    std::optional<HostTarget> last_;  // that was given out
    std::optional<Failed> how_;       // it failed
    std::optional<Disposition> failure_;
    std::optional<Disposition> unrouted_;      // of an address that we have no way to
    std::optional<HostMemory::Rest> resting_;  // the host passed over that may be asked first
    bool nowhere_ = false;                     // a detour that leads to nobody
    bool without_family_ = false;              // addresses that our source has no family for
    std::optional<Disposition> sourceless_;    // our source cannot be used
};

}  // namespace relay
