// What the receiving dialogue refuses, why, and in which words: the replies to faults of content
// (ContentFault) and of recipients (RecipientFault). Pure values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/message/recipient_rules.h"
#include "relay/smtp/command.h"
#include "relay/smtp/content_decoder.h"

namespace relay {

enum class RejectReason : std::uint8_t {
    address,
    relaying_denied,
    too_many_recipients,
    too_big,
    bare_line_ending,
    loop,
    bad_content,
    memory_full,
    draining,
    spool_full,
    spool_failed,
    too_many_errors,
};

// What was refused. Bounded by the line limit.
struct Rejection {
    RejectReason reason{};
    std::string reply;
    std::string sender;
    std::string recipient;     // of RCPT; empty when all were concerned
    std::string_view command;  // MAIL, RCPT, DATA, BDAT or nothing
};

// The words of a refusal.
struct SmtpRefusal {
    ReplyLine line;
    RejectReason reason;
};

// No value: there is no fault.
std::optional<SmtpRefusal> refusal_of(ContentFault fault);
// Where lines end is in doubt: the client may think that some of what it sent are commands, and
// they must not run. The session ends.
bool loses_step(ContentFault fault);
SmtpRefusal refusal_of(RecipientFault fault);

}  // namespace relay
