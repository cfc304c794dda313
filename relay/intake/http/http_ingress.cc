#include "relay/intake/http/http_ingress.h"

#include <algorithm>
#include <new>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "core/base/ascii.h"
#include "core/runtime/next_turn.h"
#include "relay/intake/seven_bit_content.h"

namespace relay {

using metrics::Protocol;
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

}  // namespace

// One request on its way in: what came of its body, and what it holds until it is answered.
class HttpIngress::Intake final : public core::HttpBodySink {
  public:
    Intake(HttpIngress& ingress, const core::IpAddress& client)
        : client(client),
          parser({ingress.options_.max_message_size, ingress.options_.max_recipients}),
          hold(ingress.shares_, client),
          ingress_(ingress) {}

    std::optional<core::HttpResponse> take(std::string_view octets) override try {
        auto problem = parser.feed(octets);
        hold.set(parser.so_far().memory());
        if (problem) return ingress_.refuse(*this, fault_of(std::move(*problem)));
        return ask_for_room();
    } catch (const std::bad_alloc&) {
        return ingress_.out_of_memory();
    }

    // What it holds now, and whether there is room for that.
    std::optional<core::HttpResponse> ask_for_room() {
        if (hold.octets() <= asked_) return std::nullopt;
        asked_ = hold.octets() + kRoomStep;
        return ingress_.check_room(hold);
    }

    const core::IpAddress client;
    InjectRequestParser parser;
    IntakeShares::Hold hold;
    std::string sender;  // for events

  private:
    HttpIngress& ingress_;
    std::size_t asked_ = kRoomStep;
};

class HttpIngress::Refused final : public RefusedRecipients {
  public:
    Refused(HttpIngress& ingress, const Intake& intake) : ingress_(ingress), intake_(intake) {}
    void note(std::string_view address, std::string_view why) override {
        ingress_.record(intake_.client, intake_.sender, address, intake_.hold.octets(), 422, why);
    }

  private:
    HttpIngress& ingress_;
    const Intake& intake_;
};

HttpIngress::HttpIngress(core::Reactor& reactor, HttpIngressOptions options, Acceptance& acceptance,
                         metrics::ShardMetrics& metrics, EventWriter& events)
    : reactor_(reactor),
      options_(std::move(options)),
      acceptance_(acceptance),
      metrics_(metrics),
      rejections_(reactor, events) {}

HttpIngress::~HttpIngress() = default;

void HttpIngress::add_routes(core::Router& router) {
    core::HttpRoute route;
    route.method = "POST";
    route.path = kPath;
    route.max_body = body_limit();
    route.handler = [this](core::HttpRequest request) { return inject(std::move(request)); };
    route.gate = [this](const core::HttpRequest& head) { return gate(head); };
    route.receiver = [this](const core::HttpRequest& head) {
        return std::make_shared<Intake>(*this, head.peer.ip);
    };
    router.add(std::move(route));
}

