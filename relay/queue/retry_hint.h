// asked_pause(): how long a receiver asks us to stay away, when a deferral says so: greylisting
// (RFC 6647) turns every earlier retry down, so coming sooner only costs attempts. Pure, linear in
// the text. Only 450 and 451 of theirs count. Limits: kShortestPause to kLongestPause.
#pragma once

#include <chrono>

#include "core/base/time.h"
#include "relay/message/disposition.h"

namespace relay {

inline constexpr core::Duration kShortestPause = std::chrono::minutes{5};
inline constexpr core::Duration kLongestPause = std::chrono::hours{1};

// Zero: nothing was asked. "greylisted" alone means kShortestPause.
core::Duration asked_pause(const Disposition& disposition);

}  // namespace relay
