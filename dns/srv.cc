#include "dns/srv.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "dns/alias.h"
#include "dns/route_failure.h"
#include "dns/wire/domain_name.h"

namespace dns {

namespace {

RouteFailure no_service(std::string text, std::chrono::seconds ttl) {
    return failure(FailureKind::no_service, std::move(text), ttl);
}

}  // namespace

core::Task<ServiceResult> resolve_service(Resolver& resolver, std::string service) {
    const DnsAnswer answer = co_await follow_aliases(resolver, service, RecordType::srv);
    if (is_temporary(answer)) {
        co_return std::unexpected(temporary_failure(service, RecordType::srv, answer));
    }
    if (answer.status != DnsStatus::ok) {
        co_return std::unexpected(
            no_service(fmt::format("{} has no SRV record", service), answer.ttl));
    }
    ServicePlan plan;
    plan.ttl = answer.ttl;
    plan.authenticated = answer.authenticated;
    for (const Record& record : answer.records) {
        const auto& srv = std::get<SrvData>(record.data);
        if (!is_host_name(srv.target) || srv.port == 0) continue;  // "." among them
        plan.hosts.push_back({srv.target, srv.port, srv.priority, srv.weight});
    }
    if (plan.hosts.empty()) {
        co_return std::unexpected(no_service(
            fmt::format("{} is not available, say its SRV records", service), answer.ttl));
    }
    std::ranges::sort(plan.hosts, {}, [](const ServiceHost& host) {
        return std::tie(host.priority, host.host, host.port);
    });
    if (plan.hosts.size() > kMaxServiceHosts) plan.hosts.resize(kMaxServiceHosts);
    co_return plan;
}

std::vector<ServiceHost> service_order(const ServicePlan& plan, core::Prng& prng) {
    std::vector<ServiceHost> order = plan.hosts;
    for (std::size_t left = order.size(); left > 1; --left)  // equals in weight take turns too
        std::swap(order[left - 1], order[prng.below(left)]);
    // Weight 0 in front of its priority: drawn when the number is 0, and else last.
    std::ranges::sort(order, {}, [](const ServiceHost& host) {
        return std::pair(host.priority, host.weight != 0);
    });
    for (auto place = order.begin(); place != order.end(); ++place) {
        const auto end = std::ranges::find_if(place, order.end(), [&](const ServiceHost& host) {
            return host.priority != place->priority;
        });
        std::uint64_t total = 0;
        for (auto one = place; one != end; ++one)
            total += one->weight;
        const std::uint64_t drawn = prng.below(total + 1);
        auto chosen = place;
        for (std::uint64_t sum = chosen->weight; sum < drawn; sum += chosen->weight)
            ++chosen;
        std::rotate(place, chosen, std::next(chosen));
    }
    return order;
}

std::string_view service_domain(std::string_view service) {
    for (int label = 0; label < 2; ++label) {
        const auto dot = service.find('.');
        if (dot == std::string_view::npos) return {};
        service.remove_prefix(dot + 1);
    }
    return service;
}

}  // namespace dns
