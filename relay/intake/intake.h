// Intake: what is decided about mail that comes in by one listener, once for all protocols: whether
// there is room, which recipients are taken, what becomes of content that is 8-bit, how long it may
// live, what is recorded of refusals, and the commit. The ends (smtp/, http/) fill Submissions and
// have the words for what is answered. One per listener and shard, owned by the end, on its shard;
// it outlives every Submission and IntakeRoom. Call close() before the EventWriter is closed.
// Checks that come before a commit (suppression, limits of a tenant) have their place in commit().
// Limits: those of Acceptance, IntakePolicy, IntakeShares and RejectionLog.
#pragma once

#include <cstddef>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/events/event_writer.h"
#include "relay/intake/acceptance.h"
#include "relay/intake/intake_policy.h"
#include "relay/intake/intake_shares.h"
#include "relay/intake/rejection_log.h"
#include "relay/intake/submission.h"
#include "relay/message/recipient_rules.h"

namespace relay {

// Mail, or a recipient of it, that is refused while it comes in.
struct RefusedMail {
    std::string_view sender;
    std::string_view recipient;  // empty: all of them
    std::size_t size = 0;        // octets, as far as it is known
    ReplyView reply;             // what the client is told
    std::string_view command;    // what that answers
};

// What became of mail that may be for very many.
struct Committed {
    std::vector<MessageId> ids;             // of its messages, in the order of their recipients
    std::optional<Refusal> refusal;         // why the rest of it, or all of it, was not taken
    std::size_t refused = 0;                // recipients of the rest
    std::deque<std::string> refused_names;  // theirs where ids has any, as far as memory allows
};

class Intake final : public RecipientRules {
  public:
    Intake(core::Reactor& reactor, IntakePolicy policy, Acceptance& acceptance,
           metrics::ShardMetrics& metrics, EventWriter& events, metrics::Protocol protocol);

    const IntakePolicy& policy() const { return policy_; }
    core::Reactor& reactor() const { return reactor_; }
    IntakeShares& shares() { return shares_; }
    RejectionLog& rejections() { return rejections_; }

    // Room for so many octets beside everything that is coming in now? No value: there is.
    std::optional<Refusal> room_for(std::size_t octets) const;
    // Room for what is coming in now, and for others beside the client that holds this?
    std::optional<Refusal> room_for(const IntakeShares::Hold& hold) const;
    // Without a look at the room of an envelope, which its IntakeRoom knows.
    std::optional<RecipientFault> fault_of(const AddressView& recipient) const override;

    Submission begin(Submitter who);
    // Answers the id once the promise holds. Content is complete, and somebody is to get it, but at
    // most Message::kMostRecipients.
    core::Task<std::expected<MessageId, Refusal>> commit(Submission submission);
    // The same for any number of recipients: a message for each Message::kMostRecipients, one after
    // the other. Those that were committed before a refusal stay accepted.
    core::Task<Committed> commit_many(Submission submission);
    // Frees what is not committed; many recipients in several turns.
    void drop(Submission submission);

    // Counts a refusal, and records one of mail.
    void refuse(metrics::Rejection why) { metrics_.rejected(protocol_, why); }
    void record(const Submitter& who, const RefusedMail& mail);
    // Writes what was counted and not recorded yet.
    void close() { rejections_.close(); }

  private:
    using Parts = std::vector<std::unique_ptr<Message>>;  // the last one first

    bool complete(Submission& submission);
    core::Task<std::expected<MessageId, Refusal>> refused(Submission submission, Refusal why);
    core::Task<std::expected<MessageId, Refusal>> convert_and_commit(Submission submission);
    core::Task<std::optional<Refusal>> convert(Submission* submission);
    core::Task<std::optional<Refusal>> commit_parts(Parts* parts, Committed* done);
    core::Task<void> drop_parts(Parts* parts, Committed* done);

    core::Reactor& reactor_;
    const IntakePolicy policy_;
    Acceptance& acceptance_;
    metrics::ShardMetrics& metrics_;
    const metrics::Protocol protocol_;
    RejectionLog rejections_;
    IntakeShares shares_;
};

}  // namespace relay
