// SourceId: an egress source (the address that mail leaves from, and the name in EHLO) by number.
// Numbers are process-wide and outlive a reload (relay/egress/plan.h). Zero: the source "default",
// which binds no address unless the configuration gives it one.
#pragma once

#include <cstdint>

namespace relay {

enum class SourceId : std::uint16_t { any = 0 };

}  // namespace relay
