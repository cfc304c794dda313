// Router: from a recipient's domain to its Site, on the origin shard. A [[route]] decides, at once
// if no host of it may have an MTA-STS policy; otherwise MX records do (dns/mx.h), and the domain's
// policy. One lookup serves all recipients that wait for the same domain.
// Answers hold for the TTL of the DNS answer and are asked for again after it, also mid-queue.
// route() parks the recipient or calls the receiver in place. Domains that have to be asked for
// wait in a DomainQueue, where messages take turns; kMostResolving are under way at a time, and
// none is begun while there are most_sites sites, so that what waits costs a DomainTable entry and
// nothing else. Whoever waited for an answer is told in slices.
// With egress sources to choose from, a recipient goes by the site as its source sees it.
// takes_no_mail() answers from what is remembered and asks nobody. After stop_waiting() nothing is
// routed any more; close() awaits the lookups under way, whose resolver must have been closed.
// Limits: those of DomainTable; kMostResolving; RouterParts::most_sites. memory() says what domains
// and sites take; the Origin counts it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/task_group.h"
#include "dns/mx.h"
#include "relay/config/check.h"
#include "relay/egress/warmup_ledger.h"
#include "relay/message/message.h"
#include "relay/routing/domain_queue.h"
#include "relay/routing/domain_table.h"
#include "relay/routing/rollups.h"
#include "relay/routing/route_index.h"
#include "relay/routing/site_table.h"
#include "relay/routing/source_choice.h"
#include "relay/security/mta_sts.h"

namespace relay {

class RouteReceiver {
  public:
    virtual ~RouteReceiver() = default;
    // recipient.site is set and counted.
    virtual void routed(Recipient& recipient) = 0;
    // No site: recipient.disposition says why and for how long (bounced or deferred), or nothing.
    virtual void unroutable(Recipient& recipient) = 0;
};

struct RouterParts {
    std::shared_ptr<const CheckedConfig> checked;
    const dns::RoutingRules& rules;
    dns::Resolver& resolver;
    MtaSts* sts = nullptr;  // null: no policies are looked for
    WarmupLedger* warmup =
        nullptr;  // what sources in warm-up sent today; null: no source is in one
    std::size_t most_sites = 50'000;
    std::size_t most_idle_domains = DomainTable::kMaxIdle;
};

class Router {
  public:
    // More than the resolver lets wait for all its places together, so that slow lookups never
    // keep a domain from being asked for.
    static constexpr std::size_t kMostResolving = 8192;
    // From one pool to the next, where sources in warm-up have sent what they may.
    static constexpr int kMostOverflows = 3;
    // Of domains whose table holds for their whole site.
    static constexpr std::size_t kMostRollupsAtOnce = 16;
    // A site and, on its home shard, its path (tests/unit/routing).
    static constexpr std::size_t kSiteOctets = 4096;

    Router(core::Shard& shard, RouterParts parts, RouteReceiver& receiver);
    ~Router();

    void route(Recipient& recipient);
    // A reload: domains are asked for again when mail comes for them; recipients that have a site
    // keep it until they come home.
    void use(std::shared_ptr<const CheckedConfig> checked);
    // Where the recipient's mail went when that was asked last; null: it is not remembered. The
    // caller gets no reference.
    const Site* known_site(const Recipient& recipient) const;
    // A copy of what is known about mail for a domain, and its paths, of every source.
    struct KnownSite {
        SiteFacts facts;
        std::vector<PathKey> paths;
    };
    std::optional<KnownSite> known_site(std::string_view domain) const;
    const ShapingPolicy& shaping() const { return parts_.checked->shaping; }
    const EgressPlan& egress() const { return parts_.checked->egress; }
    // By which the message goes.
    const SourcePool& pool_of(const Message& message) const;
    // Which of the two it went by, where a warm-up sends mail to another pool.
    const SourcePool& pool_used(const Recipient& recipient) const;
    // The recipient came back because its egress source cannot be used; before release().
    void source_failed(const Recipient& recipient);
    // The recipient no longer uses its site.
    void release(Recipient& recipient);
    // A null MX of the domain is known, and its TTL has not ended. A route hides it.
    bool takes_no_mail(std::string_view domain) const;
    // What waits for an answer goes back to the receiver, in slices, with no outcome: DNS may take
    // long. From now on nothing is asked.
    void stop_waiting();
    core::Task<void> close();
    std::size_t domains() const { return domains_.size(); }
    std::size_t sites() const { return sites_.size(); }
    std::size_t resolving() const { return resolving_; }
    std::size_t waiting() const { return waiting_; }
    std::size_t memory() const { return domains_.memory() + sites_.size() * kSiteOctets; }

