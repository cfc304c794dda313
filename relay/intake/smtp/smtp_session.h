// SmtpSession: one client of an SMTP listener, from greeting to close. It moves octets between a
// ByteStream and a ServerDialogue, asks Acceptance where the dialogue asks, and keeps the time:
// RFC 5321 section 4.5.3.2 for a client that waits, and limits for one that drips. Replies leave in
// one write when the input is used up or the client has to wait for them (RFC 2920 section 3.2).
// One shard. The owner runs run() in a TaskGroup and destroys the session after it has ended;
// drain() and abort() may be called in between. After run() the stream is closed. Limits:
// SmtpTimes; kMaxReplies octets of replies before a write; memory.limit and the client's share of
// it for content and envelopes (452, 421); those of ServerDialogue.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/intrusive_list.h"
#include "core/net/byte_stream.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "metrics/shard_metrics.h"
#include "relay/intake/acceptance.h"
#include "relay/intake/intake_shares.h"
#include "relay/intake/rejection_log.h"
#include "relay/message/message.h"
#include "relay/smtp/server_dialogue.h"

namespace relay {

struct SmtpTimes {
    core::Duration idle = std::chrono::seconds(300);             // for the next octets
    core::Duration stranger_session = std::chrono::seconds(60);  // all of it, outside `allow`
    // From DATA or the first BDAT on.
    core::Duration content = std::chrono::hours(1);
    core::Duration content_grace = std::chrono::seconds(60);  // then the rate counts
    std::uint64_t least_rate = 1000;                          // octets a second on average
    core::Duration drain = std::chrono::seconds(2);   // for the next command of an idle client
    core::Duration linger = std::chrono::seconds(1);  // for a client to read why it was cut off
};

// What the sessions of one listener and shard share; outlives them.
struct SmtpSessionContext {
    core::Reactor& reactor;
    Acceptance& acceptance;
    metrics::ShardMetrics& metrics;
    RejectionLog& rejections;
    IntakeShares& shares;  // content and envelopes that are not complete yet
    const ServerDialogueOptions& dialogue;
    const SmtpTimes& times;
    bool durable;  // whether 250 promises more than memory
    BouncePolicy bounces = BouncePolicy::record;
    bool verp = false;
    bool convert_eight_bit = true;
    core::Duration max_age{};  // zero: as schedules say
};

struct SmtpSessionTag;

class SmtpSession final : public core::ListLink<SmtpSessionTag>, private KnownDomains {
  public:
    static constexpr std::size_t kMaxReplies = 16 * 1024;
    // Room is asked for again whenever so much more has arrived than a client announced.
    static constexpr std::size_t kRoomStep = 1 << 20;
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

    core::Task<void> take(std::string_view input);
    ServerDialogue::Step feed(std::string_view input);
    core::Task<void> commit();
    bool add_recipients(Message& message, Added& added);
    bool complete(Message& message);
    core::Task<void> free_recipients();
    core::Task<void> flush();
    core::Task<void> linger();

    void answer_mail();
    void begin_content();
    void out_of_memory();
    void count_memory();
    void drop_content();
    void refuse(Refusal refusal);
    void say_why(std::error_code error);
    void record_rejection();
    bool out_of_step(bool more_input) const;
    bool takes_no_mail(std::string_view domain) const override {
        return context_.acceptance.takes_no_mail(domain);
    }
    bool has_room() const override;
    core::Instant next_deadline() const;

    SmtpSessionContext& context_;
    core::ByteStream& stream_;
    const std::string id_;
    const core::Instant opened_;
    IntakeShares::Hold hold_;
    ServerDialogue dialogue_;
    std::unique_ptr<Message> message_;  // whose content is arriving
    core::Instant content_begun_{};
    std::size_t room_asked_ = 0;  // octets of this message that Acceptance has agreed to
    bool draining_ = false;
    bool gone_ = false;  // the client closed its side, or takes no replies
};

}  // namespace relay
