#include "relay/config/tenant.h"

#include <chrono>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/base/ascii.h"
#include "relay/config/kinds.h"
#include "relay/config/schema.h"
#include "relay/message/label_fields.h"

namespace relay {
namespace {

constexpr std::size_t kMaxPoolOctets = 80;

std::string tenant_complaint(std::string_view text) {
    return std::string(label_complaint(text));
}

std::string pool_complaint(std::string_view text) {
    return text.size() > kMaxPoolOctets ? "may have 80 octets at most" : "";
}

std::string domain_complaint(std::string_view text) {
    if (text.empty() || is_host_name(text)) return "";
    return "= " + toml_text(text.substr(0, 80)) +
           " is not a domain such as \"bounces.example.com\"";
}

struct MaybeRate {
    static std::string type() { return PerTime::type(); }
    static bool read(Section& from, std::string_view key, std::optional<core::Rate>& into) {
        core::Rate rate;
        if (!PerTime::read(from, key, rate)) return false;
        into = rate;
        return true;
    }
    static std::string write(const std::optional<core::Rate>& rate) {
        return rate ? PerTime::write(*rate) : toml_text("");
    }
};

}  // namespace

const Keys<TenantPolicy>& tenant_keys() {
    using Policy = TenantPolicy;
    static const Keys<Policy> kKeys{
        {"name", &Policy::name, Text{tenant_complaint}, InForce::reload,
         "as messages name it; 1 to 128 octets, no two alike. `\"default\"`: for mail of tenants "
         "without a table, and of none",
         "required"},
        {"weight", &Policy::weight, Integer{1, Policy::kMaxWeight}, InForce::reload,
         "its share inside each path, beside those of other tenants with mail of the same "
         "priority ([deliverability.md](deliverability.md#tenants-campaigns-priorities))"},
        {"priority", &Policy::priority,
         Words<Priority>{{{"urgent", Priority::urgent},
                          {"normal", Priority::normal},
                          {"bulk", Priority::bulk}}},
         InForce::reload, "of its mail that asks for none; for what is accepted from then on"},
        {"pool", &Policy::pool, Text{pool_complaint}, InForce::reload,
         "egress pool; no effect in this version", "none"},
        {"max_message_rate", &Policy::max_message_rate, MaybeRate{}, InForce::reload,
         "messages that may leave in a time, over all destinations and shards: excess waits, "
         "counts no attempt, and keeps nobody else's place. Tenants without a table have the rate "
         "of `\"default\"` together",
         "none"},
        {"retry_intervals", &Policy::retry_intervals, Times{std::chrono::seconds{1}},
         InForce::reload,
         "in place of `[retry] intervals`; intervals of a destination, in a shaping file, go "
         "before them. For the next deferral of each message",
         "as `[retry]` says"},
        {"bounces", &Policy::bounces,
         Words<BouncePolicy>{{{"record", BouncePolicy::record},
                              {"mail", BouncePolicy::mail},
                              {"both", BouncePolicy::both}}},
         InForce::reload,
         "how failures are told, in place of what the listener says; for what is accepted from "
         "then on",
         "as the listener says"},
        {"suppression", &Policy::suppression, Flag{}, InForce::reload,
         "`true`: keep and obey a suppression list; no effect in this version"},
        {"return_domain", &Policy::return_domain, Text{domain_complaint, "domain"}, InForce::reload,
         "domain of its VERP addresses; no effect in this version", "none"},
    };
    return kKeys;
}

TenantConfig read_tenant(Section& from) {
    TenantConfig tenant;
    tenant.line = from.line();
    if (from.take("name") == nullptr) {
        from.problem(from.line(), "[[tenant]] needs a name such as \"newsletters\"");
    }
    read_keys(from, tenant_keys(), tenant.policy, tenant.lines);
    tenant.policy.return_domain = core::to_lower(tenant.policy.return_domain);
    from.finish();
    return tenant;
}

void check_distinct(const std::vector<TenantConfig>& tenants, Section& top) {
    std::set<std::string_view> names;
    for (const TenantConfig& each : tenants) {
        const std::string& name = each.policy.name;
        if (name.empty() || names.insert(name).second) continue;
        top.problem(each.line, "two tenants have the name " + toml_text(name));
    }
}

void warn_of_keys_without_effect(const TenantConfig& tenant, const std::string& file,
                                 Problems& warnings) {
    const TenantPolicy& policy = tenant.policy;
    const auto warn = [&](std::string_view key, bool asks) {
        if (!asks) return;
        warnings.push_back({file, tenant.lines.of(key),
                            "[[tenant]] " + std::string(key) + " of " + toml_text(policy.name) +
                                " has no effect in this version"});
    };
    warn("pool", !policy.pool.empty());
    warn("suppression", policy.suppression);
    warn("return_domain", !policy.return_domain.empty());
}

std::shared_ptr<const TenantPolicies> tenant_policies(const Config& config) {
    if (config.tenants.empty()) return TenantPolicies::none();
    std::vector<TenantPolicy> tables;
    tables.reserve(config.tenants.size());
    for (const TenantConfig& each : config.tenants)
        tables.push_back(each.policy);
    return std::make_shared<const TenantPolicies>(std::move(tables));
}

}  // namespace relay
