#include "relay/inject/http_ingress.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "core/base/ascii.h"
#include "core/base/json_text.h"
#include "core/runtime/next_turn.h"
#include "relay/inject/content_text.h"
#include "relay/inject/expiry.h"
#include "relay/inject/seven_bit_content.h"
#include "relay/message/address.h"
#include "relay/message/received.h"

namespace relay {

using metrics::Protocol;
using metrics::Rejection;

namespace {

constexpr std::string_view kProtocol = "HTTP";
constexpr std::string_view kPath = "/api/inject/v1";
constexpr std::string_view kRetryAfterSeconds = "5";
constexpr std::size_t kRecipientMemory = 256;  // octets that one takes while it is queued, about
constexpr std::size_t kShownAddress = 320;     // octets of a caller's address in our answer

// As SMTP says it.
constexpr std::string_view kNullMx = "556 5.1.10 the domain takes no mail (null MX, RFC 7505)";
constexpr std::string_view kLiteral = "550 5.1.2 mail for address literals is not taken";

std::string_view sentence(AddressFault fault) {
    switch (fault) {
        case AddressFault::syntax:
            return "is not a mail address";
        case AddressFault::too_long:
            return "is longer than RFC 5321 section 4.5.3.1 allows";
        case AddressFault::unqualified:
            return "has no fully qualified domain";
    }
    return "is not a mail address";
}

bool is_json(std::string_view content_type) {
    const std::string_view type = core::trim(content_type.substr(0, content_type.find(';')));
    return core::equals_ignoring_case(type, "application/json");
}

std::string literal(const core::IpAddress& address) {
    const core::IpAddress plain = address.unmapped();
    return (plain.is_v6() ? "[IPv6:" : "[") + plain.to_string() + "]";
}

Rejection reason(int status, std::string_view field) {
    if (status == 422 && field == "content") return Rejection::content;
    return Rejection::malformed;
}

}  // namespace

// One request on its way to becoming a message. The views of request live in parser.
struct HttpIngress::Batch {
    std::unique_ptr<InjectRequestParser> parser;
    InjectRequest request;
    std::unique_ptr<Message> message;
    core::IpAddress client;
    std::size_t next = 0;                     // recipient to be looked at
    std::string failed_recipients;            // JSON strings, the elements of an array
    std::string errors;                       // likewise, of the first kListedErrors
    std::vector<core::HttpProblem> problems;  // the same, for the case that nobody is left
    std::size_t failed = 0;
    bool convert = false;  // the content to 7-bit
};

HttpIngress::HttpIngress(core::Reactor& reactor, HttpIngressOptions options, Acceptance& acceptance,
                         metrics::ShardMetrics& metrics, EventWriter& events)
    : reactor_(reactor),
      options_(std::move(options)),
      acceptance_(acceptance),
      metrics_(metrics),
      events_(events) {}

HttpIngress::~HttpIngress() = default;

void HttpIngress::add_routes(core::Router& router) {
    core::HttpRoute route;
    route.method = "POST";
    route.path = kPath;
    route.max_body = body_limit();
    route.handler = [this](core::HttpRequest request) { return inject(std::move(request)); };
    route.gate = [this](const core::HttpRequest& head) { return gate(head); };
    router.add(std::move(route));
}

std::optional<core::HttpResponse> HttpIngress::gate(const core::HttpRequest& head) {
    const bool allowed = std::ranges::any_of(options_.allow, [&](const core::IpNetwork& network) {
        return network.contains(head.peer.ip);
    });
    if (!allowed) {
        return reject(Rejection::relay_denied, 403, "your address may not inject mail here");
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
    const auto refusal = acceptance_.check(head.content_length.value_or(0));
    if (refusal) return unavailable(*refusal);
    return std::nullopt;
}

core::Task<core::HttpResponse> HttpIngress::inject(core::HttpRequest request) {
    auto batch = std::make_unique<Batch>();
    batch->parser = take_parser();
    std::optional<core::HttpResponse> refusal = begin(request, *batch);
    while (!refusal && batch->next < batch->request.recipients.size()) {
        if (batch->next > 0) co_await core::NextTurn{reactor_};
        take_recipients(*batch, kRecipientsPerTurn);
    }
    if (!refusal && batch->message->recipients.empty()) {
        metrics_.rejected(Protocol::http, Rejection::address);
        refusal = core::error_response(422, batch->problems);
    }
    if (!refusal) refusal = write_content(*batch);
    give_back(std::move(batch->parser));
    if (refusal) co_return std::move(*refusal);
    std::string().swap(request.body);  // the message has its own copy, and commit may take a while
    if (batch->convert) {
        const auto full = acceptance_.check(seven_bit_room(batch->message->content.size()));
        if (full) co_return unavailable(*full);
        co_await make_seven_bit(reactor_, batch->message.get());
    }
    co_return co_await commit(std::move(batch));
}

// JSON, sender and size: everything that can refuse the request as a whole and costs little.
std::optional<core::HttpResponse> HttpIngress::begin(const core::HttpRequest& request,
                                                     Batch& batch) {
    batch.client = request.peer.ip;
    auto parsed = batch.parser->parse(request.body);
    if (!parsed) {
        const InjectProblem& fault = parsed.error();
        return reject(reason(fault.status, fault.field), fault.status, fault.message, fault.field);
    }
    batch.request = std::move(*parsed);
    if (batch.request.content.size() > options_.max_message_size) {
        return reject(Rejection::size, 413,
                      fmt::format("a message may have {} octets", options_.max_message_size),
                      "content", &batch);
    }
    const std::size_t recipients = batch.request.recipients.size();
    if (recipients > options_.max_recipients) {
        return reject(Rejection::recipients, 413,
                      fmt::format("a request may have {} recipients", options_.max_recipients),
                      "recipients", &batch);
    }
    const std::size_t memory = batch.request.content.size() + recipients * kRecipientMemory;
    if (const auto refusal = acceptance_.check(memory)) return unavailable(*refusal);
    std::string_view sender = batch.request.sender;
    if (sender == "<>") sender = {};
    if (!sender.empty()) {
        const auto address = parse_mailbox(sender);
        if (!address) {
            return reject(Rejection::address, 422, sentence(address.error()), "envelope_sender",
                          &batch);
        }
    }
    batch.message = acceptance_.begin();
    batch.message->sender = sender;
    batch.message->bounces = options_.bounces;
    batch.message->verp = options_.verp;
    set_expiry(*batch.message, batch.request.max_age, options_.max_age);
    batch.message->edit_injection().protocol = kProtocol;
    batch.message->edit_injection().client_address = batch.client.to_string();
    batch.message->recipients.reserve(recipients);
    return std::nullopt;
}

void HttpIngress::take_recipients(Batch& batch, std::size_t count) {
    const auto& all = batch.request.recipients;
    const std::size_t end = std::min(all.size(), batch.next + count);
    for (; batch.next < end; ++batch.next) {
        const std::string_view text = all[batch.next];
        const auto address = parse_mailbox(text);
        if (const auto why = refusal_of(address); !why.empty()) {
            note_failure(batch, text.substr(0, kShownAddress), why);
            continue;
        }
        batch.message->recipients.push_back(
            std::make_unique<Recipient>(*batch.message, std::string(address->mailbox)));
    }
}

// Why a recipient is not taken; empty: it is.
std::string_view HttpIngress::refusal_of(
    const std::expected<AddressView, AddressFault>& address) const {
    if (!address) return sentence(address.error());
    if (address->literal && !options_.address_literals) return kLiteral;
    if (acceptance_.takes_no_mail(address->domain)) return kNullMx;
    return {};
}

void HttpIngress::note_failure(Batch& batch, std::string_view address, std::string_view why) {
    if (batch.failed > 0) batch.failed_recipients += ',';
    core::append_json_string(batch.failed_recipients, address);
    if (++batch.failed > kListedErrors) return;
    if (batch.failed > 1) batch.errors += ',';
    core::append_json_string(batch.errors, fmt::format("{}: {}", address, why));
    record(batch, address, 422, why);
    batch.problems.push_back({std::string(why), fmt::format("recipients[{}].email", batch.next)});
}

std::optional<core::HttpResponse> HttpIngress::write_content(Batch& batch) {
    Message& message = *batch.message;
    const std::string from = literal(batch.client);
    const std::string id = message.id.to_string();
    ReceivedFields fields;
    fields.from = from;
    fields.peer = batch.client;
    fields.by = options_.hostname;
    fields.with = kProtocol;
    fields.id = id;
    if (batch.request.recipients.size() == 1) fields.recipient = message.recipients[0]->address;
    fields.time = message.created;
    const std::string received = received_field(fields);

    const std::string_view text = batch.request.content;
    message.content.reserve(received.size() + text.size() + text.size() / 32);
    message.edit_injection().client_address = batch.client.to_string();
    message.content.append(received);
    const auto facts = append_text(message.content, text);
    if (!facts) return reject(Rejection::content, 422, facts.error(), "content", &batch);
    if (facts->received_fields >= kMaxReceivedFields) {
        return reject(
            Rejection::content, 422,
            fmt::format("the message was received {} times: a loop (RFC 5321 section 6.3)",
                        facts->received_fields),
            "content");
    }
    message.content.seal();
    if (message.content.size() - received.size() > options_.max_message_size) {
        return reject(Rejection::size, 413,
                      fmt::format("a message may have {} octets", options_.max_message_size),
                      "content", &batch);
    }
    message.eight_bit = facts->eight_bit;
    if (facts->tls_waived) message.tls = TlsRequest::waived;
    if (batch.request.require_tls) message.tls = TlsRequest::required;
    message.utf8 = facts->utf8_header;
    batch.convert = facts->eight_bit && !facts->utf8_header && options_.convert_eight_bit;
    return std::nullopt;
}

core::Task<core::HttpResponse> HttpIngress::commit(std::unique_ptr<Batch> batch) {
    const std::size_t accepted = batch->message->recipients.size();
    const auto committed = co_await acceptance_.commit(std::move(batch->message));
    if (!committed) co_return unavailable(committed.error());
    core::HttpResponse response;
    response.body = fmt::format(
        "{{\"success_count\":{},\"fail_count\":{},\"failed_recipients\":[{}],\"errors\":[{}],"
        "\"ids\":[\"{}\"]}}\n",
        accepted, batch->failed, batch->failed_recipients, batch->errors, committed->to_string());
    co_return response;
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

core::HttpResponse HttpIngress::reject(Rejection why, int status, std::string_view message,
                                       std::string_view field, const Batch* batch) {
    metrics_.rejected(Protocol::http, why);
    if (batch != nullptr) record(*batch, {}, status, message);
    return core::error_response(status, message, field);
}

void HttpIngress::record(const Batch& batch, std::string_view recipient, int status,
                         std::string_view why) {
    const std::string address = batch.client.to_string();
    events_.rejection({
        .sender = batch.request.sender.substr(0, kShownAddress),
        .recipient = recipient,
        .size = batch.request.content.size(),
        .peer = {{}, address},
        .response = {.code = static_cast<std::uint16_t>(status),
                     .enhanced = {},
                     .content = why,
                     .command = kPath},
        .protocol = kProtocol,
        .session_id = {},
    });
}

std::unique_ptr<InjectRequestParser> HttpIngress::take_parser() {
    if (spare_parsers_.empty()) return std::make_unique<InjectRequestParser>();
    auto parser = std::move(spare_parsers_.back());
    spare_parsers_.pop_back();
    return parser;
}

void HttpIngress::give_back(std::unique_ptr<InjectRequestParser> parser) {
    if (parser->capacity() > kMaxSpareParserCapacity) return;  // do not hold a campaign's memory
    if (spare_parsers_.size() < kMaxSpareParsers) spare_parsers_.push_back(std::move(parser));
}

}  // namespace relay
