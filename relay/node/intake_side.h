// IntakeSide: where mail comes in, on one shard: its listeners for SMTP and HTTP. Built and stopped
// on its shard by the composition root; start() opens the listeners of the configuration and
// serves. The shards of a listener share its Admission. Shard 0 opens first: a port that the system
// chose is then everybody's. Limits: those of each listener.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/http/server.h"
#include "core/io/shard.h"
#include "core/net/listening_sockets.h"
#include "core/runtime/task_group.h"
#include "metrics/shard_metrics.h"
#include "relay/admin/probes.h"
#include "relay/config/config.h"
#include "relay/control/api/admin_routes.h"
#include "relay/events/event_writer.h"
#include "relay/intake/http/http_ingress.h"
#include "relay/intake/smtp/smtp_ingress.h"
#include "relay/node/stop_phase.h"

namespace relay {

struct IntakeParts {
    std::string hostname;
    bool address_literals = false;
    bool durable = false;                        // a 250 means that the message is on disk
    std::array<unsigned char, 32> secret_key{};  // digests of secrets; nobody outside knows it
    std::uint64_t seed = 0;  // keeps chosen names from clashing: nobody outside may know it
    Acceptance& acceptance;
    EventWriter& events;
    std::function<Probes(bool with_metrics)> probes{};  // for listeners of HTTP
    core::ListeningSockets* sockets = nullptr;          // that outlive the process; null: none
    std::vector<Credential> credentials{};              // of HTTP; none: `allow` decides
    ControlDesk* desk = nullptr;                        // for the admin API; null: there is none
};

// One listener, as all shards know it.
struct Door {
    const ListenerConfig& config;
    std::shared_ptr<Admission> admission;
    std::vector<core::SocketAddress>& addresses;  // with the ports chosen; shard 0 writes them
};

class IntakeSide {
  public:
    IntakeSide(core::Shard& shard, metrics::ShardMetrics& metrics, IntakeParts parts);

    core::Result<void> start(std::span<const Door> doors);
    // until: of leave, for clients.
    core::Task<void> stop(StopPhase phase, core::Instant until);

  private:
    struct HttpListener {
        std::unique_ptr<HttpIngress> ingress;
        std::unique_ptr<AdminDoor> door;
        std::unique_ptr<AdminRoutes> admin;  // null: it is not served
        std::unique_ptr<core::HttpServer> server;
    };

    IntakePolicy policy_of(const ListenerConfig& config) const;
    core::Result<void> open_smtp(const Door& door);
    core::Result<void> open_http(const Door& door);
    template <typename Listener>
    core::Result<void> open_at_addresses(Listener& listener, const Door& door);
    core::HttpServerOptions server_options(const Door& door, HttpIngress& ingress);
    static HttpIngress::TenantOf tenants_of(const HttpListener& http);
    static core::HttpGate gate_of(const HttpListener& http, Permission wanted);
    core::Router http_routes(const ListenerConfig& config, HttpListener& http);
    core::Task<void> leave_to_others(core::Instant until);
    core::Task<void> close_http();

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    IntakeParts parts_;
    core::TaskGroup tasks_;
    std::vector<std::unique_ptr<SmtpIngress>> smtp_;
    std::vector<HttpListener> http_;
};

}  // namespace relay
