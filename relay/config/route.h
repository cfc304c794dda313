// A table [[route]] of the configuration: where mail for a domain goes in place of its MX, and how
// safely. A part of the parser; see relay/config/parse.h.
#pragma once

#include "relay/config/section.h"

namespace relay {

// What is wrong is among the section's problems; the route is then not to be used.
RouteConfig read_route(Section& from);

}  // namespace relay
