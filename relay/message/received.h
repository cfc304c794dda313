// The Received header field that we put before a message (RFC 5321 section 4.4), and its date-time
// (RFC 5322 section 3.3, always +0000). Pure. The caller gives validated text: an EHLO name without
// white space, control characters or parentheses, and addresses from parse_mailbox().
#pragma once

#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/time.h"

namespace relay {

struct ReceivedFields {
    std::string_view from;       // EHLO name
    core::IpAddress peer;        // an IPv4-mapped address is written as the IPv4 address
    std::string_view by;         // our host name
    std::string_view with;       // SMTP, ESMTP (RFC 3848), UTF8SMTP (RFC 6531), HTTP
    std::string_view id;         // message id
    std::string_view recipient;  // the only one; empty when there are several (section 7.6)
    core::WallTime time;
};

// Complete with the CRLF at its end.
std::string received_field(const ReceivedFields& fields);

void append_date_time(std::string& text, core::WallTime time);

}  // namespace relay
