// asked_pause(): how long a receiver asks us to stay away, when a deferral says so: "greylisted for
// 900 seconds", "come back in 00:30:00", "retry in 1 hour", "nach 5 Minuten", "until
// 2026-11-30T12:00:00Z". Greylisting (RFC 6647) turns every earlier retry down, so coming sooner
// only costs attempts. Pure, linear in the text. Only words of theirs count, of any reply that
// defers. The first time that is named counts; of a range its end.
// Limits: kLongestPause; greylisting without a time means kGreylistPause.
#pragma once

#include <chrono>

#include "core/base/time.h"
#include "relay/message/disposition.h"

namespace relay {

inline constexpr core::Duration kGreylistPause = std::chrono::minutes{5};
inline constexpr core::Duration kLongestPause = std::chrono::hours{24};

// Zero: nothing was asked.
core::Duration asked_pause(const Disposition& disposition, core::WallTime now);

}  // namespace relay
