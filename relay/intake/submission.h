// Submission: one message that a client is handing in: who hands it in, from whom it is, to whom,
// what it says and what is asked for. SMTP and HTTP fill it and decide nothing about it; Intake
// makes it, checks it and commits it. It holds the message that it will be, so content and
// recipients go straight to where they stay and are never copied. Owned by one session or request,
// on its shard. Order of the calls: begin_content(), content() grows, end_content(); the rest at
// any time; then Intake::commit(). Memory that runs out throws std::bad_alloc. Limits: the owner's.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/time.h"
#include "relay/intake/intake_policy.h"
#include "relay/message/deliver_by.h"
#include "relay/message/dsn_request.h"
#include "relay/message/header_scan.h"
#include "relay/message/message.h"
#include "relay/message/priority.h"
#include "relay/message/tenant_policy.h"

namespace relay {

// Who hands mail in, as far as the listener knows. A credential, and the tenant that it stands for,
// have their place here.
struct Submitter {
    core::IpAddress address;
    std::string name;        // EHLO name; empty: none was said
    std::string protocol;    // ESMTP, HTTP: for Received and events
    std::string session_id;  // may be empty
    bool stranger = false;   // outside `allow`
};

// What the sender asks for beside the delivery.
struct SubmissionWishes {
    DsnEnvelope dsn;           // RFC 3461
    std::optional<ByTime> by;  // RFC 2852
    bool require_tls = false;  // RFC 8689
    core::Duration max_age{};  // zero: as the listener and schedules say
    std::string tenant{};      // empty: none
    std::string campaign{};
    std::optional<Priority> priority{};  // none: as the tenant's table says
};

class Submission {
  public:
    static constexpr std::size_t kLeadingDot = 4;  // octets for each line that begins with one

    Submission(const IntakePolicy& policy, Submitter who, std::unique_ptr<Message> message);

    // ---- the envelope
    void set_sender(std::string_view mailbox) { message_->sender = mailbox; }  // empty: <>
    void expect_recipients(std::size_t count) { message_->recipients.reserve(count); }
    void add_recipient(std::string_view mailbox);
    void set_notify(std::size_t recipient, Notify notify, std::string original);
    std::size_t recipients() const { return message_->recipients.size(); }
    std::string_view recipient(std::size_t i) const { return message_->recipients[i]->address; }
    SubmissionWishes wishes;

    // ---- the content
    // Puts our Received field in front. octets: how many will come, as far as that is known.
    // recipient: the only one; empty when there are several (RFC 5321 section 7.6).
    void begin_content(std::size_t octets, std::string_view recipient);
    Content& content() { return message_->content; }
    // Nothing more comes: what its header section says, and whether it has octets above 127.
    void end_content(const HeaderScan& header, bool eight_bit);
    // After that: takes the header fields that the listener names for tenant, campaign and priority
    // out of the content. What is asked for in `wishes` already stays. The answer: what is wrong
    // with one of them, as a sentence.
    std::optional<std::string> take_label_fields();
    // What has come, without our own field.
    std::size_t octets() const { return message_->content.size() - received_; }
    // What the content takes in memory.
    std::size_t memory() const;

  private:
    friend class Intake;

    // What policies and wishes make of the message.
    void complete(const TenantPolicy& tenant);
    void label(const Tenant& tenant);
    bool wants_seven_bit() const;

    const IntakePolicy* policy_;
    Submitter who_;
    std::unique_ptr<Message> message_;
    std::size_t received_ = 0;  // octets of our own field
};

// The shorter of the two, where both are said; zero: nothing was.
core::Duration shorter_age(core::Duration one, core::Duration other);

}  // namespace relay
