// Probes: what watches the relay from outside asks here: GET /healthz (the loops turn), GET /readyz
// (injection is accepted) and GET /metrics (Prometheus text). Adds routes to a listener's Router;
// the providers come from the composition root, run on the shard that was asked and must outlive
// the server. No authentication and no personal data: metrics carry no addresses.
//   200 {"status":"ok"}          503 {"status":"unavailable","reason":"…"}
#pragma once

#include <functional>
#include <string>

#include "core/http/router.h"
#include "core/runtime/task.h"

namespace relay {

struct Probes {
    // An empty answer means yes, anything else is the reason why not.
    std::function<std::string()> unhealthy;
    std::function<std::string()> unready;
    // The whole exposition, counters of all shards summed; may await other shards. Empty: no route.
    std::function<core::Task<std::string>()> metrics;
    core::HttpGate may_scrape{};  // who may read the metrics; empty: everybody
};

void add_probe_routes(core::Router& router, Probes probes);

}  // namespace relay
