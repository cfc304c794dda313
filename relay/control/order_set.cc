#include "relay/control/order_set.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"

namespace relay {

namespace {

enum By : std::size_t { by_domain, by_campaign, by_tenant, by_site, by_source, by_provider };

std::pair<std::size_t, std::string_view> key_of(const Selection& selection) {
    const std::pair<std::size_t, std::string_view> keys[] = {
        {by_domain, selection.domain}, {by_campaign, selection.campaign},
        {by_tenant, selection.tenant}, {by_site, selection.site},
        {by_source, selection.source}, {by_provider, selection.provider}};
    for (const auto& key : keys) {
        if (!key.second.empty()) return key;
    }
    return {by_domain, {}};
}

// The bounce, or what was found before it.
const Order* better(const Order* found, const std::vector<const Order*>& among,
                    const MailFacts& mail) {
    for (const Order* order : among) {
        if (found != nullptr && (order->kind != OrderKind::bounce || found->kind == order->kind)) {
            continue;
        }
        if (order->selection.matches(mail)) found = order;
    }
    return found;
}

}  // namespace

OrderSet::OrderSet(std::vector<Order> orders) : orders_(std::move(orders)) {
    for (const Order& order : orders_) {
        ids_.emplace(order.id, &order);
        const auto [index, key] = key_of(order.selection);
        if (key.empty()) {
            of_all_.push_back(&order);
        } else {
            by_[index][std::string(key)].push_back(&order);
        }
    }
}

const Order* OrderSet::match(const MailFacts& mail) const {
    const Order* found = better(nullptr, of_all_, mail);
    const auto look = [&](std::size_t index, std::string_view key) {
        if (by_[index].empty() || key.empty()) return;
        if (const auto at = by_[index].find(key); at != by_[index].end()) {
            found = better(found, at->second, mail);
        }
    };
    if (!by_[by_domain].empty()) look(by_domain, core::to_lower(mail.domain));
    look(by_campaign, mail.campaign);
    look(by_tenant, mail.tenant.empty() ? kDefaultTenant : mail.tenant);
    if (!mail.routed) return found;
    if (!by_[by_site].empty()) {
        look(by_site, core::to_lower(mail.site));
        if (mail.hosts != mail.site) look(by_site, core::to_lower(mail.hosts));
    }
    look(by_source, mail.source);
    look(by_provider, mail.provider);
    return found;
}

std::size_t OrderSet::count(OrderKind kind) const {
    return static_cast<std::size_t>(std::ranges::count(orders_, kind, &Order::kind));
}

}  // namespace relay
