// read_egress_source(), read_egress_pool(), read_warmup(): one [[egress_source]], [[egress_pool]]
// or
// [[warmup]] of the configuration; check_egress(): rules between them. Used by the parser, on the
// main thread.
#pragma once

#include "relay/config/config.h"
#include "relay/config/section.h"

namespace relay {

EgressSourceConfig read_egress_source(Section& from);
EgressPoolConfig read_egress_pool(Section& from);
WarmupConfig read_warmup(Section& from);

// Names are distinct, pools name sources that there are, and there are not too many.
void check_egress(const Config& config, Section& top);

// Tenants name pools that there are.
void check_pools_of_tenants(const Config& config, Section& top);

// Warm-ups are of sources that there are, each once, and overflow to pools that there are.
void check_warmups(const Config& config, Section& top);

// The plan of a configuration. before: the one that it replaces, or null.
EgressPlan egress_plan(const Config& config, const EgressPlan* before);

}  // namespace relay
