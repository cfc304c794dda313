// Commands of an SMTP client as values: verb and argument, the parameters of MAIL (RFC 5321 section
// 4.1.1.2; SIZE of RFC 1870, BODY of RFC 6152, SMTPUTF8 of RFC 6531, RET and ENVID of RFC 3461,
// REQUIRETLS of RFC 8689, BY of RFC 2852) and RCPT (NOTIFY, ORCPT), and BDAT (RFC 3030). Pure:
// views into the line, which has no CRLF. What is wrong with a line is said by the reply it
// deserves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "relay/message/address.h"
#include "relay/message/deliver_by.h"
#include "relay/message/dsn_request.h"

namespace relay {

enum class Verb : std::uint8_t {
    ehlo,
    helo,
    mail,
    rcpt,
    data,
    bdat,
    rset,
    noop,
    quit,
    vrfy,
    expn,
    help,
    turn,
    etrn,
    auth,
    starttls,
    unknown,
};

struct Command {
    Verb verb = Verb::unknown;
    std::string_view argument;  // without white space around it
};

Command parse_command(std::string_view line);
// Commands that bring no mail nearer.
bool leads_nowhere(Verb verb);
// A name in EHLO or HELO that may stand in events. With LocalPart::loose, from an allowed network,
// whatever machines call themselves, such as "(none)" or "M\xdcLLER-PC" in any charset: RFC 5321
// section 4.1.4 forbids to refuse mail for it.
bool is_client_name(std::string_view name, LocalPart local);

struct MailParameters {
    std::uint64_t size = 0;  // as declared; 0: unknown
    bool eight_bit = false;
    bool utf8 = false;
    bool require_tls = false;  // RFC 8689
    std::optional<ByTime> by;  // RFC 2852
    DsnEnvelope dsn;
};

struct MailCommand {
    PathView path;
    MailParameters parameters;
};

struct RcptCommand {
    PathView path;
    RecipientDsn dsn;
};

struct BdatCommand {
    std::uint64_t size = 0;
    bool last = false;
};

// The complete reply line, without CRLF, as a literal.
using ReplyLine = std::string_view;

// Parameters are known after EHLO only (RFC 5321 section 4.1.1.11).
std::expected<MailCommand, ReplyLine> parse_mail(std::string_view argument, bool extended,
                                                 LocalPart local = LocalPart::strict);
std::expected<RcptCommand, ReplyLine> parse_rcpt(std::string_view argument, bool extended,
                                                 bool utf8 = false,
                                                 LocalPart local = LocalPart::strict);
std::expected<BdatCommand, ReplyLine> parse_bdat(std::string_view argument);

}  // namespace relay