  private:
    // What the hosts of a route publish about themselves.
    struct HostPolicies {
        std::vector<std::string> bound;           // by a policy in force
        std::vector<std::string> allowed;         // of these, by their policy
        std::optional<std::chrono::seconds> ttl;  // none: nobody was asked
        bool busy = false;                        // it could not be found out now
    };

    bool known(const Domain& domain) const;
    void ask(Domain& domain, Recipient& recipient);
    // Begins what may be begun now.
    void begin_lookups();
    core::Task<void> make_room();
    core::Task<void> resolve(Domain* domain);
    core::Task<void> find_out(Domain* domain);
    core::Task<HostPolicies> policies_of(std::vector<NextHop> hops);
    void look_up_rollups();
    core::Task<void> look_up_rollups_from(std::string first, std::uint64_t generation);
    void note_rollup(std::string_view table, std::string_view site);
    // Whose limits hold for a domain's mail.
    ShapingScope scope_by(std::string_view name, const RouteConfig& route) const;
    ShapingScope scope_by(std::string_view name, const dns::MxPlan& plan) const;
    // MTA-STS counts for the domain's mail; route null: it has none.
    bool minds_policies(const ShapingLimits& limits, TlsRequest request,
                        const RouteConfig* route) const;
    bool minds_policies(std::string_view name, TlsRequest request, const dns::MxPlan& plan) const;
    bool asks_for_policies(std::string_view name, TlsRequest request,
                           const RouteConfig& route) const;
    void follow(std::string_view name, TlsRequest request, const RouteConfig& route,
                const HostPolicies& policies, Domain& domain);
    void learn(Domain& domain, const dns::MxResult& result, const StsFinding& sts);
    void apply_settings(const ShapingScope& scope, TlsRequest request, const RouteConfig* route,
                        SiteFacts& facts) const;
    void replace_site(Domain& domain, Site* site);
    void unreference(Site* site);
    void answer(Domain& domain, Recipient& recipient);
    Site* by_source(Site& site, SourceId source);
    SiteFacts as_seen_by(SourceId source, const SiteFacts& site) const;
    // Null: none of its pool can be used.
    Site* choose_source(Site& site, Recipient& recipient);
    // Of what the source may send there today, one message; true: it is taken.
    bool has_volume(const Warmup& warmup, const Site& site);
    core::Task<void> answer_all(Domain* domain);
    core::Task<void> return_all();
    void rest(Domain& domain);
    void forget(Domain& domain);

    core::Shard& shard_;
    RouterParts parts_;
    RouteIndex routes_;
    RouteReceiver& receiver_;
    Rollups rollups_;
    bool rollups_wanted_ = true;  // with the next mail that goes by MX records
    std::uint64_t generation_of_rollups_ = 0;
    std::uint64_t generation_ = 1;  // grows with each reload, and as rollups are learned
    DomainTable domains_;
    DomainQueue queue_;
    core::IntrusiveList<Domain, DomainTag> under_way_;  // resolving or answering
    SiteTable sites_;
    SourceChoice sources_;
    std::optional<WarmupShare> warmup_;
    std::size_t resolving_ = 0;
    std::size_t waiting_ = 0;
    bool making_room_ = false;
    bool stopped_ = false;
    core::TaskGroup lookups_;
};

}  // namespace relay
