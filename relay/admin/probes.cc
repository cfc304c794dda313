#include "relay/admin/probes.h"

#include <string_view>
#include <utility>

#include "core/base/json_text.h"

namespace relay {

namespace {

constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

core::HttpResponse verdict(std::string_view reason) {
    core::HttpResponse response;
    response.fields.push_back({"Cache-Control", "no-store"});
    if (reason.empty()) {
        response.body = "{\"status\":\"ok\"}\n";
        return response;
    }
    response.status = 503;
    response.body = "{\"status\":\"unavailable\",\"reason\":";
    core::append_json_string(response.body, reason);
    response.body += "}\n";
    return response;
}

core::Task<core::HttpResponse> probe(std::function<std::string()> complaint) {
    co_return verdict(complaint());
}

core::Task<core::HttpResponse> scrape(std::function<core::Task<std::string>()> provider) {
    std::string text = co_await provider();
    co_return core::text_response(200, std::move(text), std::string(kPrometheusText));
}

// guarded: for pages of our own and programs that know our name (core/http/site_guard.h). Probes
// come by any name, and learn nothing but whether we are well.
void add_get(core::Router& router, std::string path, core::HttpHandler handler, bool guarded,
             core::HttpGate gate = {}) {
    core::HttpRoute route;
    route.method = "GET";
    route.path = std::move(path);
    route.handler = std::move(handler);
    route.guarded = guarded;
    route.gate = std::move(gate);
    router.add(std::move(route));
}

}  // namespace

void add_probe_routes(core::Router& router, Probes probes) {
    add_get(
        router, "/healthz",
        [complaint = std::move(probes.unhealthy)](core::HttpRequest) { return probe(complaint); },
        false);
    add_get(
        router, "/readyz",
        [complaint = std::move(probes.unready)](core::HttpRequest) { return probe(complaint); },
        false);
    if (!probes.metrics) return;
    add_get(
        router, "/metrics",
        [provider = std::move(probes.metrics)](core::HttpRequest) { return scrape(provider); },
        true, std::move(probes.may_scrape));
}

}  // namespace relay
