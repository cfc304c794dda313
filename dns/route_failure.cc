#include "dns/route_failure.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dns/alias.h"

namespace dns {

FailureCodes codes_of(FailureKind kind) {
    switch (kind) {
        case FailureKind::bad_domain:
        case FailureKind::no_such_domain:
            return {550, 1, 2};
        case FailureKind::null_mx:
            return {556, 1, 10};
        case FailureKind::unusable:
        case FailureKind::prohibited:
            return {550, 4, 4};
        case FailureKind::own_host:
            return {554, 4, 6};
        case FailureKind::no_service:
            return {451, 4, 4};
        case FailureKind::temporary:
            break;
    }
    return {451, 4, 3};
}

RouteFailure failure(FailureKind kind, std::string text, std::chrono::seconds ttl) {
    return {kind, std::move(text), ttl};
}

RouteFailure temporary_failure(std::string_view name, RecordType type, const DnsAnswer& answer) {
    return failure(FailureKind::temporary, failure_text(name, type, answer), answer.ttl);
}

RouteFailure contradiction(std::string_view name, std::chrono::seconds ttl) {
    return failure(FailureKind::temporary,
                   fmt::format("the name servers contradict each other about {}", name), ttl);
}

bool is_own(const RoutingRules& rules, const core::IpAddress& address) {
    return std::ranges::any_of(rules.own_addresses, [&](const core::IpAddress& own) {
        return own.unmapped() == address.unmapped();
    });
}

bool is_prohibited(const RoutingRules& rules, const core::IpAddress& address) {
    return std::ranges::any_of(rules.prohibited, [&](const core::IpNetwork& network) {
        return network.contains(address);
    });
}

}  // namespace dns
