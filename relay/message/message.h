// Message and Recipient: what is queued. The origin shard creates a message, owns it and its
// content until every recipient is final, and frees it. A recipient is owned by exactly one shard
// at any moment: by its origin while it waits for a time, by the home shard of its path while it
// waits for a connection or is being sent; it travels by mailbox and comes home with a disposition.
// The home shard reads the message, which no longer changes, and writes only to the recipient.
// States (docs/queue-states.md): receiving, committed, scheduled, ready, in flight, final.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/compact_text.h"
#include "core/base/intrusive_list.h"
#include "core/base/time.h"
#include "relay/message/bounce_policy.h"
#include "relay/message/content.h"
#include "relay/message/deliver_by.h"
#include "relay/message/disposition.h"
#include "relay/message/dsn_request.h"
#include "relay/message/message_id.h"
#include "relay/message/priority.h"
#include "relay/message/source_id.h"
#include "relay/message/tenant.h"

namespace relay {

enum class RecipientState : std::uint8_t {
    receiving,
    committed,
    scheduled,
    ready,
    in_flight,
    final
};

std::string_view to_string(RecipientState state);
// Whether the table in docs/queue-states.md has this step; every change of state asserts it.
bool may_follow(RecipientState from, RecipientState to);

struct Message;
struct Site;
struct RecipientQueueTag;

struct Recipient final : core::ListLink<RecipientQueueTag> {
    Recipient(Message& owner, std::string_view mailbox) : message(&owner), address(mailbox) {}

    Message* message;
    core::CompactText address;        // as it goes into RCPT TO, without <>
    std::string_view domain() const;  // after the last @, as written
    RecipientState state = RecipientState::receiving;
    Notify notify;                    // RFC 3461
    bool delay_told = false;          // the sender was told that it takes longer
    std::uint16_t attempts = 0;       // those that count: a connection was tried or used
    SourceId source = SourceId::any;  // that it was given; a retry keeps it (greylists want that)
    core::WallTime next_attempt{};
    bool content_held = false;              // by whoever owns the recipient now; see ContentHolders
    bool settled = false;                   // final, as its origin knows
    std::uint8_t detours = 0;               // to other hosts of the site, in this attempt
    std::uint8_t lane = 0;                  // the shard whose path has it
    std::uint32_t index = 0;                // its place in the message's record of the spool
    const Site* site = nullptr;             // where it goes now; owned by the origin shard
    const LastReply* last_reply = nullptr;  // of the latest deferral; the origin's

    void move_to(RecipientState next);

    void count_attempt() {  // a schedule in milliseconds could come to the end of them
        if (attempts < std::numeric_limits<std::uint16_t>::max()) ++attempts;
    }

    // ORCPT as it was given; empty: none.
    std::string_view original() const {
        return original_ == nullptr ? std::string_view{} : std::string_view(*original_);
    }
    void set_original(std::string original);

    // Outcome of the attempt that is under way or just over; none while it waits, so that a queued
    // recipient stays small.
    const Disposition& disposition() const;
    void set_disposition(Disposition disposition);
    // Of what it came to: a refusal that is tried again, or the last try of many.
    void change_outcome(Outcome outcome);
    void clear_disposition() { disposition_.reset(); }

  private:
    std::unique_ptr<Disposition> disposition_;
    std::unique_ptr<std::string> original_;
};

// How many recipients need the content in memory now. The home shard of a path holds it while a
// connection sends it, the origin evicts only what nobody holds: one atomic word decides, and no
// letter is needed while content is in memory.
class ContentHolders {
  public:
    // False: it is not in memory; ask the origin for it.
    bool try_hold() {
        int holders = holders_.load(std::memory_order_relaxed);
        while (holders >= 0) {
            if (holders_.compare_exchange_weak(holders, holders + 1, std::memory_order_acquire)) {
                return true;
            }
        }
        return false;
    }
    void let_go() { holders_.fetch_sub(1, std::memory_order_release); }

