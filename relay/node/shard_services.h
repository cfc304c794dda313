// ShardServices: everything that runs on one shard of the relay, wired together: event writer, DNS,
// origin (queue), dispatcher (delivery) and the listeners. Built, run and closed on its shard by
// run_shard(); the one place besides serve.cc that knows every concrete type.
// Stopping: where others accept from our sockets by now, clients have kLeaveGrace to finish; then
// the listeners (421, 503), then up to kDrainGrace for what is ready to be delivered, then
// connections finish what is in flight, for cut_off() at most; what still waits is counted and
// logged. The last two come to 30 s, with seven million recipients too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/http/server.h"
#include "core/http/site_guard.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "dns/ares_channel.h"
#include "dns/cached_resolver.h"
#include "relay/egress/dispatcher.h"
#include "relay/events/event_lines.h"
#include "relay/events/event_writer.h"
#include "relay/intake/http/http_ingress.h"
#include "relay/intake/smtp/smtp_ingress.h"
#include "relay/node/node.h"
#include "relay/queue/origin.h"
#include "relay/reporting/tls_reporter.h"
#include "relay/reporting/web_reports.h"
#include "relay/security/mta_sts.h"
#include "relay/security/web_policies.h"

namespace relay {

class ShardServices {
  public:
    static constexpr core::Duration kLeaveGrace = std::chrono::seconds{5};
    static constexpr core::Duration kDrainGrace = std::chrono::seconds{20};
    // All of it comes to 30 s, so the time that it takes to forget what waits comes off the second.
    static constexpr core::Duration kCutOff = std::chrono::seconds{10};
    static constexpr core::Duration kForgetMillion = std::chrono::seconds{1};
    static constexpr core::Duration kLeastCutOff = std::chrono::seconds{3};
    static constexpr core::Duration cut_off(std::uint64_t recipients) {
        const core::Duration forgetting = kForgetMillion / 1000 * (recipients / 1000);
        return forgetting > kCutOff - kLeastCutOff ? kLeastCutOff : kCutOff - forgetting;
    }
    static constexpr core::Duration kPublishEvery = std::chrono::milliseconds{250};
    static constexpr core::Duration kKeepPoliciesEvery = std::chrono::seconds{10};

    ShardServices(Node& node, core::Shard& shard);
    ~ShardServices();

    // From start to end; the shard's root task.
    core::Task<void> run();
    // A reload, all of it in one turn: bounce rules, shaping, routes, TLS.
    void use(std::shared_ptr<const CheckedConfig> checked);

  private:
    struct HttpListener {
        std::unique_ptr<HttpIngress> ingress;
        std::unique_ptr<core::HttpServer> server;
    };

    core::Result<void> build();
    core::Result<void> build_sts();
    void build_tls_reporter();
    core::Result<void> listen();
    IntakePolicy intake_policy(const ListenerConfig& listener) const;
    core::Result<void> listen_smtp(std::size_t index);
    core::Result<void> listen_http(std::size_t index);
    core::Router http_routes(const ListenerConfig& listener, HttpListener& http);
    void announce() const;
    core::Task<void> leave_to_others();
    core::Task<void> drain();
    core::Task<void> end_lookups();
    core::Task<void> publish_metrics();
    core::Task<void> recover();
    core::Task<void> watch_space();
    core::Task<void> watch_life();
    core::Task<void> keep_policies();
    void publish();
    std::string unready() const;

    Node& node_;
    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    std::shared_ptr<const CheckedConfig> checked_;  // in force
    core::Event stop_;
    core::TaskGroup tasks_;
    core::TaskGroup recovery_;
    EventLines event_lines_;
    EventWriter events_;
    std::unique_ptr<dns::AresChannel> channel_;
    std::unique_ptr<dns::CachedResolver> resolver_;
    // MTA-STS: null where there are no roots to verify anything with.
    std::unique_ptr<core::HttpsClient> https_;
    std::unique_ptr<WebPolicies> web_policies_;
    std::unique_ptr<MtaSts> sts_;
    std::unique_ptr<Spool> spool_;  // null with durability "memory"
    std::unique_ptr<Origin> origin_;
    std::unique_ptr<EgressTls> tls_;
    std::unique_ptr<HostMemory> hosts_;
    // Reports about TLS: null where none are sent; the reporter is shard 0's.
    std::unique_ptr<SessionCounts> sessions_;
    std::unique_ptr<ReportDoor> report_door_;
    std::unique_ptr<TlsReporter> tls_reporter_;
    std::unique_ptr<Dispatcher> dispatcher_;
    std::vector<std::unique_ptr<SmtpIngress>> smtp_;
    std::vector<HttpListener> http_;
};

core::Task<void> run_shard(Node* node, core::Shard* shard);

}  // namespace relay
