#include "relay/delivery/egress_tls.h"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/rand.h>

namespace relay {

namespace {

// What fails here was refused when the configuration was checked.
std::unique_ptr<core::TlsContext> client_context(const core::TlsRoots* roots,
                                                 const core::TlsIdentity* identity) {
    auto context = core::TlsContext::client(roots, identity);
    PH_ASSERT(context.has_value());
    return std::move(*context);
}

}  // namespace

TlsWish TlsDemand::wish() const {
    switch (policy) {
        case TlsPolicy::opportunistic:
            return TlsWish::if_offered;
        case TlsPolicy::encrypt:
        case TlsPolicy::verify:
            return TlsWish::required;
        case TlsPolicy::none:
        case TlsPolicy::implicit:  // before anything is said
            break;
    }
    return TlsWish::none;
}

metrics::TlsPolicy TlsDemand::counted_as() const {
    if (by_dane) return metrics::TlsPolicy::dane;
    if (by_sts) return metrics::TlsPolicy::sts;
    PH_ASSERT(policy != TlsPolicy::none);
    return static_cast<metrics::TlsPolicy>(static_cast<std::size_t>(policy) - 1);
}

namespace {

// By the configuration, or by MX records that are signed (RFC 8689 section 4.2.1).
bool is_named_safely(const SiteFacts& site) {
    return site.routed || site.plan.authenticated;
}

bool contains(const std::vector<std::string>& hosts, const std::string& host) {
    return std::ranges::find(hosts, host) != hosts.end();
}

// By an MTA-STS policy.
bool is_bound(const SiteFacts& site, const std::string& host) {
    return site.sts && (!site.routed || contains(site.sts_bound, host));
}

}  // namespace

bool asks_for_tlsa(const SiteFacts& site) {
    if (site.tls_request == TlsRequest::waived || site.tls == TlsPolicy::none ||
        site.tls == TlsPolicy::implicit) {
        return false;
    }
    return site.routed ? site.smarthost == nullptr : site.plan.authenticated;
}

TlsDemand demand_of(const SiteFacts& site, const std::string& host, const dns::HostTlsa& tlsa) {
    TlsDemand demand;
    const bool sts = is_bound(site, host);
    demand.policy = site.tls;
    const bool named = site.smarthost != nullptr && !site.smarthost->tls_name.empty();
    demand.expectation.server_name = named ? site.smarthost->tls_name : host;
    demand.expectation.names = {demand.expectation.server_name};
    const bool verify = sts || site.tls == TlsPolicy::verify || site.tls == TlsPolicy::implicit;
    demand.expectation.level = verify ? core::TlsLevel::pkix : core::TlsLevel::unauthenticated;
    demand.by_dane = tlsa.exists();
    demand.tlsa = tlsa;
    if ((sts || demand.by_dane) && demand.policy == TlsPolicy::opportunistic) {
        demand.policy = TlsPolicy::encrypt;
    }
    // Where somebody must be authenticated, only digests do: whole certificates and keys may turn
    // out to be none, and then TLS looks at nothing.
    const bool strong = std::ranges::any_of(tlsa.records, [&](const dns::TlsaData& record) {
        return dns::is_usable(record) && (record.matching != 0 || !verify);
    });
    if (!strong) {
        demand.by_sts = sts;
        demand.barred = sts ? !contains(site.sts_hosts, host)
                            : site.tls_request == TlsRequest::required && !is_named_safely(site);
        return demand;
    }
    demand.expectation.level = core::TlsLevel::dane;
    demand.expectation.server_name = tlsa.base;
    demand.expectation.names = {tlsa.base};
    // Without MX records the host is the next-hop domain too (RFC 7672 section 3.2.3).
    if (site.routed && host != tlsa.base) demand.expectation.names.push_back(host);
    for (const dns::TlsaData& record : tlsa.records) {
        if (!dns::is_usable(record)) continue;
        demand.expectation.tlsa.push_back(
            {record.usage, record.selector, record.matching, record.data});
    }
    return demand;
}

void expect_service(TlsDemand& demand, const SiteFacts& site, const std::string& domain,
                    bool authenticated) {
    if (site.smarthost != nullptr && !site.smarthost->tls_name.empty()) return;
    if (!authenticated) demand.expectation.names.clear();
    demand.expectation.names.push_back(domain);
}

EgressTls::EgressTls(core::Shard& shard, const core::TlsRoots* roots)
    : shard_(shard), sessions_(shard.reactor()) {
    if (roots != nullptr) roots_ = *roots;
}

void EgressTls::use(const core::TlsRoots* roots) {
    roots_.reset();
    if (roots != nullptr) roots_ = *roots;
    context_.reset();
    own_.clear();
    ++reloads_;
}

const std::shared_ptr<EgressTls::Own>& EgressTls::own(
    const std::shared_ptr<const Smarthost>& smarthost) {
    auto& own = own_[smarthost.get()];
    if (own == nullptr) {
        own = std::make_shared<Own>();
        own->smarthost = smarthost;
        own->login = {smarthost->username, smarthost->password, smarthost->auth_insecure};
    }
    return own;
}

std::shared_ptr<core::TlsContext> EgressTls::context_for(const SiteFacts& site) {
    const bool special = site.smarthost != nullptr && (site.smarthost->roots.has_value() ||
                                                       site.smarthost->identity.has_value());
    if (!special) {
        if (context_ == nullptr) context_ = client_context(roots(), nullptr);
        return context_;
    }
    const std::shared_ptr<Own>& of_site = own(site.smarthost);
    if (of_site->context == nullptr) {
        const Smarthost& smarthost = *site.smarthost;
        of_site->context = client_context(smarthost.roots ? &*smarthost.roots : roots(),
                                          smarthost.identity ? &*smarthost.identity : nullptr);
    }
    return {of_site, of_site->context.get()};
}

std::unique_ptr<core::TlsStream> EgressTls::wrap(std::unique_ptr<core::ByteStream> below,
                                                 const TlsDemand& demand, const SiteFacts& site,
                                                 const std::string& endpoint) {
    core::TlsClientStart start;
    start.expectation = demand.expectation;
    start.now = shard_.wall();
    start.sessions = &sessions_;
    start.session_key = endpoint + '|' + below->local().ip.to_string();
    if (site.smarthost != nullptr) start.session_key += '|' + site.name;
    // What was verified by other roots, or before another certificate was shown, counts no more.
    if (reloads_ > 0) start.session_key += "|r" + std::to_string(reloads_);
    auto context = context_for(site);
    auto engine = std::make_unique<core::TlsEngine>(*context, start);
    auto stream =
        std::make_unique<core::TlsStream>(shard_.reactor(), std::move(below), std::move(engine));
    stream->keep(std::move(context));
    return stream;
}

std::shared_ptr<const Login> EgressTls::login_for(const SiteFacts& site) {
    if (site.smarthost == nullptr || !site.smarthost->has_login()) return nullptr;
    const std::shared_ptr<Own>& of_site = own(site.smarthost);
    return {of_site, &of_site->login};
}

std::string EgressTls::new_nonce() {
    std::array<unsigned char, 16> octets;
    PH_ASSERT(RAND_bytes(octets.data(), octets.size()) == 1);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const unsigned char octet : octets) {
        text += kDigits[octet >> 4];
        text += kDigits[octet & 15];
    }
    return text;
}

}  // namespace relay
