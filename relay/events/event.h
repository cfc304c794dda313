// Events: the record of what happened, one JSON object a line, with KumoMTA's record types and
// field names (docs/events.md). These functions only format: they append one or more lines, each
// ending in a newline, to a buffer of the caller; event_log.h takes them to disk. About a
// microsecond a record. Text from outside is escaped; octets that are not UTF-8 become U+FFFD, so a
// line is always valid JSON. No clock here: the caller passes the time. Limits: a Reception of many
// recipients is written as several records of at most kMostRecipientsPerRecord; kMostTextOctets of
// a reply are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "relay/bounce/rules.h"
#include "relay/message/message.h"

namespace relay {

inline constexpr std::size_t kMostRecipientsPerRecord = 1000;
inline constexpr std::size_t kMostTextOctets = 2048;

// The other end of a connection; either may be empty when it is not known.
struct EventPeer {
    std::string_view name;     // EHLO name of a client, host name of a server
    std::string_view address;  // "192.0.2.1:2525" or without a port
};

// A reply, theirs or ours; code 0: there was none.
struct EventResponse {
    ReplyView reply;
    std::string_view command;  // what it answered; empty when it answered none
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

// A message was accepted: committed, and answered with the response. Returns how many records.
std::size_t append_reception(std::string& lines, const Message& message, const EventPeer& client,
                             const EventResponse& response, core::WallTime now);
// One record of these, for recipients from this one on. Returns the first of the next record.
std::size_t append_reception_record(std::string& lines, const Message& message, std::size_t first,
                                    const EventPeer& client, const EventResponse& response,
                                    core::WallTime now);

// What an attempt came to: Delivery, TransientFailure, Bounce or Expiration by the recipient's
// disposition, whose outcome must not be none. site: the name of the site, empty when none was
// found. bounce: what a failure means; nothing for a delivery.
void append_outcome(std::string& lines, const Recipient& recipient, std::string_view site,
                    const BounceVerdict& bounce, core::WallTime now);

void append_rejection(std::string& lines, const EventRejection& rejection, core::WallTime now);

}  // namespace relay
