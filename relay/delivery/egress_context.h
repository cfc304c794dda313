// EgressContext: what everything on the delivering side of one shard works with. Made by the
// composition root, outlives the Dispatcher, its paths and connections. One shard.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/io/shard.h"
#include "core/runtime/shard_log.h"
#include "dns/mx.h"
#include "metrics/shard_metrics.h"
#include "relay/control/order_set.h"
#include "relay/delivery/egress_tls.h"
#include "relay/delivery/host_memory.h"
#include "relay/message/tenant_policy.h"
#include "relay/routing/exchange.h"
#include "relay/security/session_counts.h"
#include "relay/smtp/client_dialogue.h"
#include "relay/spool/in_hand.h"

namespace relay {

class LargestSites;    // relay/path
class ProviderLimits;  // relay/path
class SharedRates;     // relay/path
class Reactions;       // relay/automation
class Learned;         // relay/limits

struct EgressOptions {
    std::string ehlo_name;
    core::Duration max_age = std::chrono::days{5};
    core::Duration first_pause = std::chrono::seconds{10};  // of a site that failed; doubles
    core::Duration longest_pause = std::chrono::minutes{5};
    PipelineMode pipelining = PipelineMode::next;  // at most
    bool chunking = true;
    std::size_t many_idle = 20'000;  // connections of a shard: further ones idle for briefly_idle
    core::Duration briefly_idle = std::chrono::seconds{1};
    std::size_t many_paths = 50'000;  // of a shard: above it unused ones are not kept for long

    HostPauses pauses() const { return {first_pause, longest_pause}; }
};

struct EgressContext {
    core::Shard& shard;
    const EgressOptions& options;
    dns::Resolver& resolver;
    const dns::RoutingRules& rules;        // for MX hosts
    const dns::RoutingRules& route_rules;  // for hosts of a [[route]]: nothing is prohibited
    Exchange& exchange;
    metrics::ShardMetrics& metrics;
    EgressTls& tls;
    HostMemory& hosts;
    SessionCounts* sessions = nullptr;  // for reports about TLS; null: nobody reports
    InHand* in_hand = nullptr;          // where it is noted what is being sent; null: nowhere
    LargestSites* largest = nullptr;    // for the log; null: nobody reads it
    // What tenants' tables say, as of now.
    std::shared_ptr<const TenantPolicies> tenants = TenantPolicies::none();
    std::size_t idle = 0;                 // connections that wait for mail
    core::ShardLog* log = nullptr;        // the dispatcher's: what an operator asks why mail waits
    ProviderLimits* providers = nullptr;  // the dispatcher's
    SharedRates* rates = nullptr;         // the dispatcher's
    Reactions* reactions = nullptr;       // to replies; null: there is no automation
    const Learned* learned = nullptr;     // by an earlier process; null: nothing
    std::shared_ptr<const OrderSet> orders{};  // in force; null: there are none

    InHand::Note take_in_hand(const Message& message) const {
        return in_hand == nullptr ? InHand::Note() : in_hand->note(message.id);
    }
};

}  // namespace relay
