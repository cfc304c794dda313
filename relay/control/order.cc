#include "relay/control/order.h"

#include "core/base/json_text.h"

namespace relay {

namespace {

void append_text(std::string& line, std::string_view key, std::string_view text) {
    line.append(",\"").append(key).append("\":");
    core::append_json_string(line, text);
}

void append_time(std::string& line, std::string_view key, core::WallTime time) {
    const auto since = time.time_since_epoch();
    line.append(",\"").append(key).append("\":").append(
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(since).count()));
}

}  // namespace

std::string_view to_string(OrderKind kind) {
    switch (kind) {
        case OrderKind::suspend:
            return "suspend";
        case OrderKind::suspend_path:
            return "suspend-path";
        case OrderKind::bounce:
            return "bounce";
    }
    return {};
}

std::string order_line(const Order& order) {
    std::string line = "{\"id\":";
    core::append_json_string(line, order.id);
    append_text(line, "kind", to_string(order.kind));
    const Selection& selection = order.selection;
    append_text(line, "tenant", selection.tenant);
    append_text(line, "campaign", selection.campaign);
    append_text(line, "domain", selection.domain);
    append_text(line, "site", selection.site);
    append_text(line, "provider", selection.provider);
    append_text(line, "source", selection.source);
    append_text(line, "reason", order.reason);
    append_text(line, "who", order.who);
    append_time(line, "given", order.given);
    append_time(line, "expires", order.expires);
    return line + "}";
}

}  // namespace relay
