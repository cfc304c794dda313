// The schema: every key of the configuration, table by table. A new key is a member of the settings
// (relay/config/config.h) and a line in the list of its table: name, member, kind and limits, when
// a change comes into force, meaning. Reading, docs/configuration.md, and what a reload says about
// a changed key follow. Names are fixed: users' files rely on them. The lists live for ever.
#pragma once

#include <cstddef>
#include <cstdint>

#include "relay/config/config.h"
#include "relay/config/key.h"

namespace relay {

inline constexpr std::size_t kMostShards = 256;
inline constexpr std::int64_t kMostRecipients = 1'000'000;
inline constexpr std::size_t kMostSmtpRecipients = 20'000;  // as Message::kMostRecipients

const Keys<NodeConfig>& node_keys();
const Keys<SpoolConfig>& spool_keys();
const Keys<MemoryConfig>& memory_keys();
const Keys<DnsConfig>& dns_keys();
const Keys<DeliveryConfig>& delivery_keys();
const Keys<RetryConfig>& retry_keys();
const Keys<ShapingConfig>& shaping_keys();
const Keys<ShapingLimits>& default_limit_keys();  // of `default` in [shaping]
const Keys<BounceConfig>& bounce_keys();
const Keys<TlsReportConfig>& tls_report_keys();
const Keys<EventsConfig>& events_keys();
// relay/config/listener.cc: those of every listener, and those of one protocol.
const Keys<ListenerConfig>& listener_keys();
const Keys<ListenerConfig>& smtp_listener_keys();
const Keys<ListenerConfig>& http_listener_keys();
// relay/config/tenant.cc
const Keys<TenantPolicy>& tenant_keys();
// relay/config/route.cc
const Keys<CredentialConfig>& credential_keys();
const Keys<RouteConfig>& route_keys();
const Keys<Smarthost>& smarthost_keys();
// relay/config/egress.cc
const Keys<EgressSource>& egress_source_keys();
const Keys<EgressPool>& egress_pool_keys();
const Keys<Warmup>& warmup_keys();

}  // namespace relay
