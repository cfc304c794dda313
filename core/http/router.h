// Router: which handler answers which method and path. Filled at start by the composition root,
// then read-only and shared by the sessions of one server (one shard). Paths match exactly; GET
// answers HEAD too. Unknown paths get 404, unknown methods on known paths 405 with Allow.
//
// A route may have a gate: it sees the head before any octet of the body is read (and before
// "100 Continue" is sent), and may refuse the request there: back-pressure, who may inject. A guard
// sees the head of every request: whether it was meant for us at all.
// Limits: max_body octets of body per route, else 413.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/http/message.h"
#include "core/runtime/task.h"

namespace core {

using HttpHandler = std::function<Task<HttpResponse>(HttpRequest)>;
using HttpGate = std::function<std::optional<HttpResponse>(const HttpRequest& head)>;
using HttpReceiver = std::function<std::shared_ptr<HttpBodySink>(const HttpRequest& head)>;

struct HttpRoute {
    std::string method;
    std::string path;
    std::size_t max_body = 0;  // 0: a request with a body is refused
    HttpHandler handler;
    HttpGate gate;            // may be empty
    HttpReceiver receiver{};  // makes the sink that the body goes to; empty: HttpRequest::body
    bool guarded = true;      // the router's guard is asked
};

class Router {
  public:
    void add(HttpRoute route);
    // The route, or null; then refusal() says what to answer.
    const HttpRoute* find(std::string_view method, std::string_view path) const;
    HttpResponse refusal(std::string_view method, std::string_view path) const;
    // Asked about every request that has a guarded route, before anything else.
    void set_guard(HttpGate guard) { guard_ = std::move(guard); }
    std::optional<HttpResponse> guard(const HttpRoute* route, const HttpRequest& head) const;

  private:
    std::map<std::string, std::vector<HttpRoute>, std::less<>> routes_;  // by path
    HttpGate guard_;
};

}  // namespace core
