#include "relay/shaping/provider.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace relay {
namespace {

std::string_view without_dot(std::string_view name) {
    return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

bool ends_like(std::string_view name, std::string_view suffix) {
    name = without_dot(name);
    return name.size() >= suffix.size() &&
           core::equals_ignoring_case(name.substr(name.size() - suffix.size()), suffix);
}

bool fits(const ProviderMatch& rule, std::string_view host) {
    switch (rule.kind) {
        case MatchKind::mx_suffix:
            return ends_like(host, rule.name);
        case MatchKind::host_name:
            return core::equals_ignoring_case(without_dot(host), rule.name);
        case MatchKind::domain_suffix:
            break;
    }
    return false;
}

}  // namespace

bool belongs_to(std::span<const ProviderMatch> rules, std::string_view domain,
                std::span<const std::string> hosts) {
    const auto by_domain = [domain](const ProviderMatch& rule) {
        return rule.kind == MatchKind::domain_suffix && !domain.empty() &&
               ends_like(domain, rule.name);
    };
    if (std::ranges::any_of(rules, by_domain)) return true;
    return !hosts.empty() && std::ranges::all_of(hosts, [rules](const std::string& host) {
        return std::ranges::any_of(rules,
                                   [&host](const ProviderMatch& rule) { return fits(rule, host); });
    });
}

}  // namespace relay