std::optional<core::HttpResponse> HttpIngress::gate(const core::HttpRequest& head) {
    const bool allowed = std::ranges::any_of(options_.allow, [&](const core::IpNetwork& network) {
        return network.contains(head.peer.ip);
    });
    if (!allowed) {
        const std::string address = head.peer.ip.unmapped().to_string();
        rejections_.note_turned_away(head.peer.ip, "may not inject by HTTP: not in `allow`");
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
    const auto refusal = acceptance_.check(shares_.total() + head.content_length.value_or(0));
    if (refusal) return unavailable(*refusal);
    return std::nullopt;
}

core::Task<core::HttpResponse> HttpIngress::inject(core::HttpRequest request) {
    const std::shared_ptr<core::HttpBodySink> received = std::move(request.received);
    auto& intake = static_cast<Intake&>(*received);
    auto parsed = intake.parser.finish();
    if (!parsed) co_return refuse(intake, fault_of(std::move(parsed.error())));
    intake.sender = parsed->sender.substr(0, kShownAddress);
    const std::size_t queued = parsed->recipients.size() * kRecipientMemory;
    if (const auto full = acceptance_.check(shares_.total() + queued)) co_return unavailable(*full);
    Refused refused(*this, intake);
    HttpSubmission submission(options_, acceptance_, std::move(*parsed), intake.client, refused);
    if (auto refusal = co_await build(&intake, &submission)) {
        acceptance_.drop(submission.take_message());
        co_return std::move(*refusal);
    }
    if (submission.wants_seven_bit()) {
        const std::size_t room = seven_bit_room(submission.message().content.size());
        const auto full = acceptance_.check(shares_.total() + room);
        if (full) {
            acceptance_.drop(submission.take_message());
            co_return unavailable(*full);
        }
        if (!co_await make_seven_bit(reactor_, &submission.message())) {
            acceptance_.drop(submission.take_message());
            co_return out_of_memory();
        }
    }
    std::unique_ptr<Message> message = submission.take_message();
    const auto committed = co_await acceptance_.commit(std::move(message));
    if (!committed) co_return unavailable(committed.error());
    core::HttpResponse response;
    response.body = submission.answer(committed->to_string());
    co_return response;
}

// Everything that can refuse the request, a turn of the loop after each step. A single recipient is
// named in our Received field, so it comes first; otherwise content does, which costs less to undo.
core::Task<std::optional<core::HttpResponse>> HttpIngress::build(Intake* intake,
                                                                 HttpSubmission* submission) {
    const auto begin = [submission] { return submission->begin(); };
    const auto take_recipients = [submission]() -> std::optional<HttpFault> {
        submission->take_recipients();
        return submission->recipients_done() ? submission->check_recipients() : std::nullopt;
    };
    const auto convert = [submission] { return submission->convert_content(); };
    if (auto refusal = step(*intake, *submission, begin)) co_return refusal;
    if (submission->only_recipient()) {
        if (auto refusal = step(*intake, *submission, take_recipients)) co_return refusal;
    }
    std::size_t steps = 0;
    while (!submission->content_done()) {
        if (++steps > kQuickSteps) co_await core::NextTurn{reactor_};
        if (auto refusal = step(*intake, *submission, convert)) co_return refusal;
    }
    while (!submission->recipients_done()) {
        if (++steps > kQuickSteps) co_await core::NextTurn{reactor_};
        if (auto refusal = step(*intake, *submission, take_recipients)) co_return refusal;
    }
    co_return std::nullopt;
}

std::optional<core::HttpResponse> HttpIngress::step(
    Intake& intake, HttpSubmission& submission,
    const std::function<std::optional<HttpFault>()>& work) try {
    std::optional<HttpFault> fault = work();
    if (fault && !submission.problems().empty() && fault->message.empty()) {
        metrics_.rejected(Protocol::http, fault->why);
        return core::error_response(fault->status, submission.problems());
    }
    if (fault) return refuse(intake, *fault);
    intake.hold.set(submission.memory());
    return intake.ask_for_room();
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

std::optional<core::HttpResponse> HttpIngress::check_room(const IntakeShares::Hold& hold) {
    const std::size_t wanted = shares_.total() + hold.must_be_left();
    if (const auto refusal = acceptance_.check(wanted)) return unavailable(*refusal);
    if (wanted <= kMaxIntake) return std::nullopt;
    core::HttpResponse response =
        reject(Rejection::memory_full, 503, "too many large requests are being read");
    response.fields.push_back({"Retry-After", std::string(kRetryAfterSeconds)});
    return response;
}

core::HttpResponse HttpIngress::out_of_memory() {
    core::HttpResponse response =
        reject(Rejection::memory_full, 503, "there is no memory for this request");
    response.fields.push_back({"Retry-After", std::string(kRetryAfterSeconds)});
    return response;
}

core::HttpResponse HttpIngress::unavailable(Refusal refusal) {
    const auto answer = [&](Rejection why, std::string_view message) {
        return reject(why, 503, message);
    };
    core::HttpResponse response = [&] {
        switch (refusal) {
            case Refusal::memory_full:
                return answer(Rejection::memory_full,
                              "there is no room for more mail at the moment");
            case Refusal::spool_full:
                return answer(Rejection::spool_full, "there is no space on disk for more mail");
            case Refusal::spool_failed:
                return answer(Rejection::spool_failed, "the disk failed, mail cannot be committed");
            case Refusal::draining:
                break;
        }
        return answer(Rejection::draining, "shutting down");
    }();
    response.fields.push_back({"Retry-After", std::string(kRetryAfterSeconds)});
    return response;
}

// What is said about mail, once it is known whose it is, is an event too.
core::HttpResponse HttpIngress::refuse(Intake& intake, const HttpFault& fault) {
    if (intake.sender.empty()) {
        intake.sender = intake.parser.so_far().sender.substr(0, kShownAddress);
    }
    const bool about_mail = fault.why != Rejection::malformed;
    if (about_mail) {
        record(intake.client, intake.sender, {}, intake.hold.octets(), fault.status, fault.message);
    }
    return reject(fault.why, fault.status, fault.message, fault.field);
}

core::HttpResponse HttpIngress::reject(Rejection why, int status, std::string_view message,
                                       std::string_view field) {
    metrics_.rejected(Protocol::http, why);
    return core::error_response(status, message, field);
}

void HttpIngress::record(const core::IpAddress& client, std::string_view sender,
                         std::string_view recipient, std::size_t size, int status,
                         std::string_view why) {
    const std::string address = client.to_string();
    rejections_.note(
        client, false,
        {
            .sender = sender,
            .recipient = recipient,
            .size = size,
            .peer = {{}, address},
            .response = {.reply = {static_cast<std::uint16_t>(status), {}, why}, .command = kPath},
            .protocol = kProtocol,
            .session_id = {},
        });
}

}  // namespace relay
