// HttpIngress: POST /api/inject/v1, the way in for callers who speak HTTP. One per http listener
// and shard; adds its route to that listener's Router and must outlive the server. A request
// becomes one Submission with all its recipients, of several messages where they are very many. 200
// is answered only after Intake has committed it (docs/http-api.md has request, response and
// statuses).
//
// The gate refuses before the body is read: 403 outside the allowed networks (peer address only),
// 413 by announced length, 503 with Retry-After while there is no room or the relay drains. The
// body is read as it arrives (InjectRequestParser) and made a submission in steps
// (SubmissionBuilder). Memory that runs out ends the request with 503, not the process. Refused
// recipients, senders and contents are Rejection events, within RejectionLog's bounds. close()
// before the EventWriter is closed. Limits: max_message_size of content (413); body_limit() for the
// request (413); max_recipients (413); kMaxIntake octets of all requests of the shard, shared
// fairly (IntakeShares), and memory.limit (503).
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
#include "relay/intake/http/submission_builder.h"
#include "relay/intake/intake.h"

namespace relay {

class HttpIngress {
  public:
    static constexpr std::size_t kMaxIntake = 256U << 20;

    HttpIngress(core::Reactor& reactor, IntakePolicy policy, Acceptance& acceptance,
                metrics::ShardMetrics& metrics, EventWriter& events);
    ~HttpIngress();

    // first: asked before anything else of a request; empty: nobody is. tenant_of: whose all mail
    // of a request is, whatever it says; empty, or no name: as it says.
    using TenantOf = std::function<std::string(const core::HttpRequest& head)>;
    void add_routes(core::Router& router, core::HttpGate first = {}, TenantOf tenant_of = {});
    // Escapes may double the content; the rest is room for a million recipients.
    std::size_t body_limit() const { return 2 * intake_.policy().max_message_size + (32U << 20); }
    RejectionLog& rejections() { return intake_.rejections(); }
    void close() { intake_.close(); }

    std::optional<core::HttpResponse> gate(const core::HttpRequest& head);
    core::Task<core::HttpResponse> inject(core::HttpRequest request);

  private:
    class Body;
    class Refused;

    core::Task<std::optional<core::HttpResponse>> build(Body* body, SubmissionBuilder* builder);
    // Runs a step of a request; a response refuses it: by the step, for want of room or of memory.
    std::optional<core::HttpResponse> step(Body& body, SubmissionBuilder& builder,
                                           const std::function<std::optional<HttpFault>()>& work);
    core::Task<void> name_rest(SubmissionBuilder* builder, const Committed* committed);
    core::HttpResponse unavailable(Refusal refusal);
    core::HttpResponse out_of_memory();
    core::HttpResponse refuse(Body& body, const HttpFault& fault);
    core::HttpResponse reject(metrics::Rejection why, int status, std::string_view message,
                              std::string_view field = {});
    void record(const Body& body, std::string_view recipient, int status, std::string_view why);

    Intake intake_;
};

}  // namespace relay
