// HttpIngress: POST /api/inject/v1, the way in for callers who speak HTTP. One per http listener
// and shard; adds its route to that listener's Router and must outlive the server. A request
// becomes one Message with all its recipients: content is stored once. 200 is answered only after
// Acceptance has committed it (docs/http-api.md has request, response and statuses).
//
// The gate refuses before the body is read: 403 outside the allowed networks (peer address only),
// 413 by announced length, 503 with Retry-After while Acceptance has no room or drains.
// Refused recipients, senders and contents are Rejection events, at most kListedErrors a request.
// Limits: max_message_size of content (413); body_limit() for the request (413); max_recipients
// (413). Lists longer than kRecipientsPerTurn are taken in several turns of the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/http/router.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/events/event_writer.h"
#include "relay/inject/acceptance.h"
#include "relay/inject/inject_request.h"
#include "relay/message/address.h"

namespace relay {

struct HttpIngressOptions {
    std::string hostname;
    std::vector<core::IpNetwork> allow;
    std::size_t max_message_size = 50U << 20;
    std::size_t max_recipients = 1'000'000;  // of a request
    BouncePolicy bounces = BouncePolicy::record;
    bool verp = false;
    bool convert_eight_bit = true;
    bool address_literals = false;  // recipients at "[192.0.2.1]" are taken
    core::Duration max_age{};       // zero: as schedules say
};

class HttpIngress {
  public:
    static constexpr std::size_t kListedErrors = 1000;  // fail_count, failed_recipients have all
    static constexpr std::size_t kRecipientsPerTurn = 2000;
    static constexpr std::size_t kMaxSpareParsers = 4;
    static constexpr std::size_t kMaxSpareParserCapacity = 1U << 20;

    HttpIngress(core::Reactor& reactor, HttpIngressOptions options, Acceptance& acceptance,
                metrics::ShardMetrics& metrics, EventWriter& events);
    ~HttpIngress();

    void add_routes(core::Router& router);
    // Escapes may double the content; the rest is room for a million recipients.
    std::size_t body_limit() const { return 2 * options_.max_message_size + (32U << 20); }

    std::optional<core::HttpResponse> gate(const core::HttpRequest& head);
    core::Task<core::HttpResponse> inject(core::HttpRequest request);

  private:
    struct Batch;
    std::unique_ptr<InjectRequestParser> take_parser();
    void give_back(std::unique_ptr<InjectRequestParser> parser);
    std::optional<core::HttpResponse> begin(const core::HttpRequest& request, Batch& batch);
    std::optional<core::HttpResponse> write_content(Batch& batch);
    void take_recipients(Batch& batch, std::size_t count);
    std::string_view refusal_of(const std::expected<AddressView, AddressFault>& address) const;
    void note_failure(Batch& batch, std::string_view address, std::string_view why);
    core::Task<core::HttpResponse> commit(std::unique_ptr<Batch> batch);
    core::HttpResponse unavailable(Refusal refusal);
    // Answers and counts; with a batch, whose sender is known, it is also an event.
    core::HttpResponse reject(metrics::Rejection why, int status, std::string_view message,
                              std::string_view field = {}, const Batch* batch = nullptr);
    void record(const Batch& batch, std::string_view recipient, int status, std::string_view why);

    core::Reactor& reactor_;
    HttpIngressOptions options_;
    Acceptance& acceptance_;
    metrics::ShardMetrics& metrics_;
    EventWriter& events_;
    std::vector<std::unique_ptr<InjectRequestParser>> spare_parsers_;
};

}  // namespace relay
