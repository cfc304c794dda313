#include "relay/intake/intake.h"

#include <new>
#include <string>
#include <utility>

#include "core/base/assert.h"
#include "relay/intake/seven_bit_content.h"

namespace relay {

Intake::Intake(core::Reactor& reactor, IntakePolicy policy, Acceptance& acceptance,
               metrics::ShardMetrics& metrics, EventWriter& events, metrics::Protocol protocol)
    : reactor_(reactor),
      policy_(std::move(policy)),
      acceptance_(acceptance),
      metrics_(metrics),
      protocol_(protocol),
      rejections_(reactor, events) {}

std::optional<Refusal> Intake::room_for(std::size_t octets) const {
    return acceptance_.check(shares_.total() + octets);
}

std::optional<Refusal> Intake::room_for(const IntakeShares::Hold& hold) const {
    const std::size_t left = hold.must_be_left();
    if (const auto refusal = room_for(left)) return refusal;
    if (shares_.total() + left > policy_.max_incomplete) return Refusal::memory_full;
    return std::nullopt;
}

std::optional<RecipientFault> Intake::fault_of(const AddressView& recipient) const {
    if (recipient.literal && !policy_.address_literals) return RecipientFault::address_literal;
    if (acceptance_.takes_no_mail(recipient.domain)) return RecipientFault::null_mx;
    return std::nullopt;
}

Submission Intake::begin(Submitter who) {
    return {policy_, std::move(who), acceptance_.begin()};
}

void Intake::drop(Submission submission) {
    acceptance_.drop(std::move(submission.message_));
}

// Memory that runs out is about this message only.
bool Intake::complete(Submission& submission) try {
    std::string& tenant = submission.wishes.tenant;
    if (tenant == kDefaultTenant) tenant.clear();  // mail of nobody in particular is its, too
    submission.complete(acceptance_.tenant_policies().of(tenant));
    submission.label(tenant.empty() ? kNoTenant : acceptance_.tenant(tenant));
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

// Most mail needs no step that waits, and then no coroutine of its own.
core::Task<std::expected<MessageId, Refusal>> Intake::commit(Submission submission) {
    PH_ASSERT(submission.recipients() > 0);
    if (!complete(submission)) return refused(std::move(submission), Refusal::memory_full);
    if (submission.wants_seven_bit()) return convert_and_commit(std::move(submission));
    return acceptance_.commit(std::move(submission.message_));
}

core::Task<std::expected<MessageId, Refusal>> Intake::refused(Submission submission, Refusal why) {
    drop(std::move(submission));
    co_return std::unexpected(why);
}

core::Task<std::expected<MessageId, Refusal>> Intake::convert_and_commit(Submission submission) {
    if (const auto refusal = co_await convert(&submission)) {
        drop(std::move(submission));
        co_return std::unexpected(*refusal);
    }
    co_return co_await acceptance_.commit(std::move(submission.message_));
}

core::Task<std::optional<Refusal>> Intake::convert(Submission* submission) {
    if (const auto full = room_for(seven_bit_room(submission->content().size()))) co_return full;
    if (!co_await make_seven_bit(reactor_, submission->message_.get())) {
        co_return Refusal::memory_full;
    }
    co_return std::nullopt;
}

void Intake::record(const Submitter& who, const RefusedMail& mail) {
    const std::string address = who.address.to_string();
    rejections_.note(who.address, who.stranger,
                     {.sender = mail.sender,
                      .recipient = mail.recipient,
                      .size = mail.size,
                      .peer = {who.name, address},
                      .response = {mail.reply, mail.command},
                      .protocol = who.protocol,
                      .session_id = who.session_id});
}

}  // namespace relay
