// Event: what happened to mail, as a value: a message came in, an attempt ended, mail was refused.
// It has a position, which a reader's cursor names. Its texts belong to the message, the recipient
// or the caller it was made from and live as long as the call it is passed to; nothing is allocated
// or copied. Whoever wants text makes it: event_text.h. Pure; no clock here: the caller passes the
// time. Limits: a Reception names at most kMostRecipientsPerRecord; a message for more has several
// events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/base/time.h"
#include "relay/bounce/verdict.h"
#include "relay/message/message.h"

namespace relay {

inline constexpr std::size_t kMostRecipientsPerRecord = 1000;

// The place in the event log: the shard that recorded it, and its number there. A later event of
// the shard has a higher number; between shards there is no order.
struct EventPosition {
    std::uint32_t shard = 0;
    std::uint64_t sequence = 0;  // from 1; 0: it has no place yet
    bool operator==(const EventPosition&) const = default;
};

enum class EventType : std::uint8_t {
    reception,          // committed, and answered
    delivery,           // final: the site took responsibility
    transient_failure,  // it is tried again
    bounce,             // final
    expiration,         // final
    admin_bounce,       // final: an operator's order
    rejection,          // refused while it was being handed in
};

// The other end of a connection; either may be empty when it is not known.
struct EventPeer {
    std::string_view name;     // EHLO name of a client, host name of a server
    std::string_view address;  // "192.0.2.1:2525" or without a port
};

// Which pool a mail goes by, and which source of it was used.
struct EventEgress {
    std::string_view pool = "default";
    std::string_view source = "default";
};

// A reply, theirs or ours.
struct EventResponse {
    ReplyView reply;
    std::string_view command;  // what it answered; empty when it answered none
};

// Whom an event is about: one recipient, or a part of those of a message.
class EventRecipients {
  public:
    EventRecipients() = default;
    explicit EventRecipients(std::string_view one) : one_(one) {}
    explicit EventRecipients(std::span<const std::unique_ptr<Recipient>> many) : many_(many) {}

    std::size_t size() const { return many_.empty() ? 1 : many_.size(); }
    std::string_view operator[](std::size_t i) const {
        return many_.empty() ? one_ : std::string_view(many_[i]->address);
    }

  private:
    std::string_view one_;  // may be empty: it did not come to a recipient
    std::span<const std::unique_ptr<Recipient>> many_;
};

struct Event {
    EventPosition position;
    EventType type = EventType::rejection;
    core::WallTime time{};
    core::WallTime created{};  // when the message was accepted
    MessageId id;              // none for a rejection
    std::string_view sender;
    EventRecipients recipients;
    std::string_view domain;  // of the recipients; empty: several, or none
    std::string_view site;    // empty: none was found
    std::size_t size = 0;     // octets of the message
    EventResponse response;
    EventPeer peer;
    std::uint16_t attempts = 0;
    BounceVerdict bounce;  // what a failure means
    bool local = false;    // the response is our own
    EventEgress egress;
    std::string_view source_address;
    std::string_view tenant;
    std::string_view campaign;
    std::string_view protocol;
    std::string_view session_id;
    std::string_view tls_protocol;
    std::string_view tls_cipher;
};

// Mail that we refused while it was being injected.
struct EventRejection {
    std::string_view sender;
    std::string_view recipient;  // empty when it did not come to one
    std::size_t size = 0;
    EventPeer peer;
    EventResponse response;
    std::string_view protocol;  // ESMTP, HTTP
    std::string_view session_id;
};

// For recipients from this one on. The next event begins after those that it names.
Event reception_event(const Message& message, std::size_t first, const EventPeer& client,
                      const EventResponse& response, core::WallTime now);
// By the recipient's disposition, whose outcome must not be none.
Event outcome_event(const Recipient& recipient, std::string_view site, const BounceVerdict& bounce,
                    core::WallTime now, const EventEgress& egress = {});
Event rejection_event(const EventRejection& rejection, core::WallTime now);

}  // namespace relay
