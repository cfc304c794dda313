// The Received header field that we put before a message (RFC 5321 section 4.4), and its date-time
// (RFC 5322 section 3.3, always +0000). Pure. Never holds an octet above 127, so that every server
// can be sent it: domains are written as A-labels, a recipient whose local part is UTF-8 is left
// out, and so is an EHLO name that is no name: the address of the peer stands for it (RFC 5321
// section 4.4). The caller gives addresses from parse_mailbox().
#pragma once

#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/time.h"

namespace relay {

struct ReceivedFields {
    std::string_view from;       // EHLO name, as the client said it
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