    // The origin's: false when somebody holds it.
    bool try_evict() {
        int nobody = 0;
        return holders_.compare_exchange_strong(nobody, kEvicted, std::memory_order_acquire);
    }
    // A message that was found in the spool.
    void evicted_from_the_start() { holders_.store(kEvicted, std::memory_order_relaxed); }
    // The content is back, and held by so many.
    void restored(int holders) { holders_.store(holders, std::memory_order_release); }
    bool evicted() const { return holders_.load(std::memory_order_relaxed) == kEvicted; }

  private:
    static constexpr int kEvicted = -1;
    std::atomic<int> holders_ = 0;
};

class Segment;

// Where the spool keeps a message; segment is null when it does not (durability "memory").
struct SpoolPlace {
    Segment* segment = nullptr;
    std::uint32_t content_offset = 0;
    std::uint32_t content_checksum = 0;
    std::uint32_t octets = 0;  // of its record
    ContentHolders holders;    // of the content, in memory
};

// What the sender asked for about TLS (RFC 8689): nothing; delivery rather than TLS ("TLS-Required:
// No"); verified TLS on the whole way, or the message back (REQUIRETLS).
enum class TlsRequest : std::uint8_t { unsaid, waived, required };

// How a message came; kept until its Reception is recorded.
struct Injection {
    std::string protocol;  // ESMTP, HTTP
    std::string session_id;
    std::string client_name;     // EHLO name of who injected it, if any
    std::string client_address;  // IP of who injected it
};

struct Labels {
    const Tenant* tenant = &kNoTenant;  // of the process's TenantTable
    std::string campaign;
};

struct MessageListTag;
struct ResidentTag;

struct Message final : core::ListLink<MessageListTag>, core::ListLink<ResidentTag> {
    // Mail for more is taken as several messages (relay/message/split.h), so that what is done with
    // all recipients of a message at once is short.
    static constexpr std::size_t kMostRecipients = 20'000;

    MessageId id;
    core::CompactText sender;  // reverse-path without <>; empty for the null sender
    std::vector<std::unique_ptr<Recipient>> recipients;
    Content content;
    core::WallTime created{};  // when accepted
    bool eight_bit = false;    // content has octets above 127
    bool utf8 = false;         // the header section needs SMTPUTF8; addresses speak for themselves
    BouncePolicy bounces = BouncePolicy::record;
    TlsRequest tls = TlsRequest::unsaid;
    Priority priority = Priority::normal;
    bool verp = false;         // each recipient has a return path of its own
    bool ours = false;         // made here, not injected: a notification
    bool moving = false;       // the spool is copying it forward; it must not be freed meanwhile
    std::uint32_t origin = 0;  // shard
    std::uint32_t open_recipients = 0;  // not final yet; touched by the origin only
    SpoolPlace place;

    std::size_t size() const { return content.size(); }

    // Seldom set or short-lived, so kept apart: a queued message stays small.
    const Injection& injection() const;
    Injection& edit_injection();
    void forget_injection() { injection_.reset(); }
    const Labels& labels() const;
    Labels& edit_labels();
    const DsnEnvelope& dsn() const;
    void set_dsn(DsnEnvelope dsn);
    const DeliverBy& deliver_by() const;
    void set_deliver_by(DeliverBy by);
    // Injection, labels, DSN and times as another message has them.
    void take_extras_of(const Message& other);
    // The end of its time, where whoever injected it wanted one; the epoch: as schedules say.
    core::WallTime expires() const;
    void set_expires(core::WallTime when);
    // What is left undelivered then has expired, whatever the schedule of its destination.
    bool expires_by(core::WallTime when) const {
        return deliver_by().expires(when) || (expires() != core::WallTime{} && expires() <= when);
    }

  private:
    struct Extras {
        Labels labels;
        DsnEnvelope dsn;
        DeliverBy by;
        core::WallTime expires{};
    };
    std::unique_ptr<Injection> injection_;
    std::unique_ptr<Extras> extras_;
};

}  // namespace relay
