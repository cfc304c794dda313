#include "relay/intake/submission.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "relay/message/received.h"

namespace relay {

namespace {

std::string literal(const core::IpAddress& address) {
    const core::IpAddress plain = address.unmapped();
    return (plain.is_v6() ? "[IPv6:" : "[") + plain.to_string() + "]";
}

}  // namespace

Submission::Submission(const IntakePolicy& policy, Submitter who, std::unique_ptr<Message> message)
    : policy_(&policy), who_(std::move(who)), message_(std::move(message)) {
    PH_ASSERT(message_ != nullptr);
}

void Submission::add_recipient(std::string_view mailbox) {
    message_->recipients.push_back(std::make_unique<Recipient>(*message_, mailbox));
}

void Submission::set_notify(std::size_t recipient, Notify notify, std::string original) {
    Recipient& asking = *message_->recipients[recipient];
    asking.notify = notify;
    asking.set_original(std::move(original));
}

void Submission::begin_content(std::size_t octets, std::string_view recipient) {
    PH_ASSERT(received_ == 0);
    const std::string address = who_.name.empty() ? literal(who_.address) : std::string();
    const std::string id = message_->id.to_string();
    const std::string received = received_field({
        .from = who_.name.empty() ? std::string_view(address) : who_.name,
        .peer = who_.address,
        .by = policy_->hostname,
        .with = who_.protocol,
        .id = id,
        .recipient = recipient,
        .time = message_->created,
    });
    if (octets > 0) message_->content.reserve(received.size() + octets);
    message_->content.append(received);
    received_ = received.size();
}

void Submission::end_content(const HeaderScan& header, bool eight_bit) {
    message_->content.seal();
    message_->eight_bit = eight_bit;
    message_->utf8 = header.has_utf8();
    message_->tls = header.tls_waived() ? TlsRequest::waived : TlsRequest::unsaid;
}

std::size_t Submission::memory() const {
    const Content& content = message_->content;
    return content.size() + kLeadingDot * std::size_t{content.leading_dots()};
}

std::optional<std::string> Submission::take_label_fields() {
    const LabelFieldNames& names = policy_->labels;
    if (!names.any()) return std::nullopt;
    LabelFields fields = relay::take_label_fields(message_->content, names);
    const auto wrong = [](const std::string& name, std::string_view complaint) {
        return name + " " + std::string(complaint);
    };
    if (fields.tenant && wishes.tenant.empty()) {
        const auto complaint = label_complaint(*fields.tenant);
        if (!complaint.empty()) return wrong(names.tenant, complaint);
        wishes.tenant = std::move(*fields.tenant);
    }
    if (fields.campaign && wishes.campaign.empty()) {
        const auto complaint = label_complaint(*fields.campaign);
        if (!complaint.empty()) return wrong(names.campaign, complaint);
        wishes.campaign = std::move(*fields.campaign);
    }
    if (fields.priority && !wishes.priority) {
        wishes.priority = priority_named(core::to_lower(*fields.priority));
        if (!wishes.priority) return wrong(names.priority, "must be urgent, normal or bulk");
    }
    return std::nullopt;
}

void Submission::label(const Tenant& tenant) {
    if (tenant.id == TenantId::none && wishes.campaign.empty()) return;
    message_->edit_labels() = {&tenant, std::move(wishes.campaign)};
}

void Submission::complete(const TenantPolicy& tenant) {
    Message& message = *message_;
    message.bounces = tenant.bounces.value_or(policy_->bounces);
    message.priority = wishes.priority.value_or(tenant.priority);
    message.verp = policy_->verp;
    if (wishes.require_tls) message.tls = TlsRequest::required;  // RFC 8689 section 4.1
    message.set_dsn(std::move(wishes.dsn));
    if (wishes.by) message.set_deliver_by(DeliverBy::from(message.created, *wishes.by));
    // Schedules of [retry] and of destinations hold beside it, so it only ever shortens.
    const core::Duration age = shorter_age(wishes.max_age, policy_->max_age);
    if (age > core::Duration{}) message.set_expires(message.created + age);
    message.edit_injection() = {
        .protocol = std::move(who_.protocol),
        .session_id = std::move(who_.session_id),
        .client_name = std::move(who_.name),
        .client_address = who_.address.to_string(),
    };
}

bool Submission::wants_seven_bit() const {
    return message_->eight_bit && !message_->utf8 && policy_->convert_eight_bit;
}

core::Duration shorter_age(core::Duration one, core::Duration other) {
    constexpr core::Duration kNothing{};
    if (one == kNothing || other == kNothing) return std::max(one, other);
    return std::min(one, other);
}

}  // namespace relay
