// HttpIngress: POST /api/inject/v1, the way in for callers who speak HTTP. One per http listener
// and shard; adds its route to that listener's Router and must outlive the server. A request
// becomes one Message with all its recipients: content is stored once. 200 is answered only after
// Acceptance has committed it (docs/http-api.md has request, response and statuses).
//
// The gate refuses before the body is read: 403 outside the allowed networks (peer address only),
// 413 by announced length, 503 with Retry-After while Acceptance has no room or drains. The body is
// read as it arrives (InjectRequestParser) and made a message in steps (HttpSubmission). Memory
// that runs out ends the request with 503, not the process. Refused recipients, senders and
// contents are Rejection events, within RejectionLog's bounds. close() before the EventWriter is
// closed. Limits: max_message_size of content (413); body_limit() for the request (413);
// max_recipients (413); kMaxIntake octets of all requests of the shard, shared fairly
// (IntakeShares), and memory.limit (503).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/http/router.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/events/event_writer.h"
#include "relay/intake/acceptance.h"
#include "relay/intake/http/http_submission.h"
#include "relay/intake/intake_shares.h"
#include "relay/intake/rejection_log.h"

namespace relay {

class HttpIngress {
  public:
    static constexpr std::size_t kMaxIntake = 256U << 20;
    // Room is asked for again whenever a request has grown by so much.
    static constexpr std::size_t kRoomStep = 1U << 20;

    HttpIngress(core::Reactor& reactor, HttpIngressOptions options, Acceptance& acceptance,
                metrics::ShardMetrics& metrics, EventWriter& events);
    ~HttpIngress();

    void add_routes(core::Router& router);
    // Escapes may double the content; the rest is room for a million recipients.
    std::size_t body_limit() const { return 2 * options_.max_message_size + (32U << 20); }
    RejectionLog& rejections() { return rejections_; }
    void close() { rejections_.close(); }

    std::optional<core::HttpResponse> gate(const core::HttpRequest& head);
    core::Task<core::HttpResponse> inject(core::HttpRequest request);

  private:
    class Intake;
    class Refused;

    core::Task<std::optional<core::HttpResponse>> build(Intake* intake, HttpSubmission* submission);
    // Runs a step of a request; a response refuses it: by the step, for want of room or of memory.
    std::optional<core::HttpResponse> step(Intake& intake, HttpSubmission& submission,
                                           const std::function<std::optional<HttpFault>()>& work);
    std::optional<core::HttpResponse> check_room(const IntakeShares::Hold& hold);
    core::HttpResponse unavailable(Refusal refusal);
    core::HttpResponse out_of_memory();
    core::HttpResponse refuse(Intake& intake, const HttpFault& fault);
    core::HttpResponse reject(metrics::Rejection why, int status, std::string_view message,
                              std::string_view field = {});
    void record(const core::IpAddress& client, std::string_view sender, std::string_view recipient,
                std::size_t size, int status, std::string_view why);

    core::Reactor& reactor_;
    HttpIngressOptions options_;
    Acceptance& acceptance_;
    metrics::ShardMetrics& metrics_;
    RejectionLog rejections_;
    IntakeShares shares_;
};

}  // namespace relay
