#include "core/http/router.h"

#include <utility>

#include "core/base/assert.h"

namespace core {

namespace {

bool answers(const HttpRoute& route, std::string_view method) {
    return route.method == method || (method == "HEAD" && route.method == "GET");
}

}  // namespace

void Router::add(HttpRoute route) {
    PH_ASSERT(route.handler != nullptr);
    PH_ASSERT(find(route.method, route.path) == nullptr);
    std::string path = route.path;
    routes_[std::move(path)].push_back(std::move(route));
}

const HttpRoute* Router::find(std::string_view method, std::string_view path) const {
    const auto found = routes_.find(path);
    if (found == routes_.end()) return nullptr;
    for (const HttpRoute& route : found->second) {
        if (answers(route, method)) return &route;
    }
    return nullptr;
}

std::optional<HttpResponse> Router::guard(const HttpRoute* route, const HttpRequest& head) const {
    if (!guard_ || route == nullptr || !route->guarded) return std::nullopt;
    return guard_(head);
}

HttpResponse Router::refusal(std::string_view method, std::string_view path) const {
    const auto found = routes_.find(path);
    if (found == routes_.end()) return error_response(404, "there is nothing at this path");
    PH_ASSERT(find(method, path) == nullptr);
    std::string allow;
    for (const HttpRoute& route : found->second) {
        if (!allow.empty()) allow += ", ";
        allow += route.method;
        if (route.method == "GET") allow += ", HEAD";
    }
    HttpResponse response = error_response(405, "this path answers " + allow + " only");
    response.fields.push_back({"Allow", std::move(allow)});
    return response;
}

}  // namespace core
