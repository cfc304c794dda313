// Router: which handler answers which method and path. Filled at start by the composition root,
// then read-only and shared by the sessions of one server (one shard). Paths match exactly; GET
// answers HEAD too. Unknown paths get 404, unknown methods on known paths 405 with Allow.
//
// A route may have a gate: it sees the head before any octet of the body is read (and before
// "100 Continue" is sent), and may refuse the request there: back-pressure, who may inject.
// Limits: max_body octets of body per route, else 413.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/message.h"
#include "core/runtime/task.h"

namespace core {

using HttpHandler = std::function<Task<HttpResponse>(HttpRequest)>;
using HttpGate = std::function<std::optional<HttpResponse>(const HttpRequest& head)>;

struct HttpRoute {
    std::string method;
    std::string path;
    std::size_t max_body = 0;  // 0: a request with a body is refused
    HttpHandler handler;
    HttpGate gate;  // may be empty
};

class Router {
  public:
    void add(HttpRoute route);
    // The route, or null; then refusal() says what to answer.
    const HttpRoute* find(std::string_view method, std::string_view path) const;
    HttpResponse refusal(std::string_view method, std::string_view path) const;

  private:
    std::map<std::string, std::vector<HttpRoute>, std::less<>> routes_;  // by path
};

}  // namespace core
