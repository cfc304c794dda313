#include "relay/intake/http/http_ingress.h"

#include <algorithm>
#include <new>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "core/base/ascii.h"
#include "core/runtime/next_turn.h"
#include "core/runtime/slices.h"
#include "relay/intake/intake_room.h"

namespace relay {

using metrics::Rejection;

namespace {

constexpr std::string_view kProtocol = "HTTP";
constexpr std::string_view kPath = "/api/inject/v1";
constexpr std::string_view kRetryAfterSeconds = "5";
constexpr std::size_t kShownAddress = 320;     // octets of a caller's address in an event
constexpr std::size_t kRecipientMemory = 256;  // octets that one takes while it is queued, about
constexpr std::size_t kQuickSteps = 3;         // of a request, before others get a turn

bool is_json(std::string_view content_type) {
    const std::string_view type = core::trim(content_type.substr(0, content_type.find(';')));
    return core::equals_ignoring_case(type, "application/json");
}

// Why a request could not be read.
HttpFault fault_of(InjectProblem problem) {
    const bool content = problem.field == "content";
    Rejection why = problem.status == 422 && content ? Rejection::content : Rejection::malformed;
    if (problem.status == 413) why = content ? Rejection::size : Rejection::recipients;
    return {why, problem.status, std::move(problem.message), std::move(problem.field)};
}

// What a caller is told of a refusal.
struct Words {
    Rejection why;
    std::string_view message;
};

Words words_for(Refusal refusal) {
    switch (refusal) {
        case Refusal::memory_full:
            return {Rejection::memory_full, "there is no room for more mail at the moment"};
        case Refusal::spool_full:
            return {Rejection::spool_full, "there is no space on disk for more mail"};
        case Refusal::spool_failed:
            return {Rejection::spool_failed, "the disk failed, mail cannot be committed"};
        case Refusal::draining:
            break;
    }
    return {Rejection::draining, "shutting down"};
}

IntakePolicy within(IntakePolicy policy) {
    policy.max_incomplete = HttpIngress::kMaxIntake;
    return policy;
}

}  // namespace

// One request on its way in: what came of its body, and what it holds until it is answered.
class HttpIngress::Body final : public core::HttpBodySink {
  public:
    Body(HttpIngress& ingress, const core::IpAddress& client)
        : who{.address = client, .name = {}, .protocol = std::string(kProtocol), .session_id = {}},
          parser({static_cast<std::size_t>(ingress.intake_.policy().max_message_size),
                  ingress.intake_.policy().max_recipients}),
          room(ingress.intake_, client),
          ingress_(ingress) {}

    std::optional<core::HttpResponse> take(std::string_view octets) override try {
        auto problem = parser.feed(octets);
        const std::size_t held = parser.so_far().memory();
        if (problem) {
            room.set(held);
            return ingress_.refuse(*this, fault_of(std::move(*problem)));
        }
        return hold(held);
    } catch (const std::bad_alloc&) {
        return ingress_.out_of_memory();
    }

    // What it holds now, and whether there is room for that.
    std::optional<core::HttpResponse> hold(std::size_t octets) {
        if (const auto refusal = room.hold(octets)) return ingress_.unavailable(*refusal);
        return std::nullopt;
    }

    const Submitter who;
    InjectRequestParser parser;
    IntakeRoom room;
    std::string sender;  // for events
    std::string tenant;  // of the credential; empty: as the request says

  private:
    HttpIngress& ingress_;
};

class HttpIngress::Refused final : public RefusedRecipients {
  public:
    Refused(HttpIngress& ingress, const Body& body) : ingress_(ingress), body_(body) {}
    void note(std::string_view address, std::string_view why) override {
        ingress_.record(body_, address, 422, why);
    }

