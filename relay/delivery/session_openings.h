// SessionOpenings: how the openings of TLS sessions ended while one connection was made, for the
// reports about TLS (RFC 8460): with each host that was tried up to the one that serves. They count
// for every domain whose mail the session carries, once each, or, when none was established, for
// the domains that waited for it. Owned by its connection; one shard. Nothing is noted where nobody
// reports, and where no policy of the receiver is in question: routes, no TLS wanted, mail that
// waives TLS (reports themselves among it). Limits: kMostDomains of one session, further ones are
// not counted; kMostOpenings of one connecting, likewise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/net/tls_engine.h"
#include "metrics/shard_metrics.h"
#include "relay/delivery/egress_tls.h"
#include "relay/security/session_counts.h"

namespace relay {

class SessionOpenings {
  public:
    static constexpr std::size_t kMostDomains = 100;
    static constexpr std::size_t kMostOpenings = 10;

    struct Ends {
        std::string host;
        std::string sending_ip;  // empty: not connected
        std::string receiving_ip;
    };
    struct Fault {
        // Of the handshake, or of a certificate that need not be good.
        core::TlsFault kind = core::TlsFault::none;
        std::string reason{};
    };

    SessionOpenings(SessionCounts* counts, const SiteFacts& site);

    // An MTA-STS policy does not allow the host.
    void barred(const std::string& host);
    // Its TLSA records could not be had, so it is not used.
    void without_tlsa(const std::string& host, const std::string& reason);
    void ended(const TlsDemand& demand, metrics::TlsResult result, const Ends& ends, Fault fault);

    bool any() const { return !openings_.empty(); }
    // A message for this domain, as written, goes over the session.
    void carries(std::string_view domain);
    // The connection was not established; these domains waited.
    void failed(const std::vector<std::string>& domains);

  private:
    void add(TlsOpening opening);

    SessionCounts* counts_;  // null: nothing is noted
    std::vector<TlsOpening> openings_;
    std::vector<std::string> domains_;  // that were counted, in lower case
};

}  // namespace relay
