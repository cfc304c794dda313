#include "dns/route_failure.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dns/alias.h"

namespace dns {

RouteFailure failure(FailureKind kind, std::string text, std::chrono::seconds ttl) {
    RouteFailure result;
    result.kind = kind;
    result.text = std::move(text);
    result.ttl = ttl;
    const auto reply = [&](std::uint16_t code, std::uint16_t subject, std::uint16_t detail) {
        result.code = code;
        result.klass = static_cast<std::uint8_t>(code / 100);
        result.subject = subject;
        result.detail = detail;
    };
    switch (kind) {
        case FailureKind::bad_domain:
        case FailureKind::no_such_domain:
            reply(550, 1, 2);
            break;
        case FailureKind::null_mx:
            reply(556, 1, 10);
            break;
        case FailureKind::unusable:
        case FailureKind::prohibited:
            reply(550, 4, 4);
            break;
        case FailureKind::own_host:
            reply(554, 4, 6);
            break;
        case FailureKind::no_service:
            reply(451, 4, 4);
            break;
        case FailureKind::temporary:
            reply(451, 4, 3);
            break;
    }
    return result;
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
