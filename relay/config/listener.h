// A table [[listener]] of the configuration: where mail comes in, from whom, and how much. Its keys
// are a part of the schema; what holds between them is checked here. Called on the main thread by
// parse_config().
#pragma once

#include <vector>

#include "relay/config/config.h"
#include "relay/config/section.h"

namespace relay {

// A listener of a protocol with every default; it has no address.
ListenerConfig default_listener(ListenerProtocol protocol);

ListenerConfig read_listener(Section& from);

// No two have a name or an address in common.
void check_distinct(const std::vector<ListenerConfig>& listeners, Section& top);

}  // namespace relay