  private:
    HttpIngress& ingress_;
    const Body& body_;
};

HttpIngress::HttpIngress(core::Reactor& reactor, IntakePolicy policy, Acceptance& acceptance,
                         metrics::ShardMetrics& metrics, EventWriter& events)
    : intake_(reactor, within(std::move(policy)), acceptance, metrics, events,
              metrics::Protocol::http) {}

HttpIngress::~HttpIngress() = default;

void HttpIngress::add_routes(core::Router& router, core::HttpGate first, TenantOf tenant_of) {
    core::HttpRoute route;
    route.method = "POST";
    route.path = kPath;
    route.max_body = body_limit();
    route.handler = [this](core::HttpRequest request) { return inject(std::move(request)); };
    route.gate = [this, first = std::move(first)](const core::HttpRequest& head) {
        if (first) {
            if (auto refusal = first(head)) return refusal;
        }
        return gate(head);
    };
    route.receiver = [this, tenant_of = std::move(tenant_of)](const core::HttpRequest& head) {
        auto body = std::make_shared<Body>(*this, head.peer.ip);
        if (tenant_of) body->tenant = tenant_of(head);
        return body;
    };
    router.add(std::move(route));
}

std::optional<core::HttpResponse> HttpIngress::gate(const core::HttpRequest& head) {
    const bool allowed = std::ranges::any_of(
        intake_.policy().allow,
        [&](const core::IpNetwork& network) { return network.contains(head.peer.ip); });
    if (!allowed) {
        const std::string address = head.peer.ip.unmapped().to_string();
        rejections().note_turned_away(head.peer.ip, "may not inject by HTTP: not in `allow`");
        return reject(Rejection::relay_denied, 403, address + " may not inject mail here");
    }
    const std::string* type = head.field("Content-Type");
    if (type == nullptr || !is_json(*type)) {  // also keeps web pages in a browser nearby out
        return reject(Rejection::malformed, 415, "the Content-Type must be application/json",
                      "Content-Type");
    }
    for (const std::string_view name : {"Content-Encoding", "Idempotency-Key"}) {
        const std::string* value = head.field(name);
        if (value == nullptr || core::equals_ignoring_case(*value, "identity")) continue;
        return reject(Rejection::malformed, 422,
                      fmt::format("{} is not available in this version", name), name);
    }
    if (head.content_length > body_limit()) {
        return reject(Rejection::size, 413,
                      fmt::format("a request may have {} octets", body_limit()));
    }
    const auto refusal = intake_.room_for(head.content_length.value_or(0));
    if (refusal) return unavailable(*refusal);
    return std::nullopt;
}

core::Task<core::HttpResponse> HttpIngress::inject(core::HttpRequest request) {
    const std::shared_ptr<core::HttpBodySink> received = std::move(request.received);
    auto& body = static_cast<Body&>(*received);
    auto parsed = body.parser.finish();
    if (!parsed) co_return refuse(body, fault_of(std::move(parsed.error())));
    body.sender = parsed->sender.substr(0, kShownAddress);
    if (!body.tenant.empty()) parsed->tenant = body.tenant;
    const std::size_t queued = parsed->recipients.size() * kRecipientMemory;
    if (const auto full = intake_.room_for(queued)) co_return unavailable(*full);
    Refused refused(*this, body);
    SubmissionBuilder builder(intake_, std::move(*parsed), body.who, refused);
    auto refusal = co_await build(&body, &builder);
    std::optional<Submission> submission = builder.take_submission();
    if (refusal) {
        if (submission) intake_.drop(std::move(*submission));
        co_return std::move(*refusal);
    }
    const Committed committed = co_await intake_.commit_many(std::move(*submission));
    if (committed.ids.empty()) co_return unavailable(*committed.refusal);
    if (committed.refusal) co_await name_rest(&builder, &committed);
    core::HttpResponse response;
    response.body = builder.answer(committed.ids);
    co_return response;
}

// Some of the mail was taken, so the answer is 200, and names the others.
core::Task<void> HttpIngress::name_rest(SubmissionBuilder* builder, const Committed* committed) {
    const Words words = words_for(*committed->refusal);
    intake_.refuse(words.why);
    builder->refuse_rest(committed->refused, words.message);
    core::Slices slices(intake_.reactor());
    for (const std::string& address : committed->refused_names) {
        if (!builder->name_refused(address)) co_return;
        co_await slices.next();
    }
}

// Everything that can refuse the request, a turn of the loop after each step. A single recipient is
// named in our Received field, so it comes first; otherwise content does, which costs less to undo.
core::Task<std::optional<core::HttpResponse>> HttpIngress::build(Body* body,
                                                                 SubmissionBuilder* builder) {
    const auto begin = [builder] { return builder->begin(); };
    const auto take_recipients = [builder]() -> std::optional<HttpFault> {
        builder->take_recipients();
        return builder->recipients_done() ? builder->check_recipients() : std::nullopt;
    };
    const auto convert = [builder] { return builder->convert_content(); };
    if (auto refusal = step(*body, *builder, begin)) co_return refusal;
    if (builder->only_recipient()) {
        if (auto refusal = step(*body, *builder, take_recipients)) co_return refusal;
    }
    std::size_t steps = 0;
    while (!builder->content_done()) {
        if (++steps > kQuickSteps) co_await core::NextTurn{intake_.reactor()};
        if (auto refusal = step(*body, *builder, convert)) co_return refusal;
    }
    while (!builder->recipients_done()) {
        if (++steps > kQuickSteps) co_await core::NextTurn{intake_.reactor()};
        if (auto refusal = step(*body, *builder, take_recipients)) co_return refusal;
    }
    co_return std::nullopt;
}

std::optional<core::HttpResponse> HttpIngress::step(
    Body& body, SubmissionBuilder& builder,
    const std::function<std::optional<HttpFault>()>& work) try {
    std::optional<HttpFault> fault = work();
    if (fault && !builder.problems().empty() && fault->message.empty()) {
        intake_.refuse(fault->why);
        return core::error_response(fault->status, builder.problems());
    }
    if (fault) return refuse(body, *fault);
    return body.hold(builder.memory());
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

core::HttpResponse HttpIngress::out_of_memory() {
    core::HttpResponse response =
        reject(Rejection::memory_full, 503, "there is no memory for this request");
    response.fields.push_back({"Retry-After", std::string(kRetryAfterSeconds)});
    return response;
}

core::HttpResponse HttpIngress::unavailable(Refusal refusal) {
    const Words words = words_for(refusal);
    core::HttpResponse response = reject(words.why, 503, words.message);
    response.fields.push_back({"Retry-After", std::string(kRetryAfterSeconds)});
    return response;
}

// What is said about mail, once it is known whose it is, is an event too.
core::HttpResponse HttpIngress::refuse(Body& body, const HttpFault& fault) {
    if (body.sender.empty()) body.sender = body.parser.so_far().sender.substr(0, kShownAddress);
    const bool about_mail = fault.why != Rejection::malformed;
    if (about_mail) record(body, {}, fault.status, fault.message);
    return reject(fault.why, fault.status, fault.message, fault.field);
}

core::HttpResponse HttpIngress::reject(Rejection why, int status, std::string_view message,
                                       std::string_view field) {
    intake_.refuse(why);
    return core::error_response(status, message, field);
}

void HttpIngress::record(const Body& body, std::string_view recipient, int status,
                         std::string_view why) {
    intake_.record(body.who, {.sender = body.sender,
                              .recipient = recipient,
                              .size = body.room.octets(),
                              .reply = {static_cast<std::uint16_t>(status), {}, why},
                              .command = kPath});
}

}  // namespace relay
