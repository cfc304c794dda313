#include "relay/control/api/admin_routes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/json_text.h"
#include "core/base/units.h"
#include "relay/control/api/admin_requests.h"

namespace relay {

namespace {

core::HttpResponse json(std::string body, int status = 200) {
    core::HttpResponse response;
    response.status = status;
    response.body = std::move(body) + "\n";
    response.fields.push_back({"Cache-Control", "no-store"});
    return response;
}

core::HttpResponse refusal(const ControlFault& fault) {
    return core::error_response(fault.status, fault.message, fault.field);
}

// KumoMTA's fields, and ours.
std::string json_of(const Order& order, core::WallTime now) {
    std::string line = order_line(order);
    line.pop_back();
    const auto left =
        std::chrono::floor<std::chrono::seconds>(std::max(order.expires - now, core::Duration{}));
    return line + ",\"duration\":\"" + core::write_duration(left) + "\"}";
}

// As many as the query asks for; the most there may be otherwise.
Controlled<std::size_t> limit_of(const core::HttpRequest& request, std::size_t most) {
    const std::string text = query_value(request.query, "limit");
    if (text.empty()) return most;
    std::size_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error == std::errc{} && end == text.data() + text.size() && limit > 0 && limit <= most) {
        return limit;
    }
    return std::unexpected(
        ControlFault{400, "limit must be from 1 to " + std::to_string(most), "limit"});
}

bool is_json(const core::HttpRequest& request) {
    const std::string* type = request.field("Content-Type");
    if (type == nullptr) return false;
    const std::string_view name(*type);
    return core::equals_ignoring_case(core::trim(name.substr(0, name.find(';'))),
                                      "application/json");
}

}  // namespace

std::optional<core::HttpResponse> AdminDoor::refuse(const core::HttpRequest& head,
                                                    Permission wanted, std::string& who) {
    const std::string address = head.peer.ip.unmapped().to_string();
    if (check_.empty()) {
        const bool allowed = std::ranges::any_of(
            allow_, [&](const auto& network) { return network.contains(head.peer.ip); });
        who = address;
        if (allowed) return std::nullopt;
        return core::error_response(403, address + " may not ask that: it is not in `allow`");
    }
    const std::string* header = head.field("Authorization");
    const CredentialCheck::Answer answer =
        check_.check(header == nullptr ? std::string_view{} : *header, wanted, reactor_.now());
    switch (answer.verdict) {
        case CredentialCheck::Verdict::fine:
            who = answer.who->name;
            return std::nullopt;
        case CredentialCheck::Verdict::forbidden:
            return core::error_response(
                403, "the credential \"" + answer.who->name + "\" has not the scope for that");
        case CredentialCheck::Verdict::too_often: {
            auto response = core::error_response(429, "too many secrets are being tried");
            response.fields.push_back({"Retry-After", "1"});
            return response;
        }
        case CredentialCheck::Verdict::unknown:
            break;
    }
    auto response = core::error_response(
        401, header == nullptr ? "a credential is needed: Basic, or Bearer name:secret"
                               : "the credential is not known, or its secret is wrong");
    response.fields.push_back({"WWW-Authenticate", "Basic realm=\"posthaste\""});
    return response;
}

std::string AdminDoor::tenant_of(const core::HttpRequest& head) {
    const std::string* header = head.field("Authorization");
    if (check_.empty() || header == nullptr) return {};
    const auto answer = check_.check(*header, Permission::inject, reactor_.now());
    return answer.who == nullptr ? std::string() : answer.who->tenant;
}

void AdminRoutes::add_to(core::Router& router) {
    add_orders(router, OrderKind::suspend, "/api/admin/suspend/v1");
    add_orders(router, OrderKind::suspend_path, "/api/admin/suspend-path/v1");
    add_orders(router, OrderKind::bounce, "/api/admin/bounce/v1");
    const auto post = [&](std::string path, Call call) {
        add(router, "POST", std::move(path), Permission::admin, call);
    };
    const auto get = [&](std::string path, Call call) {
        add(router, "GET", std::move(path), Permission::read, call);
    };
    post("/api/admin/retry/v1", &AdminRoutes::retry);
    post("/api/admin/rebind/v1", &AdminRoutes::rebind);
    post("/api/admin/reload/v1", &AdminRoutes::reload);
    post("/api/admin/drain/v1", &AdminRoutes::drain);
    get("/api/admin/status/v1", &AdminRoutes::status);
    get("/api/admin/queues/v1", &AdminRoutes::queues);
    get("/api/admin/paths/v1", &AdminRoutes::paths);
    get("/api/admin/path/v1", &AdminRoutes::path);
    get("/api/admin/message/v1", &AdminRoutes::message);
}

void AdminRoutes::add(core::Router& router, std::string method, std::string path, Permission wanted,
                      Call call) {
    core::HttpRoute route;
    route.max_body = method == "GET" ? 0 : kMaxBody;
    route.method = std::move(method);
    route.path = std::move(path);
    route.handler = [this, wanted, call](core::HttpRequest request) {
        return enter(std::move(request), wanted, call);
    };
    router.add(std::move(route));
}

void AdminRoutes::add_orders(core::Router& router, OrderKind kind, const std::string& path) {
    for (const char* method : {"GET", "POST", "DELETE"}) {
        core::HttpRoute route;
        route.method = method;
        route.path = path;
        route.max_body = route.method == "GET" ? 0 : kMaxBody;
        route.handler = [this, kind](core::HttpRequest request) {
            return enter_order(std::move(request), kind);
        };
        router.add(std::move(route));
    }
}

