#include "relay/control/api/admin_requests.h"

#include <algorithm>
#include <utility>

#include "core/base/spelling.h"
#include "core/base/units.h"
#include "relay/control/order_book.h"

namespace relay {

namespace {

constexpr std::string_view kElsewhere[] = {"queue_names",      "routing_domain", "expires",
                                           "suppress_logging", "name",           "data"};

std::unexpected<ControlFault> fault(std::string message, std::string field = {}) {
    return std::unexpected(ControlFault{400, std::move(message), std::move(field)});
}

Selection selection_of(const FlatJson& fields) {
    return {.tenant = fields.text("tenant"),
            .campaign = fields.text("campaign"),
            .domain = fields.text("domain"),
            .site = fields.text("site"),
            .provider = fields.text("provider"),
            .source = fields.text("source")};
}

// The sentences of check_order() begin with the field that they are about.
std::string field_in(const std::string& sentence) {
    const std::string_view word = std::string_view(sentence).substr(0, sentence.find(' '));
    for (const std::string_view field :
         {"tenant", "campaign", "domain", "site", "provider", "source", "reason", "duration"}) {
        if (word == field) return std::string(field);
    }
    return {};
}

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape =
            text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
        if (escape) {
            out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

}  // namespace

Controlled<FlatJson> read_body(std::string_view body, std::vector<std::string_view> known) {
    auto fields = FlatJson::parse(body.empty() ? "{}" : body);
    if (!fields) return fault(fields.error());
    for (const auto& [name, value] : fields->fields()) {
        if (std::ranges::find(known, name) != known.end()) continue;
        if (std::ranges::find(kElsewhere, name) != std::end(kElsewhere)) {
            return fault("\"" + name + "\" is not available here", name);
        }
        std::vector<std::string> words(known.begin(), known.end());
        const std::string_view guess = core::nearest(name, words);
        std::string sentence = "there is no field \"" + name.substr(0, 80) + "\"";
        if (!guess.empty()) sentence.append("; is \"").append(guess).append("\" meant?");
        return fault(std::move(sentence), name.substr(0, 80));
    }
    return std::move(*fields);
}

Controlled<Order> read_order(OrderKind kind, std::string_view body, core::WallTime now) {
    std::vector<std::string_view> known{"source", "site", "reason", "duration"};
    if (kind != OrderKind::suspend_path) {
        for (const std::string_view field : {"tenant", "campaign", "domain", "provider"})
            known.push_back(field);
    }
    const auto fields = read_body(body, std::move(known));
    if (!fields) return std::unexpected(fields.error());
    core::Duration duration = Order::kUsual;
    if (const std::string text = fields->text("duration"); !text.empty()) {
        const auto parsed = core::parse_duration(text);
        if (!parsed) {
            return fault("duration \"" + text.substr(0, 80) +
                             "\" is not a time such as \"5m\", \"2h\" or \"3d\"",
                         "duration");
        }
        duration = *parsed;
    }
    auto order = check_order({.kind = kind,
                              .selection = selection_of(*fields),
                              .reason = fields->text("reason"),
                              .given = now,
                              .expires = now + std::min(duration, 2 * Order::kLongest)});
    if (!order) return fault(order.error(), field_in(order.error()));
    return std::move(*order);
}

Controlled<RetryRequest> read_retry(std::string_view body) {
    const auto fields =
        read_body(body, {"tenant", "campaign", "domain", "site", "provider", "source", "reason"});
    if (!fields) return std::unexpected(fields.error());
    auto selection = checked(selection_of(*fields));
    if (!selection) return fault(selection.error(), field_in(selection.error()));
    std::string reason = fields->text("reason");
    if (reason.size() > Order::kMaxReason) {
        return fault("reason has more than " + std::to_string(Order::kMaxReason) + " octets",
                     "reason");
    }
    return RetryRequest{std::move(*selection), std::move(reason)};
}

Controlled<std::string> read_id(std::string_view body) {
    const auto fields = read_body(body, {"id"});
    if (!fields) return std::unexpected(fields.error());
    if (!fields->has("id")) return fault("id is missing: which one is to end", "id");
    constexpr std::size_t kMostId = 64;
    std::string id = fields->text("id");
    if (id.size() > kMostId) return fault("id is none that was given: it is too long", "id");
    return id;
}

std::string query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (decoded(pair.substr(0, equals)) != name) continue;
        return decoded(pair.substr(std::min(equals + 1, pair.size())));
    }
    return {};
}

}  // namespace relay
