// Router: which egress source takes a mail, and the site as that source sees it.
#include <algorithm>
#include <chrono>
#include <optional>

#include "core/base/log.h"
#include "relay/routing/router.h"

namespace relay {

const SourcePool& Router::pool_of(const Message& message) const {
    const EgressPlan& plan = egress();
    if (plan.is_plain()) return plan.fallback();
    const std::string& name = parts_.checked->tenants->of(message.labels().tenant->name).pool;
    const SourcePool* const own = name.empty() ? nullptr : plan.pool(name);
    return own == nullptr ? plan.fallback() : *own;
}

Site* Router::choose_source(Site& site, Recipient& recipient) {
    const core::Instant now = shard_.now();
    const auto usable = [&](SourceId source) {
        return by_source(site, source)->unfit_until <= now;
    };
    const SourcePool* pool = &pool_of(*recipient.message);
    for (int overflows = 0; pool != nullptr && overflows <= kMostOverflows; ++overflows) {
        const PoolMember* const member = sources_.choose_for(recipient, site, *pool, now, usable);
        if (member == nullptr) return nullptr;
        const Warmup* const warmup = egress().warmup(member->source);
        if (warmup == nullptr || has_volume(*warmup, site)) {
            recipient.source = member->source;
            return by_source(site, member->source);
        }
        pool = egress().pool(warmup->overflow);
    }
    return nullptr;
}

bool Router::has_volume(const Warmup& warmup, const Site& site) {
    if (!warmup_) return true;
    const std::int64_t today = day_of(shard_.wall());
    const auto allowance = warmup.allowance(today);
    if (!allowance) return true;
    const SiteFacts& facts = site.facts;
    return warmup_->take(warmup.source,
                         facts.provider.empty() ? facts.path.site.hosts : facts.provider, today,
                         *allowance);
}

const SourcePool& Router::pool_used(const Recipient& recipient) const {
    const SourcePool& own = pool_of(*recipient.message);
    if (recipient.site == nullptr) return own;
    const SourcePool* pool = &own;
    const SourceId source = recipient.site->facts.path.source;
    for (int overflows = 0; overflows <= kMostOverflows && !pool->has(source); ++overflows) {
        const auto warm = std::ranges::find_if(pool->members, [this](const PoolMember& one) {
            return egress().warmup(one.source) != nullptr;
        });
        if (warm == pool->members.end()) return own;
        const SourcePool* const next = egress().pool(egress().warmup(warm->source)->overflow);
        if (next == nullptr) return own;
        pool = next;
    }
    return *pool;
}

Site* Router::by_source(Site& site, SourceId source) {
    if (Site* const known = SiteTable::by_source(site, source)) return known;
    return sites_.add_by_source(site, source, as_seen_by(source, site.facts));
}

// What DNS and policies said holds for every source.
SiteFacts Router::as_seen_by(SourceId source, const SiteFacts& site) const {
    SiteFacts facts = site;
    facts.source = egress().source(source);
    facts.limits = shaping().limits_for(facts.scope());
    facts.limits.enable_dane = site.limits.enable_dane;
    facts.limits.enable_mta_sts = site.limits.enable_mta_sts;
    const auto& routes = parts_.checked->config.routes;
    const auto route = std::ranges::find(routes, facts.route, &RouteConfig::domain);
    facts.set_tls(parts_.checked->tls_of(facts.limits, route == routes.end() ? nullptr : &*route));
    if (!facts.routed) facts.port = parts_.checked->port_of(facts.limits);
    identify(facts, source);
    return facts;
}

void Router::source_failed(const Recipient& recipient) {
    if (recipient.site == nullptr) return;
    const Disposition& why = recipient.disposition();
    const SourceId source = recipient.site->facts.path.source;
    if (why.source_fault == SourceFault::unfit) {
        // The site is this shard's; only recipients see it as const.
        const_cast<Site*>(recipient.site)->unfit_until = shard_.now() + SourceChoice::kUnfit;
    } else if (sources_.rest(source, shard_.now())) {
        core::log_warning(
            "egress source \"{}\" is not used for {} s: {}", egress().name_of(source),
            std::chrono::duration_cast<std::chrono::seconds>(SourceChoice::kRest).count(),
            why.reply.text);
    }
}

}  // namespace relay
