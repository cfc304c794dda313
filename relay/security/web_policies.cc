#include "relay/security/web_policies.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "relay/security/sts_policy.h"

namespace relay {

namespace {

// "text/plain", whatever parameters follow.
bool is_plain_text(std::string_view type) {
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t'))
        type.remove_suffix(1);
    return core::equals_ignoring_case(type, "text/plain");
}

FetchedPolicy judge(core::HttpsReply reply) {
    FetchedPolicy fetched;
    if (reply.fault != core::HttpsFault::none) {
        fetched.reason = std::move(reply.reason);
        if (reply.fault == core::HttpsFault::certificate) fetched.fault = FetchFault::webpki;
    } else if (reply.status != 200) {
        fetched.reason = "HTTP status " + std::to_string(reply.status);
    } else if (!is_plain_text(reply.content_type)) {
        fetched.reason = "media type " + reply.content_type + ", not text/plain";
    } else {
        fetched.fault = FetchFault::none;
        fetched.text = std::move(reply.body);
    }
    return fetched;
}

}  // namespace

core::Task<PolicyHost> WebPolicies::locate(std::string domain) {
    auto found = co_await dns::resolve_addresses(resolver_, "mta-sts." + domain, rules_);
    if (!found) co_return PolicyHost{{}, std::move(found.error().text)};
    co_return PolicyHost{std::move(found->addresses), {}};
}

core::Task<FetchedPolicy> WebPolicies::fetch(std::string domain, PolicyHost policy_host,
                                             core::Duration time) {
    const core::Instant deadline = shard_.now() + time;
    const std::string host = "mta-sts." + domain;
    FetchedPolicy fetched;
    fetched.reason = std::move(policy_host.reason);
    std::size_t tried = 0;
    for (const core::IpAddress& address : policy_host.addresses) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - shard_.now());
        if (tried++ == kMostAddresses || left.count() <= 0) break;
        core::HttpsReply reply = co_await client_.ask({.host = host,
                                                       .path = "/.well-known/mta-sts.txt",
                                                       .address = {address, kPort},
                                                       .most_octets = StsPolicy::kMostOctets,
                                                       .timeout = left});
        const bool answered = reply.fault != core::HttpsFault::network;
        fetched = judge(std::move(reply));
        if (answered) break;
    }
    fetched.timed_out = fetched.fault == FetchFault::fetch && shard_.now() >= deadline;
    co_return fetched;
}

}  // namespace relay