AdminRoutes::Answer AdminRoutes::enter(core::HttpRequest request, Permission wanted, Call call) {
    std::string who;
    if (auto refused = door_.refuse(request, wanted, who)) co_return std::move(*refused);
    // Keeps web pages in a browser nearby out, too.
    if (!request.body.empty() && !is_json(request)) {
        co_return core::error_response(415, "the Content-Type must be application/json",
                                       "Content-Type");
    }
    co_return co_await (this->*call)(std::move(request), std::move(who));
}

AdminRoutes::Answer AdminRoutes::enter_order(core::HttpRequest request, OrderKind kind) {
    std::string who;
    const bool reads = request.method == "GET" || request.method == "HEAD";
    const Permission wanted = reads ? Permission::read : Permission::admin;
    if (auto refused = door_.refuse(request, wanted, who)) co_return std::move(*refused);
    if (reads) co_return co_await list_orders(std::move(request), kind);
    if (!is_json(request)) {
        co_return core::error_response(415, "the Content-Type must be application/json",
                                       "Content-Type");
    }
    if (request.method == "DELETE") {
        co_return co_await end_order(std::move(request), kind, std::move(who));
    }
    co_return co_await give_order(std::move(request), kind, std::move(who));
}

AdminRoutes::Answer AdminRoutes::list_orders(core::HttpRequest, OrderKind kind) {
    const std::shared_ptr<const OrderSet> orders = desk_.orders();
    std::string body = "[";
    for (const Order& order : orders->all()) {
        if (order.kind != kind) continue;
        if (body.size() > 1) body += ",\n";
        body += json_of(order, desk_.now());
    }
    co_return json(body + "]");
}

AdminRoutes::Answer AdminRoutes::give_order(core::HttpRequest request, OrderKind kind,
                                            std::string who) {
    auto order = read_order(kind, request.body, desk_.now());
    if (!order) co_return refusal(order.error());
    order->who = std::move(who);
    const auto given = co_await desk_.give(std::move(*order));
    if (!given) co_return refusal(given.error());
    co_return json("{\"id\":\"" + given->id + "\"}");
}

AdminRoutes::Answer AdminRoutes::end_order(core::HttpRequest request, OrderKind kind,
                                           std::string who) {
    auto id = read_id(request.body);
    if (!id) co_return refusal(id.error());
    const auto ended = co_await desk_.end(std::move(*id), kind, std::move(who));
    if (!ended) co_return refusal(ended.error());
    co_return json("{\"id\":\"" + ended->id + "\"}");
}

AdminRoutes::Answer AdminRoutes::retry(core::HttpRequest request, std::string who) {
    auto wanted = read_retry(request.body);
    if (!wanted) co_return refusal(wanted.error());
    const auto done = co_await desk_.retry(std::move(wanted->selection), std::move(wanted->reason),
                                           std::move(who));
    if (!done) co_return refusal(done.error());
    co_return json("{\"status\":\"begun\"}", 202);
}

AdminRoutes::Answer AdminRoutes::rebind(core::HttpRequest, std::string) {
    co_return core::error_response(
        501, "mail that is queued cannot be moved to another pool in this version");
}

AdminRoutes::Answer AdminRoutes::reload(core::HttpRequest, std::string who) {
    const auto changes = co_await desk_.reload(std::move(who));
    if (!changes) co_return refusal(changes.error());
    std::string body = "{\"changes\":[";
    for (const std::string& change : *changes) {
        if (body.back() != '[') body += ',';
        core::append_json_string(body, change);
    }
    co_return json(body + "]}");
}

AdminRoutes::Answer AdminRoutes::drain(core::HttpRequest, std::string who) {
    const auto done = co_await desk_.drain(std::move(who));
    if (!done) co_return refusal(done.error());
    co_return json("{\"status\":\"draining\"}", 202);
}

AdminRoutes::Answer AdminRoutes::status(core::HttpRequest, std::string) {
    co_return json(to_json(desk_.status()));
}

AdminRoutes::Answer AdminRoutes::queues(core::HttpRequest request, std::string) {
    const auto most = limit_of(request, kMaxQueues);
    if (!most) co_return refusal(most.error());
    const auto value = [&request](std::string_view name) {
        return query_value(request.query, name);
    };
    auto selection = checked({.tenant = value("tenant"),
                              .campaign = value("campaign"),
                              .domain = value("domain"),
                              .site = value("site"),
                              .provider = value("provider"),
                              .source = value("source")});
    if (!selection) co_return core::error_response(400, selection.error());
    co_return json(to_json(co_await desk_.queues(std::move(*selection), *most)));
}

AdminRoutes::Answer AdminRoutes::paths(core::HttpRequest request, std::string) {
    const auto most = limit_of(request, kMaxPaths);
    if (!most) co_return refusal(most.error());
    co_return json(to_json(co_await desk_.paths(*most)));
}

AdminRoutes::Answer AdminRoutes::path(core::HttpRequest request, std::string) {
    std::string domain = query_value(request.query, "domain");
    if (domain.empty()) {
        co_return core::error_response(400, "domain is missing: whose mail", "domain");
    }
    auto report = co_await desk_.path(std::move(domain));
    if (!report) co_return refusal(report.error());
    co_return json(std::move(*report));
}

AdminRoutes::Answer AdminRoutes::message(core::HttpRequest request, std::string) {
    const std::string text = query_value(request.query, "id");
    const auto id = MessageId::parse(text);
    if (!id) {
        co_return core::error_response(400,
                                       "id \"" + text.substr(0, 80) +
                                           "\" is not that of a message: it has 26 letters "
                                           "and digits",
                                       "id");
    }
    const auto found = co_await desk_.message(*id);
    if (!found) {
        co_return core::error_response(
            404, "no message " + text + " is queued; what became of it is in the events", "id");
    }
    co_return json(to_json(*found));
}

}  // namespace relay
