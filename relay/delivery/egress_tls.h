// EgressTls: what TLS towards receivers needs on one shard: contexts (one, and one for each route
// with a certificate or roots of its own), sessions to resume, what was learned about hosts, and
// logins. demand_of() says what a host must offer: the configured policy, raised by the host's TLSA
// records (DANE, RFC 7672) or by the domain's MTA-STS policy; everything behind it only keeps to
// the demand.
// Made by the composition root, outlives the paths.
// Limits: those of TlsSessions and TlsMemory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/io/shard.h"
#include "core/net/tls_stream.h"
#include "dns/tlsa.h"
#include "metrics/shard_metrics.h"
#include "relay/delivery/tls_memory.h"
#include "relay/routing/site.h"
#include "relay/smtp/client_dialogue.h"

namespace relay {

struct TlsDemand {
    TlsPolicy policy = TlsPolicy::none;
    core::TlsExpectation expectation;
    // What made it more than the configuration: TLSA records, or the domain's MTA-STS policy.
    bool by_dane = false;
    bool by_sts = false;
    dns::HostTlsa tlsa;
    bool avoided = false;  // TLS with this host did not work lately: clear text, and that counts
    bool barred = false;   // the host must not be used: that policy does not allow it, or nothing
                           // says that it is the domain's where that is required (RFC 8689)

    TlsWish wish() const;
    bool implicit() const { return policy == TlsPolicy::implicit; }
    // TLS that does not work is no reason not to deliver.
    bool may_go_clear() const { return policy == TlsPolicy::opportunistic; }
    metrics::TlsPolicy counted_as() const;  // policy is not none
};

// Whether TLSA records of the site's hosts are to be asked for: the way to the hosts is
// authenticated, or they were named by the configuration, and nothing there is more exact.
bool asks_for_tlsa(const SiteFacts& site);

// What a host of the site is asked for. Usable TLSA records take the place of roots, of the policy
// `verify` and of MTA-STS (RFC 8461 section 2); a set of unusable ones still demands TLS (RFC 7672
// section 2.2).
TlsDemand demand_of(const SiteFacts& site, const std::string& host, const dns::HostTlsa& tlsa);

// A host that SRV records named must have a certificate of the domain whose service it is: the
// host's own name will do only when DNSSEC vouches for the records, or tls_name says which (RFC
// 6186 section 6).
void expect_service(TlsDemand& demand, const SiteFacts& site, const std::string& domain,
                    bool authenticated);

class EgressTls {
  public:
    // roots null: nothing but routes with roots of their own can be verified.
    EgressTls(core::Shard& shard, const core::TlsRoots* roots);

    // endpoint: host and port, as in TlsMemory.
    std::unique_ptr<core::TlsStream> wrap(std::unique_ptr<core::ByteStream> below,
                                          const TlsDemand& demand, const SiteFacts& site,
                                          const std::string& endpoint);
    // Null: the site's hosts want no login.
    std::shared_ptr<const Login> login_for(const SiteFacts& site);
    // A reload: connections from now on begin with these roots and with what is in the files of
    // smarthosts, and resume no session of before. Those that are open keep what they have.
    void use(const core::TlsRoots* roots);
    static std::string new_nonce();

    TlsMemory& memory() { return memory_; }
    core::TlsSessions& sessions() { return sessions_; }

  private:
    // Of a smarthost, which it keeps.
    struct Own {
        std::shared_ptr<const Smarthost> smarthost;
        std::unique_ptr<core::TlsContext> context;
        Login login;
    };
    const std::shared_ptr<Own>& own(const std::shared_ptr<const Smarthost>& smarthost);
    std::shared_ptr<core::TlsContext> context_for(const SiteFacts& site);
    const core::TlsRoots* roots() const { return roots_ ? &*roots_ : nullptr; }

    core::Shard& shard_;
    std::optional<core::TlsRoots> roots_;
    std::shared_ptr<core::TlsContext> context_;
    std::unordered_map<const Smarthost*, std::shared_ptr<Own>> own_;
    std::size_t reloads_ = 0;
    core::TlsSessions sessions_;
    TlsMemory memory_;
};

}  // namespace relay
