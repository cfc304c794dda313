// BounceVerdict: what a failure means, as BounceRules found it. Made once, by whoever settles the
// disposition; it decides whether a refusal is tried again, and goes along with the outcome to all
// who tell of it. Plain value; its name is valid as long as the rules that gave it.
#pragma once

#include <string_view>

#include "relay/bounce/bounce_class.h"

namespace relay {

struct BounceVerdict {
    std::string_view name;  // of the class; empty: no failure
    BounceKind kind = BounceKind::soft;
    bool suppress = false;  // the address should get no more mail
    bool retry = false;     // try again, although the reply is permanent
};

}  // namespace relay
