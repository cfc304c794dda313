// Delivery status notifications (RFC 3464, in the multipart/report of RFC 6522; RFC 6533 for
// addresses in UTF-8) as text: what a recipient's fate was, for a person and for a program, and
// what of the message is given back. Pure: the caller brings the time, names and the original's
// octets. The result is a complete message with CRLF lines of at most 998 octets. It is 7-bit,
// whatever the original was, but in the form for SMTPUTF8, which is used when the address that gets
// it is UTF-8. All text from outside is cleaned: no control character, no line end of its own.
// Limits: kMostReturned octets of the original, otherwise its header section only, of which
// kMostHeaders; kMostDiagnostic of a reply.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "relay/message/dsn_request.h"
#include "relay/message/reply.h"

namespace relay {

inline constexpr std::size_t kMostReturned = 64 * 1024;
inline constexpr std::size_t kMostHeaders = 16 * 1024;
inline constexpr std::size_t kMostDiagnostic = 1024;

enum class DsnAction : std::uint8_t { failed, delayed, relayed };
std::string_view to_string(DsnAction action);

struct DsnRecipient {
    DsnAction action = DsnAction::failed;
    std::string address;   // as in RCPT
    std::string original;  // ORCPT as given; empty: none
    Reply reply;
    std::string remote_mta;  // who gave the reply; empty: not known, or ourselves
    bool local = false;      // the reply is our own
    // Failed for its age, or delayed beyond the time that was asked for (RFC 2852); the reply is
    // the last one before.
    bool expired = false;
    core::WallTime last_attempt{};
    core::WallTime retry_until{};  // delayed

    bool operator==(const DsnRecipient&) const = default;
};

struct DsnReport {
    std::string reporting_mta;  // our host name
    std::string id;             // of the report; letters and digits, hard to guess
    std::string to;             // the reverse-path of the original
    core::WallTime now{};

    std::string original_id;  // of the queue
    DsnEnvelope asked;
    core::WallTime arrival{};
    bool whole = false;         // original is all of it, not only the beginning
    std::string_view original;  // empty: nothing can be given back

    std::vector<DsnRecipient> recipients;  // at least one, all with the same action
};

struct DsnText {
    std::string content;
    bool utf8 = false;  // needs SMTPUTF8
};

DsnText write_dsn(const DsnReport& report);

// The status of a recipient: RFC 3463 wants the class of the action.
std::string dsn_status(const DsnRecipient& recipient);

}  // namespace relay
