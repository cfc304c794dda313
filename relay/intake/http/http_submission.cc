#include "relay/intake/http/http_submission.h"

#include <algorithm>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "core/base/assert.h"
#include "core/base/json_text.h"
#include "relay/intake/expiry.h"
#include "relay/message/received.h"
#include "relay/mime/encoded_header.h"

namespace relay {

using metrics::Rejection;

namespace {

constexpr std::string_view kProtocol = "HTTP";
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

std::string literal(const core::IpAddress& address) {
    const core::IpAddress plain = address.unmapped();
    return (plain.is_v6() ? "[IPv6:" : "[") + plain.to_string() + "]";
}

// Octets up to the empty line, without it; npos: there is none in the text.
std::size_t header_length(std::string_view text) {
    for (std::size_t at = text.find('\n'); at != std::string_view::npos;
         at = text.find('\n', at + 1)) {
        const std::string_view rest = text.substr(at + 1);
        if (rest.starts_with('\n') || rest.starts_with("\r\n")) return at + 1;
    }
    return std::string_view::npos;
}

}  // namespace

HttpSubmission::HttpSubmission(const HttpIngressOptions& options, Acceptance& acceptance,
                               InjectRequest request, const core::IpAddress& client,
                               RefusedRecipients& refused)
    : options_(options),
      acceptance_(acceptance),
      request_(std::move(request)),
      client_(client),
      refused_(refused),
      named_(options.seed) {}

std::optional<HttpFault> HttpSubmission::begin() {
    std::string sender = request_.sender == "<>" ? std::string() : request_.sender;
    if (!sender.empty()) {
        const auto address = parse_mailbox(sender, LocalPart::loose);
        if (!address) {
            return HttpFault{Rejection::address, 422, std::string(sentence(address.error())),
                             "envelope_sender"};
        }
        sender = wire_mailbox(*address);
    }
    message_ = acceptance_.begin();
    message_->sender = sender;
    message_->bounces = options_.bounces;
    message_->verp = options_.verp;
    set_expiry(*message_, request_.max_age, options_.max_age);
    message_->edit_injection().protocol = kProtocol;
    message_->edit_injection().client_address = client_.to_string();
    message_->recipients.reserve(request_.recipients.size());
    named_.reserve(request_.recipients.size());
    return std::nullopt;
}

void HttpSubmission::take_recipients() {
    std::vector<std::string> mailboxes;
    mailboxes.reserve(std::min(kRecipientsPerTurn, request_.recipients.size()));
    for (std::size_t i = 0; i < kRecipientsPerTurn && !recipients_done(); ++i) {
        const std::string_view text = request_.recipients.next();
        const std::size_t index = next_recipient_++;
        const auto address = parse_mailbox(text, LocalPart::loose);
        const std::string_view why = refusal_of(address);
        if (!why.empty()) {
            refuse(index, text, why);
        } else {
            mailboxes.push_back(wire_mailbox(*address));
        }
    }
    add_batch(mailboxes);
}

// In two passes, so that the places of the set come into the cache together.
void HttpSubmission::add_batch(const std::vector<std::string>& mailboxes) {
    auto& recipients = message_->recipients;
    std::vector<std::uint64_t> hashes;
    hashes.reserve(mailboxes.size());
    for (const std::string& mailbox : mailboxes) {
        hashes.push_back(named_.hash(mailbox));
        named_.prefetch(hashes.back());
    }
    const auto mailbox_at = [&recipients](std::size_t i) -> std::string_view {
        return recipients[i]->address;
    };
    for (std::size_t i = 0; i < mailboxes.size(); ++i) {
        ++accepted_;
        if (!named_.insert(hashes[i], mailboxes[i], mailbox_at)) continue;
        recipients.push_back(std::make_unique<Recipient>(*message_, mailboxes[i]));
    }
}

// Why a recipient is not taken; empty: it is.
std::string_view HttpSubmission::refusal_of(
    const std::expected<AddressView, AddressFault>& address) const {
    if (!address) return sentence(address.error());
    if (address->literal && !options_.address_literals) return kLiteral;
    if (acceptance_.takes_no_mail(address->domain)) return kNullMx;
    return {};
}

void HttpSubmission::refuse(std::size_t index, std::string_view address, std::string_view why) {
    if (failed_ > 0) failed_recipients_ += ',';
    core::append_json_string(failed_recipients_, address);
    if (++failed_ > kListedErrors) return;
    refused_.note(address, why);
    problems_.push_back(
        {fmt::format("{}: {}", address, why), fmt::format("recipients[{}].email", index)});
}

std::optional<HttpFault> HttpSubmission::check_recipients() const {
    if (!message_->recipients.empty()) return std::nullopt;
    PH_ASSERT(!problems_.empty());
    return HttpFault{Rejection::address, 422, {}, {}};
}

// ---- content

HttpFault HttpSubmission::too_large() const {
    return {Rejection::size, 413,
            fmt::format("a message may have {} octets", options_.max_message_size), "content"};
}

std::optional<HttpFault> HttpSubmission::begin_content() {
    Message& message = *message_;
    const std::string from = literal(client_);
    const std::string id = message.id.to_string();
    ReceivedFields fields;
    fields.from = from;
    fields.peer = client_;
    fields.by = options_.hostname;
    fields.with = kProtocol;
    fields.id = id;
    if (only_recipient() && !message.recipients.empty()) {
        fields.recipient = message.recipients[0]->address;
    }
    fields.time = message.created;
    const std::string received = received_field(fields);
    received_ = received.size();
    const std::size_t octets = request_.content.size();
    message.content.reserve(received_ + octets + octets / 32);
    message.content.append(received);
    text_ = std::make_unique<ContentText>(message.content);
    if (!request_.eight_bit) return std::nullopt;
    // Raw UTF-8 in the header section would be for servers with SMTPUTF8 only (RFC 6531).
    const std::string head = request_.content.head(kMaxEncodedHeader);
    const std::size_t length = std::min(header_length(head), head.size());
    const std::string_view section = std::string_view(head).substr(0, length);
    const bool whole = length < head.size() || head.size() == octets;
    if (!whole || !has_octets_above_127(section) || is_signed_header(section)) return std::nullopt;
    skipped_ = length;
    return feed(encode_header(section));
}

std::optional<HttpFault> HttpSubmission::feed(std::string_view text) {
    if (auto fault = text_->feed(text)) {
        return HttpFault{Rejection::content, 422, std::move(*fault), "content"};
    }
    if (message_->content.size() - received_ > options_.max_message_size) return too_large();
    return std::nullopt;
}

std::optional<HttpFault> HttpSubmission::convert_content() {
    if (text_ == nullptr) return begin_content();
    if (request_.content.empty()) return end_content();
    const std::string block = request_.content.take();
    std::string_view text = block;
    const std::size_t skip = std::min(skipped_, text.size());
    skipped_ -= skip;
    text.remove_prefix(skip);
    return text.empty() ? std::nullopt : feed(text);
}

std::optional<HttpFault> HttpSubmission::end_content() {
    if (auto fault = text_->finish()) {
        return HttpFault{Rejection::content, 422, std::move(*fault), "content"};
    }
    Message& message = *message_;
    message.content.seal();
    if (message.content.size() - received_ > options_.max_message_size) return too_large();
    message.eight_bit = text_->eight_bit();
    message.utf8 = text_->header().has_utf8();
    if (text_->header().tls_waived()) message.tls = TlsRequest::waived;
    if (request_.require_tls) message.tls = TlsRequest::required;
    content_done_ = true;
    return std::nullopt;
}

bool HttpSubmission::wants_seven_bit() const {
    return message_->eight_bit && !message_->utf8 && options_.convert_eight_bit;
}

std::size_t HttpSubmission::memory() const {
    std::size_t octets = request_.memory() + failed_recipients_.size();
    if (message_ != nullptr) {
        octets += message_->content.size() + 4 * std::size_t{message_->content.leading_dots()};
    }
    return octets;
}

std::string HttpSubmission::answer(std::string_view id) const {
    std::string text = fmt::format(
        "{{\"success_count\":{},\"fail_count\":{},\"failed_recipients\":[{}],\"errors\":[",
        accepted_, failed_, failed_recipients_);
    for (std::size_t i = 0; i < problems_.size(); ++i) {
        if (i > 0) text += ',';
        core::append_problem(text, problems_[i]);
    }
    return text + fmt::format("],\"ids\":[\"{}\"]}}\n", id);
}

}  // namespace relay
