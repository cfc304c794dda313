// Router: whose limits hold for a domain's mail: its table, that of its site, its provider's.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "relay/routing/router.h"

namespace relay {

namespace {

// Where mail for many domains goes to, its limits are those of that host.
std::string_view first_host(const RouteConfig* route) {
    return route == nullptr || route->hosts.empty() ? std::string_view()
                                                    : std::string_view(route->hosts.front().host);
}

}  // namespace

// Mail that goes by a route belongs to the provider of its hosts, whoever the recipients' is.
ShapingScope Router::scope_by(std::string_view name, const RouteConfig& route) const {
    std::vector<std::string> hosts;
    for (const NextHop& hop : route.hosts)
        hosts.push_back(hop.host);
    return {.table = shaping().table_for(name, first_host(&route)),
            .provider = shaping().provider_of({}, hosts)};
}

ShapingScope Router::scope_by(std::string_view name, const dns::MxPlan& plan) const {
    std::vector<std::string> hosts;
    for (const dns::MxGroup& group : plan.groups)
        hosts.insert(hosts.end(), group.hosts.begin(), group.hosts.end());
    const ShapingTable* const own = shaping().table(name);
    const std::string_view of_site =
        own == nullptr || own->mx_rollup ? rollups_.table_of(plan.site) : std::string_view();
    return {.table = of_site.empty() ? shaping().table_for(name, {}) : of_site,
            .provider = shaping().provider_of(name, hosts)};
}

// ---- tables that hold for whole sites

void Router::look_up_rollups() {
    rollups_.begin(shaping());
    for (std::size_t i = 0; i < kMostRollupsAtOnce; ++i) {
        std::optional<std::string> first = rollups_.next();
        if (!first) return;
        lookups_.spawn(look_up_rollups_from(std::move(*first), generation_of_rollups_));
    }
}

core::Task<void> Router::look_up_rollups_from(std::string first, std::uint64_t generation) {
    std::optional<std::string> table = std::move(first);
    while (table && !stopped_) {
        const dns::MxResult found = co_await dns::resolve_mx(parts_.resolver, *table, parts_.rules);
        if (stopped_ || generation != generation_of_rollups_) co_return;
        if (found) note_rollup(*table, found->site);
        table = rollups_.next();
    }
}

// Domains that are known already are asked for again.
void Router::note_rollup(std::string_view table, std::string_view site) {
    if (rollups_.note(table, site)) ++generation_;
}

}  // namespace relay
