#include "relay/intake/http/submission_builder.h"

#include <algorithm>
#include <new>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "core/base/assert.h"
#include "core/base/json_text.h"
#include "relay/mime/encoded_header.h"

namespace relay {

using metrics::Rejection;

namespace {

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

std::string_view sentence(RecipientFault fault) {
    switch (fault) {
        case RecipientFault::address_literal:
            return kLiteral;
        case RecipientFault::null_mx:
            return kNullMx;
        case RecipientFault::no_room:
            break;
    }
    PH_ASSERT(false && "room for all recipients is asked for before");
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

SubmissionBuilder::SubmissionBuilder(Intake& intake, InjectRequest request, Submitter who,
                                     RefusedRecipients& refused)
    : intake_(intake),
      request_(std::move(request)),
      who_(std::move(who)),
      refused_(refused),
      named_(intake.policy().seed) {}

std::optional<HttpFault> SubmissionBuilder::begin() {
    std::string sender = request_.sender == "<>" ? std::string() : request_.sender;
    if (!sender.empty()) {
        const auto address = parse_mailbox(sender, LocalPart::loose);
        if (!address) {
            return HttpFault{Rejection::address, 422, std::string(sentence(address.error())),
                             "envelope_sender"};
        }
        sender = wire_mailbox(*address);
    }
    submission_.emplace(intake_.begin(std::move(who_)));
    submission_->set_sender(sender);
    submission_->wishes.require_tls = request_.require_tls;
    submission_->wishes.max_age = request_.max_age;
    submission_->wishes.tenant = std::move(request_.tenant);
    submission_->wishes.campaign = std::move(request_.campaign);
    submission_->wishes.priority = request_.priority;
    submission_->expect_recipients(request_.recipients.size());
    named_.reserve(request_.recipients.size());
    return std::nullopt;
}

void SubmissionBuilder::take_recipients() {
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
void SubmissionBuilder::add_batch(const std::vector<std::string>& mailboxes) {
    std::vector<std::uint64_t> hashes;
    hashes.reserve(mailboxes.size());
    for (const std::string& mailbox : mailboxes) {
        hashes.push_back(named_.hash(mailbox));
        named_.prefetch(hashes.back());
    }
    const auto mailbox_at = [this](std::size_t i) { return submission_->recipient(i); };
    for (std::size_t i = 0; i < mailboxes.size(); ++i) {
        ++accepted_;
        if (!named_.insert(hashes[i], mailboxes[i], mailbox_at)) continue;
        submission_->add_recipient(mailboxes[i]);
    }
}

// Why a recipient is not taken; empty: it is.
std::string_view SubmissionBuilder::refusal_of(
    const std::expected<AddressView, AddressFault>& address) const {
    if (!address) return sentence(address.error());
    const auto fault = intake_.fault_of(*address);
    return fault ? sentence(*fault) : std::string_view{};
}

void SubmissionBuilder::refuse(std::size_t index, std::string_view address, std::string_view why) {
    if (!failed_recipients_.empty()) failed_recipients_ += ',';
    core::append_json_string(failed_recipients_, address);
    if (++failed_ > kListedErrors) return;
    refused_.note(address, why);
    problems_.push_back(
        {fmt::format("{}: {}", address, why), fmt::format("recipients[{}].email", index)});
}

std::optional<HttpFault> SubmissionBuilder::check_recipients() const {
    if (submission_->recipients() > 0) return std::nullopt;
    PH_ASSERT(!problems_.empty());
    return HttpFault{Rejection::address, 422, {}, {}};
}

// ---- content

HttpFault SubmissionBuilder::too_large() const {
    return {Rejection::size, 413,
            fmt::format("a message may have {} octets", intake_.policy().max_message_size),
            "content"};
}

std::optional<HttpFault> SubmissionBuilder::begin_content() {
    const std::size_t octets = request_.content.size();
    const bool only = only_recipient() && submission_->recipients() > 0;
    submission_->begin_content(octets + octets / 32, only ? submission_->recipient(0) : "");
    text_ = std::make_unique<ContentText>(submission_->content());
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

std::optional<HttpFault> SubmissionBuilder::feed(std::string_view text) {
    if (auto fault = text_->feed(text)) {
        return HttpFault{Rejection::content, 422, std::move(*fault), "content"};
    }
    if (submission_->octets() > intake_.policy().max_message_size) return too_large();
    return std::nullopt;
}

std::optional<HttpFault> SubmissionBuilder::convert_content() {
    if (text_ == nullptr) return begin_content();
    if (request_.content.empty()) return end_content();
    const std::string block = request_.content.take();
    std::string_view text = block;
    const std::size_t skip = std::min(skipped_, text.size());
    skipped_ -= skip;
    text.remove_prefix(skip);
    return text.empty() ? std::nullopt : feed(text);
}

std::optional<HttpFault> SubmissionBuilder::end_content() {
    if (auto fault = text_->finish()) {
        return HttpFault{Rejection::content, 422, std::move(*fault), "content"};
    }
    submission_->end_content(text_->header(), text_->eight_bit());
    if (auto wrong = submission_->take_label_fields()) {
        return HttpFault{Rejection::content, 422, std::move(*wrong), "content"};
    }
    if (submission_->octets() > intake_.policy().max_message_size) return too_large();
    content_done_ = true;
    return std::nullopt;
}

std::size_t SubmissionBuilder::memory() const {
    const std::size_t content = submission_ ? submission_->memory() : 0;
    return request_.memory() + failed_recipients_.size() + content;
}

void SubmissionBuilder::refuse_rest(std::size_t recipients, std::string_view why) {
    PH_ASSERT(recipients <= accepted_);
    accepted_ -= recipients;
    failed_ += recipients;
    problems_.push_back(
        {fmt::format("{} recipients were not taken: {}", recipients, why), "recipients"});
}

bool SubmissionBuilder::name_refused(std::string_view address) try {
    if (!failed_recipients_.empty()) failed_recipients_ += ',';
    core::append_json_string(failed_recipients_, address);
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

std::string SubmissionBuilder::answer(const std::vector<MessageId>& ids) const {
    std::string text = fmt::format(
        "{{\"success_count\":{},\"fail_count\":{},\"failed_recipients\":[{}],\"errors\":[",
        accepted_, failed_, failed_recipients_);
    for (std::size_t i = 0; i < problems_.size(); ++i) {
        if (i > 0) text += ',';
        core::append_problem(text, problems_[i]);
    }
    text += "],\"ids\":[";
    for (const MessageId& id : ids)
        text += (id == ids.front() ? "\"" : ",\"") + id.to_string() + "\"";
    return text + "]}\n";
}

}  // namespace relay
