// dns_probe: what would this machine's DNS say about mail for a domain? Prints one JSON line for
// each domain, with the plan, the addresses of its hosts and the failures, as the relay sees them,
// and a last line with counters. For operators and for the system tests. All domains are asked at
// once.
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/io/runtime.h"
#include "core/runtime/task_group.h"
#include "dns/ares_channel.h"
#include "dns/cached_resolver.h"
#include "dns/mx.h"

namespace {

struct ProbeOptions {
    dns::AresOptions servers;
    dns::RoutingRules rules;
    std::vector<std::string> domains;
    int rounds = 1;  // how often everything is asked
};

std::string json_string(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + '"';
}

template <typename List, typename Show>
std::string array(const List& list, Show show) {
    std::vector<std::string> shown;
    for (const auto& item : list)
        shown.push_back(show(item));
    return fmt::format("[{}]", fmt::join(shown, ","));
}

std::string_view name_of(dns::FailureKind kind) {
    switch (kind) {
        case dns::FailureKind::bad_domain:
            return "bad_domain";
        case dns::FailureKind::no_such_domain:
            return "no_such_domain";
        case dns::FailureKind::null_mx:
            return "null_mx";
        case dns::FailureKind::unusable:
            return "unusable";
        case dns::FailureKind::prohibited:
            return "prohibited";
        case dns::FailureKind::own_host:
            return "own_host";
        case dns::FailureKind::no_service:
            return "no_service";
        case dns::FailureKind::temporary:
            return "temporary";
    }
    return "temporary";
}

std::string show_failure(const dns::RouteFailure& failure) {
    const dns::FailureCodes codes = dns::codes_of(failure.kind);
    return fmt::format(R"({{"kind":"{}","reply":"{} {}.{}.{}","text":{},"ttl":{}}})",
                       name_of(failure.kind), codes.reply, codes.klass(), codes.subject,
                       codes.detail, json_string(failure.text), failure.ttl.count());
}

std::string show_addresses(const std::string& host, const dns::AddressResult& result) {
    if (!result) {
        return fmt::format(R"({{"host":{},"failure":{}}})", json_string(host),
                           show_failure(result.error()));
    }
    return fmt::format(R"({{"host":{},"canonical":{},"addresses":{},"ttl":{}}})", json_string(host),
                       json_string(result->canonical_name),
                       array(result->addresses,
                             [](const auto& address) { return json_string(address.to_string()); }),
                       result->ttl.count());
}

std::string show_plan(const dns::MxPlan& plan) {
    const auto show_group = [](const dns::MxGroup& group) {
        return fmt::format(R"({{"preference":{},"hosts":{}}})", group.preference,
                           array(group.hosts, json_string));
    };
    return fmt::format(
        R"("canonical":{},"site":{},"ttl":{},"implicit":{},"authenticated":{},"groups":{})",
        json_string(plan.canonical_name), json_string(plan.site), plan.ttl.count(), plan.implicit,
        plan.authenticated, array(plan.groups, show_group));
}

core::Task<void> probe(core::Shard& shard, dns::Resolver& resolver, const ProbeOptions& options,
                       std::string domain) {
    dns::MxResult plan = co_await dns::resolve_mx(resolver, domain, options.rules);
    if (!plan) {
        fmt::print("{{\"domain\":{},\"failure\":{}}}\n", json_string(domain),
                   show_failure(plan.error()));
        co_return;
    }
    const std::vector<std::string> order = dns::delivery_order(*plan, shard.prng());
    std::vector<std::string> hosts;
    for (const std::string& host : order) {
        const dns::AddressResult result =
            co_await dns::resolve_addresses(resolver, host, options.rules);
        hosts.push_back(show_addresses(host, result));
    }
    fmt::print("{{\"domain\":{},{},\"order\":{},\"hosts\":[{}]}}\n", json_string(domain),
               show_plan(*plan), array(order, json_string), fmt::join(hosts, ","));
}

core::Task<void> probe_all(core::Shard& shard, const ProbeOptions& options, std::string& error) {
    auto channel = dns::AresChannel::open(shard, options.servers);
    if (!channel) {
        error = channel.error();
        co_return;
    }
    dns::CachedResolver resolver(shard, **channel);
    for (int round = 0; round < options.rounds; ++round) {
        core::TaskGroup tasks(shard.reactor());
        for (const std::string& domain : options.domains) {
            tasks.spawn(probe(shard, resolver, options, domain));
        }
        co_await tasks.close();
    }
    co_await (*channel)->close();
    const dns::AresStats sent = (*channel)->stats();
    const dns::DnsCounters& counters = resolver.counters();
    fmt::print(
        "{{\"counters\":{{\"queries\":{},\"over_tcp\":{},\"cache_hits\":{},\"cache_misses\":{},"
        "\"joined\":{},\"delayed\":{}}}}}\n",
        sent.queries, sent.over_tcp, counters.cache_hits, counters.cache_misses, counters.joined,
        counters.delayed);
}

int run(const ProbeOptions& options) {
    std::string error;
    core::Runtime runtime({.shards = 1,
                           .pin_threads = false,
                           .engine = core::choose_engine(core::IoChoice::automatic)->engine,
                           .receive_buffers = 16});
    const auto result =
        runtime.run([&](core::Shard& shard) { return probe_all(shard, options, error); });
    if (!result) error = result.error();
    if (error.empty()) return 0;
    fmt::print(stderr, "dns_probe: {}\n", error);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    ProbeOptions options;
    std::vector<std::string> prohibited;
    std::vector<std::string> own_addresses;
    int first_timeout = static_cast<int>(options.servers.first_timeout.count());
    CLI::App app("Prints what DNS says about mail for each domain, one JSON line each.");
    app.add_option("--server", options.servers.servers, "ip or ip:port; default: resolv.conf")
        ->allow_extra_args(false);
    app.add_flag("--trust-ad", options.servers.trust_ad, "the servers validate DNSSEC");
    app.add_option("--first-timeout", first_timeout, "milliseconds; doubles with each of 3 tries");
    app.add_option("--own-name", options.rules.own_names, "a name that leads back to us")
        ->allow_extra_args(false);
    app.add_option("--own-address", own_addresses, "an address that leads back to us")
        ->allow_extra_args(false);
    app.add_option("--prohibited", prohibited, "a network that no mail is sent to")
        ->allow_extra_args(false);
    app.add_option("--rounds", options.rounds, "ask everything so often");
    app.allow_extras();  // not a positional option: CLI11 would take "[192.0.2.1]" for a list
    app.footer("Arguments: one or more domains.");
    CLI11_PARSE(app, argc, argv);
    options.domains = app.remaining();
    options.servers.first_timeout = std::chrono::milliseconds{first_timeout};
    for (const std::string& text : prohibited) {
        const auto network = core::IpNetwork::parse(text);
        if (!network) {
            fmt::print(stderr, "dns_probe: {}\n", network.error());
            return 2;
        }
        options.rules.prohibited.push_back(*network);
    }
    for (const std::string& text : own_addresses) {
        const auto address = core::IpAddress::parse(text);
        if (!address) {
            fmt::print(stderr, "dns_probe: {}\n", address.error());
            return 2;
        }
        options.rules.own_addresses.push_back(*address);
    }
    return run(options);
}
