// Order: what an operator, or a rule of automation, wants done with mail: that it waits, or is
// bounced, until a time. Immutable once it is given. Values; pure.
// Limits: kMaxReason octets of a reason; kLongest until it ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "relay/control/selection.h"

namespace relay {

enum class OrderKind : std::uint8_t {
    suspend,       // the mail waits
    suspend_path,  // so does all mail of a source and a site
    bounce,        // the mail is given up, with an AdminBounce
};

std::string_view to_string(OrderKind kind);

// Who gives the orders of rules for replies (relay/automation).
inline constexpr std::string_view kAutomation = "automation";

struct Order {
    static constexpr std::size_t kMaxReason = 500;
    static constexpr core::Duration kLongest = std::chrono::days{366};
    static constexpr core::Duration kUsual = std::chrono::minutes{5};  // when none is named

    std::string id{};
    OrderKind kind = OrderKind::suspend;
    Selection selection{};
    std::string reason{};
    std::string who{};
    core::WallTime given{};
    core::WallTime expires{};
    bool operator==(const Order&) const = default;
};

// As a line of JSON, without its end.
std::string order_line(const Order& order);

}  // namespace relay
