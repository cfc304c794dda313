// What admin requests say, read from their bodies and queries: orders, selections, names. Pure.
// What is wrong is a ControlFault that names the field. Fields of KumoMTA's requests that have no
// counterpart here are refused by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/control/api/control_desk.h"
#include "relay/control/flat_json.h"

namespace relay {

// A body with no other fields than these.
Controlled<FlatJson> read_body(std::string_view body, std::vector<std::string_view> known);

Controlled<Order> read_order(OrderKind kind, std::string_view body, core::WallTime now);
struct RetryRequest {
    Selection selection{};
    std::string reason{};
};
Controlled<RetryRequest> read_retry(std::string_view body);
// {"id": …}
Controlled<std::string> read_id(std::string_view body);

// The value of a field of a query, decoded; empty: it is absent.
std::string query_value(std::string_view query, std::string_view name);

}  // namespace relay
