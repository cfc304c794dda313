#include "relay/control/order_book.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "relay/control/flat_json.h"

namespace relay {

namespace {

constexpr std::string_view kFormat = "{\"posthaste\":\"orders\",\"version\":1}";

std::optional<OrderKind> kind_of(std::string_view name) {
    for (const OrderKind kind : {OrderKind::suspend, OrderKind::suspend_path, OrderKind::bounce}) {
        if (to_string(kind) == name) return kind;
    }
    return std::nullopt;
}

core::Result<Order> order_of(std::string_view line) {
    const auto fields = FlatJson::parse(line);
    if (!fields) return std::unexpected(fields.error());
    const auto kind = kind_of(fields->text("kind"));
    const auto given = fields->number("given");
    const auto expires = fields->number("expires");
    if (!kind || !given || !expires || fields->text("id").empty()) {
        return core::failure("it is not an order");
    }
    return Order{.id = fields->text("id"),
                 .kind = *kind,
                 .selection = {.tenant = fields->text("tenant"),
                               .campaign = fields->text("campaign"),
                               .domain = fields->text("domain"),
                               .site = fields->text("site"),
                               .provider = fields->text("provider"),
                               .source = fields->text("source")},
                 .reason = fields->text("reason"),
                 .who = fields->text("who"),
                 .given = core::WallTime{std::chrono::milliseconds{*given}},
                 .expires = core::WallTime{std::chrono::milliseconds{*expires}}};
}

}  // namespace

core::Result<Order> OrderBook::give(Order order) {
    const auto same = std::ranges::find_if(orders_, [&order](const auto& entry) {
        return entry.second.kind == order.kind && entry.second.selection == order.selection;
    });
    if (same != orders_.end()) {
        // What an operator ordered, a rule may prolong and not change.
        if (order.who == kAutomation && same->second.who != kAutomation) {
            same->second.expires = std::max(same->second.expires, order.expires);
            return same->second;
        }
        order.id = same->first;
        return same->second = std::move(order);
    }
    if (orders_.size() >= kMaxOrders) {
        return core::failure("there are " + std::to_string(kMaxOrders) +
                             " suspensions and bounces already, and no more are kept; end one "
                             "first");
    }
    std::string id = order.id;
    return orders_.insert_or_assign(std::move(id), std::move(order)).first->second;
}

std::optional<Order> OrderBook::end(std::string_view id, bool (*of_kind)(OrderKind)) {
    const auto found = orders_.find(id);
    if (found == orders_.end() || !of_kind(found->second.kind)) return std::nullopt;
    Order ended = std::move(found->second);
    orders_.erase(found);
    return ended;
}

bool OrderBook::expire(core::WallTime now) {
    return std::erase_if(orders_,
                         [now](const auto& entry) { return entry.second.expires <= now; }) > 0;
}

std::optional<core::WallTime> OrderBook::next_expiry() const {
    std::optional<core::WallTime> next;
    for (const auto& [id, order] : orders_)
        next = std::min(next.value_or(order.expires), order.expires);
    return next;
}

const Order* OrderBook::find(std::string_view id) const {
    const auto found = orders_.find(id);
    return found == orders_.end() ? nullptr : &found->second;
}

std::shared_ptr<const OrderSet> OrderBook::snapshot() const {
    std::vector<Order> all;
    all.reserve(orders_.size());
    for (const auto& [id, order] : orders_)
        all.push_back(order);
    return std::make_shared<const OrderSet>(std::move(all));
}

std::string OrderBook::text() const {
    std::string text(kFormat);
    text += '\n';
    for (const auto& [id, order] : orders_)
        text.append(order_line(order)).append("\n");
    return text;
}

core::Result<void> OrderBook::read(std::string_view text, core::WallTime now) {
    std::map<std::string, Order, std::less<>> read;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (++number == 1) {
            if (line == kFormat) continue;
            return core::failure("line 1 is not " + std::string(kFormat));
        }
        auto order = order_of(line);
        if (!order) {
            return core::failure("line " + std::to_string(number) + ": " + order.error());
        }
        if (order->expires <= now) continue;
        std::string id = order->id;
        read.insert_or_assign(std::move(id), std::move(*order));
    }
    if (read.size() > kMaxOrders) return core::failure("there are too many orders in it");
    orders_ = std::move(read);
    return {};
}

core::Result<Order> check_order(Order order) {
    auto selection = checked(std::move(order.selection));
    if (!selection) return std::unexpected(selection.error());
    order.selection = std::move(*selection);
    const bool control = std::ranges::any_of(
        order.reason, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
    if (order.reason.size() > Order::kMaxReason || control) {
        return core::failure("reason must be one line of at most " +
                             std::to_string(Order::kMaxReason) + " octets");
    }
    if (order.expires <= order.given) return core::failure("duration must be longer than nothing");
    if (order.expires - order.given > Order::kLongest) {
        return core::failure("duration must not be longer than 366d");
    }
    if (order.kind == OrderKind::suspend_path && order.selection.site.empty()) {
        return core::failure("site is missing: whose path is to be suspended");
    }
    if (order.kind == OrderKind::bounce && order.selection.empty()) {
        return core::failure(
            "a bounce needs a domain, tenant, campaign, site, provider or source: it cannot be "
            "undone, and without one it is for all mail");
    }
    return order;
}

}  // namespace relay
