// The parameters of the DSN extension (RFC 3461 section 4; the address type utf-8 of RFC 6533
// section 3): RET and ENVID of MAIL, NOTIFY and ORCPT of RCPT; and xtext, in which the last two
// write what would break a command line. Pure. What a value decodes to never holds a control
// character, so it cannot break a header or a log either.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "relay/message/dsn_request.h"

namespace relay {

// Octets from 33 to 126 but + and =, others as +XX; no value: not xtext. Octets above 126 are let
// pass when utf8 is set (utf-8-addr-unitext of RFC 6533).
std::optional<std::string> decode_xtext(std::string_view text, bool utf8 = false);
std::string encode_xtext(std::string_view text);

// No value: fine. Otherwise the complete reply line. A parameter that is there twice is wrong.
class MailDsnParameters {
  public:
    static bool knows(std::string_view name);
    std::optional<std::string_view> take(std::string_view name, std::string_view value);
    DsnEnvelope found;

  private:
    bool ret_ = false;
    bool envid_ = false;
};

class RcptDsnParameters {
  public:
    static bool knows(std::string_view name);
    std::optional<std::string_view> take(std::string_view name, std::string_view value, bool utf8);
    RecipientDsn found;  // views into the value

  private:
    bool notify_ = false;
    bool orcpt_ = false;
};

}  // namespace relay
