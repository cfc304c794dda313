// TlsMemory: what a shard learned about the TLS of hosts it speaks to without having to: that it is
// broken, so that the next connections go in clear text for a while instead of failing first (RFC
// 7435: better than nothing, never worse), and that STARTTLS was offered once, so that its absence
// is noticed (RFC 3207 section 6). Broken TLS is believed for minutes, then one session tries it
// again (belief.h). What a host says or shows counts at once. A connection that is lost around the
// handshake counts at once only for a host whose TLS did not work within kTrustFor; otherwise it
// takes kEnough losses, each kApart after the one before, and no success between them. So it does
// for sessions that are lost later, while TLS has not worked there. By host and port. One shard; in
// memory only. Limit: kMostHosts, the longest untouched is forgotten.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "relay/delivery/belief.h"
#include "relay/delivery/recent_hosts.h"

namespace relay {

class TlsMemory {
  public:
    static constexpr std::size_t kMostHosts = 10'000;
    static constexpr core::Duration kTrustFor = std::chrono::days{1};
    static constexpr unsigned kEnough = 3;
    static constexpr core::Duration kApart = std::chrono::minutes{5};

    enum class Fault : std::uint8_t {
        shown,      // STARTTLS was refused, or the handshake failed by what the host sent
        lost,       // the connection ended, or nothing came, between STARTTLS and EHLO inside TLS
        fruitless,  // the same later, before a message was taken
    };

    // Whether a session is to go in clear text. False may mean that it is the one that tries TLS.
    bool avoids(const std::string& host, core::Instant now);
    // For how long TLS is avoided from now on; zero: it is no evidence yet, or known already.
    core::Duration note_broken(const std::string& host, Fault fault, core::Instant now);
    bool is_avoided(const std::string& host, core::Instant now);
    // True: it was avoided until now.
    bool note_works(const std::string& host, core::Instant now);
    bool offered_before(const std::string& host);
    void note_offered(const std::string& host);
    std::size_t size() const { return hosts_.size(); }

  private:
    struct Known {
        bool offered = false;
        Belief broken{};
        std::optional<core::Instant> worked{};
        unsigned losses = 0;  // since it worked
        core::Instant lost{};
    };
    RecentHosts<Known> hosts_{kMostHosts};
};

}  // namespace relay
