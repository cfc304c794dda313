#include "relay/node/intake_side.h"

#include <cerrno>
#include <utility>

#include "core/http/site_guard.h"

namespace relay {

namespace {

std::string cannot_listen(const core::SocketAddress& address, const std::error_code& error) {
    std::string sentence = "cannot listen on " + address.to_string() + ": " + error.message();
    if (error.value() != EADDRINUSE) return sentence;
    return sentence + "; another program, perhaps another Posthaste, listens there";
}

// With credentials it is these that decide who may inject over HTTP.
std::vector<core::IpNetwork> everybody() {
    return {*core::IpNetwork::parse("0.0.0.0/0"), *core::IpNetwork::parse("::/0")};
}

}  // namespace

IntakeSide::IntakeSide(core::Shard& shard, metrics::ShardMetrics& metrics, IntakeParts parts)
    : shard_(shard), metrics_(metrics), parts_(std::move(parts)), tasks_(shard.reactor()) {}

core::Result<void> IntakeSide::start(std::span<const Door> doors) {
    for (const Door& door : doors) {
        const bool smtp = door.config.protocol == ListenerProtocol::smtp;
        if (auto opened = smtp ? open_smtp(door) : open_http(door); !opened) return opened;
    }
    return {};
}

template <typename Listener>
core::Result<void> IntakeSide::open_at_addresses(Listener& listener, const Door& door) {
    const bool first = shard_.id() == 0;
    const auto wanted = first ? door.config.addresses : door.addresses;
    const auto sharing = first ? core::Sharing::first : core::Sharing::join;
    for (const core::SocketAddress& address : wanted) {
        const auto opened = listener.open(address, sharing, parts_.sockets);
        if (!opened) return core::failure(cannot_listen(address, opened.error()));
        if (first) door.addresses.push_back(*opened);
    }
    return {};
}

IntakePolicy IntakeSide::policy_of(const ListenerConfig& config) const {
    return {.hostname = parts_.hostname,
            .allow = config.allow,
            .max_message_size = config.max_message_size,
            .max_recipients = config.max_recipients,
            .bounces = config.bounces,
            .verp = config.verp,
            .convert_eight_bit = config.convert_eight_bit,
            .address_literals = parts_.address_literals,
            .max_age = config.max_age,
            .labels = {config.tenant_header, config.campaign_header, config.priority_header},
            .seed = parts_.seed};
}

core::Result<void> IntakeSide::open_smtp(const Door& door) {
    const ListenerConfig& config = door.config;
    SmtpListenerOptions options;
    options.policy = policy_of(config);
    options.max_connections = config.max_connections;
    options.line_endings = config.line_endings;
    options.durable = parts_.durable;
    options.admission = door.admission;
    auto ingress = std::make_unique<SmtpIngress>(shard_, std::move(options), parts_.acceptance,
                                                 metrics_, parts_.events);
    if (auto opened = open_at_addresses(*ingress, door); !opened) return opened;
    tasks_.spawn(ingress->run());
    smtp_.push_back(std::move(ingress));
    return {};
}

core::Result<void> IntakeSide::open_http(const Door& door) {
    const ListenerConfig& config = door.config;
    HttpListener http;
    IntakePolicy policy = policy_of(config);
    if (!parts_.credentials.empty()) policy.allow = everybody();
    http.ingress = std::make_unique<HttpIngress>(shard_.reactor(), std::move(policy),
                                                 parts_.acceptance, metrics_, parts_.events);
    http.door = std::make_unique<AdminDoor>(shard_.reactor(), config.allow,
                                            CredentialCheck(parts_.credentials, parts_.secret_key));
    if (config.serve_admin && parts_.desk != nullptr) {
        http.admin = std::make_unique<AdminRoutes>(*parts_.desk, *http.door);
    }
    http.server = std::make_unique<core::HttpServer>(shard_, server_options(door, *http.ingress),
                                                     http_routes(config, http));
    if (auto opened = open_at_addresses(*http.server, door); !opened) return opened;
    http.server->start();
    http_.push_back(std::move(http));
    return {};
}

// The limit counts over all shards, as it does for SMTP.
core::HttpServerOptions IntakeSide::server_options(const Door& door, HttpIngress& ingress) {
    core::HttpServerOptions options;
    options.max_connections = door.config.max_connections;
    options.enter = [this, admission = door.admission, &ingress](const core::SocketAddress& peer,
                                                                 bool replacing) {
        const core::Entry entry = admission->enter(peer.ip, replacing);
        if (is_in(entry)) {
            metrics_.session_opened(metrics::Protocol::http);
        } else if (entry == core::Entry::full) {
            metrics_.rejected(metrics::Protocol::http, metrics::Rejection::connections);
            ingress.rejections().note_turned_away(peer.ip, "no place: max_connections");
        }
        return entry;
    };
    options.knows = [admission = door.admission](const core::IpAddress& peer) {
        return admission->allows(peer);
    };
    options.leave = [this, admission = door.admission](const core::SocketAddress& peer) {
        admission->leave(peer.ip);
        metrics_.session_closed(metrics::Protocol::http);
    };
    return options;
}

// Without credentials nobody is asked who they are: `allow`, or nothing, decides.
core::HttpGate IntakeSide::gate_of(const HttpListener& http, Permission wanted) {
    if (!http.door->has_credentials()) return {};
    return [door = http.door.get(), wanted](const core::HttpRequest& head) {
        return door->refuse(head, wanted);
    };
}

HttpIngress::TenantOf IntakeSide::tenants_of(const HttpListener& http) {
    if (!http.door->has_credentials()) return {};
    return
        [door = http.door.get()](const core::HttpRequest& head) { return door->tenant_of(head); };
}

core::Router IntakeSide::http_routes(const ListenerConfig& config, HttpListener& http) {
    core::Router router;
    std::vector<std::string> names = config.hosts;
    names.push_back(parts_.hostname);
    router.set_guard([guard = core::SiteGuard(names)](const core::HttpRequest& head) {
        return guard.check(head);
    });
    if (config.serve_inject)
        http.ingress->add_routes(router, gate_of(http, Permission::inject), tenants_of(http));
    if (http.admin != nullptr) http.admin->add_to(router);
    if (parts_.probes) {
        Probes probes = parts_.probes(config.serve_metrics);
        probes.may_scrape = gate_of(http, Permission::read);
        add_probe_routes(router, std::move(probes));
    }
    return router;
}

core::Task<void> IntakeSide::stop(StopPhase phase, core::Instant until) {
    switch (phase) {
        case StopPhase::leave:
            co_await leave_to_others(until);
            break;
        case StopPhase::close:
            for (auto& ingress : smtp_)
                co_await ingress->drain_and_close();
            break;
        case StopPhase::cut_off:
            co_await close_http();
            break;
        case StopPhase::end:
            co_await tasks_.close();
            break;
        case StopPhase::drain:
        case StopPhase::settle:
        case StopPhase::home:
            break;
    }
}

// Others accept from our sockets from now on: clients finish here what they have begun.
core::Task<void> IntakeSide::leave_to_others(core::Instant until) {
    core::TaskGroup leaving(shard_.reactor());
    for (auto& ingress : smtp_)
        leaving.spawn(ingress->leave_to_others(until));
    for (HttpListener& http : http_)
        leaving.spawn(http.server->leave_to_others(until));
    co_await leaving.close();
}

// Until here HTTP answered: 503 to injection and /readyz, 200 to /healthz.
core::Task<void> IntakeSide::close_http() {
    for (HttpListener& http : http_) {
        co_await http.server->close();
        http.ingress->close();
    }
}

}  // namespace relay
