// SmtpSession: one client of an SMTP listener, from greeting to close. It moves octets between a
// ByteStream and a ServerDialogue, asks Intake where the dialogue asks, fills a Submission for each
// message, and waits for the client as long as SmtpPatience says. Replies leave in one write when
// the input is used up or the client has to wait for them (RFC 2920 section 3.2). One shard. The
// owner runs run() in a TaskGroup and destroys the session after it has ended; drain() and abort()
// may be called in between. After run() the stream is closed. Limits: SmtpTimes; kMaxReplies octets
// of replies before a write; memory.limit and the client's share of it for content and envelopes
// (452, 421); those of ServerDialogue.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/intrusive_list.h"
#include "core/net/byte_stream.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "relay/intake/intake.h"
#include "relay/intake/intake_room.h"
#include "relay/intake/smtp/smtp_patience.h"
#include "relay/smtp/server_dialogue.h"

namespace relay {

// What the sessions of one listener and shard share; outlives them.
struct SmtpSessionContext {
    Intake& intake;
    const ServerDialogueOptions& dialogue;
    const SmtpTimes& times;
    bool durable;  // whether 250 promises more than memory
};

struct SmtpSessionTag;

class SmtpSession final : public core::ListLink<SmtpSessionTag>, private RecipientRules {
  public:
    static constexpr std::size_t kMaxReplies = 16 * 1024;
    // Input that is there already is handled so much at a time, then others get a turn.
    static constexpr std::size_t kInputPerTurn = 64 * 1024;
    // Made, or freed.
    static constexpr std::size_t kRecipientsPerTurn = 1000;

    SmtpSession(SmtpSessionContext& context, core::ByteStream& stream, bool may_relay,
                std::string id);
    ~SmtpSession() override;

    core::Task<void> run();
    // The next command gets 421, and soon the silence too.
    void drain();
    void abort() { stream_.abort(); }

  private:
    // How far recipients of the envelope have become those of the message.
    struct Added {
        std::size_t recipients = 0;
        std::size_t dsn = 0;
    };

    core::Reactor& reactor() const { return context_.intake.reactor(); }
    core::Task<void> take(std::string_view input);
    ServerDialogue::Step feed(std::string_view input);
    core::Task<void> commit();
    bool add_recipients(Submission& submission, Added& added);
    bool complete(Submission& submission);
    core::Task<void> free_recipients();
    core::Task<void> flush();
    core::Task<void> linger();

    Submitter submitter() const;
    void answer_mail();
    void begin_content();
    void out_of_memory();
    void count_memory();
    void drop_content();
    void refuse(Refusal refusal);
    void say_why(std::error_code error);
    void record_rejection();
    bool out_of_step(bool more_input) const;
    std::optional<RecipientFault> fault_of(const AddressView& recipient) const override;
    core::Instant next_deadline() const;

    SmtpSessionContext& context_;
    core::ByteStream& stream_;
    const std::string id_;
    IntakeRoom room_;
    SmtpPatience patience_;
    ServerDialogue dialogue_;
    std::optional<Submission> submission_;  // whose content is arriving
    std::string bad_label_;                 // the refusal of the message at hand, for a field of it
    bool gone_ = false;                     // the client closed its side, or takes no replies
};

}  // namespace relay
