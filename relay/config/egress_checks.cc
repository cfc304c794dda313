// Sources, pools and warm-ups of the configuration: what they must be to each other.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "relay/config/egress.h"
#include "relay/config/kinds.h"

namespace relay {

void check_egress(const Config& config, Section& top) {
    std::set<std::string_view> sources;
    for (const EgressSourceConfig& each : config.egress_sources) {
        const std::string& name = each.source.name;
        if (name.empty() || sources.insert(name).second) continue;
        top.problem(each.line, "[[egress_source]] name = " + toml_text(name) + " is there twice");
    }
    if (config.egress_sources.size() > kMostEgressSources) {
        top.problem(
            config.egress_sources.back().line,
            "there are more than " + std::to_string(kMostEgressSources) + " [[egress_source]]");
    }
    if (config.egress_pools.size() > kMostEgressPools) {
        top.problem(config.egress_pools.back().line,
                    "there are more than " + std::to_string(kMostEgressPools) + " [[egress_pool]]");
    }
    sources.insert(EgressPlan::kDefault);
    std::set<std::string_view> pools;
    for (const EgressPoolConfig& each : config.egress_pools) {
        const std::string& name = each.pool.name;
        const std::string called = "[[egress_pool]] " + toml_text(name);
        if (!name.empty() && !pools.insert(name).second) {
            top.problem(each.line, "[[egress_pool]] name = " + toml_text(name) + " is there twice");
        }
        std::set<std::string_view> members;
        bool any = false;
        for (const PoolSource& one : each.pool.sources) {
            any = any || one.weight > 0;
            if (!sources.contains(one.name)) {
                top.problem(one.line, called + " names the source " + toml_text(one.name) +
                                          ", and there is no such [[egress_source]]");
            } else if (!members.insert(one.name).second) {
                top.problem(one.line,
                            called + " names the source " + toml_text(one.name) + " twice");
            }
        }
        if (!any && !each.pool.sources.empty()) {
            top.problem(each.line, called + " has no source of a weight above 0");
        }
    }
}

void check_pools_of_tenants(const Config& config, Section& top) {
    for (const TenantConfig& tenant : config.tenants) {
        const std::string& pool = tenant.policy.pool;
        const auto same = [&](const EgressPoolConfig& one) { return one.pool.name == pool; };
        if (pool.empty() || pool == EgressPlan::kDefault) continue;
        if (std::ranges::any_of(config.egress_pools, same)) continue;
        top.problem(tenant.lines.of("pool"), "[[tenant]] " + toml_text(tenant.policy.name) +
                                                 " pool = " + toml_text(pool) +
                                                 ": there is no such [[egress_pool]]");
    }
}

void check_warmups(const Config& config, Section& top) {
    std::set<std::string_view> sources;
    for (const WarmupConfig& each : config.warmups) {
        const Warmup& warmup = each.warmup;
        const auto is_source = [&](const EgressSourceConfig& one) {
            return one.source.name == warmup.source;
        };
        const auto is_pool = [&](const EgressPoolConfig& one) {
            return one.pool.name == warmup.overflow;
        };
        const std::string called = "[[warmup]] of " + toml_text(warmup.source);
        if (warmup.source.empty() || warmup.overflow.empty()) continue;  // told already
        if (std::ranges::none_of(config.egress_sources, is_source)) {
            top.problem(each.lines.of("source"), called + ": there is no such [[egress_source]]");
        }
        if (!sources.insert(warmup.source).second) {
            top.problem(each.line, called + " is there twice");
        }
        const auto pool = std::ranges::find_if(config.egress_pools, is_pool);
        const bool itself = pool != config.egress_pools.end() && pool->pool.sources.size() == 1 &&
                            pool->pool.sources.front().name == warmup.source;
        if (pool == config.egress_pools.end()) {
            top.problem(each.lines.of("overflow"), called +
                                                       " overflow = " + toml_text(warmup.overflow) +
                                                       ": there is no such [[egress_pool]]");
        } else if (itself) {
            top.problem(
                each.lines.of("overflow"),
                called + " overflow = " + toml_text(warmup.overflow) + ": has no other source");
        }
    }
}

}  // namespace relay
