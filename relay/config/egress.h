// read_egress_source(), read_egress_pool(): one [[egress_source]] and one [[egress_pool]] of the
// configuration; check_egress(): rules between them. Used by the parser, on the main thread.
#pragma once

#include "relay/config/config.h"
#include "relay/config/section.h"

namespace relay {

EgressSourceConfig read_egress_source(Section& from);
EgressPoolConfig read_egress_pool(Section& from);

// Names are distinct, pools name sources that there are, and there are not too many.
void check_egress(const Config& config, Section& top);

// The plan of a configuration. before: the one that it replaces, or null.
EgressPlan egress_plan(const Config& config, const EgressPlan* before);

}  // namespace relay
