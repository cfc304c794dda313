// Extensions: what a server offers in its reply to EHLO (RFC 5321 section 4.1.1.1). A fact of one
// session and one security layer: after STARTTLS everything learned before is forgotten (RFC 3207
// section 4.2). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

struct Extensions {
    bool pipelining = false;
    bool chunking = false;
    bool eight_bit = false;
    bool utf8 = false;
    bool size = false;
    bool enhanced_codes = false;
    bool starttls = false;
    bool dsn = false;
    bool require_tls = false;
    bool deliver_by = false;
    std::uint64_t size_limit = 0;     // 0: none stated
    std::uint32_t least_by_time = 0;  // seconds (RFC 2852 section 2); 0: none stated
    // LIMITS (RFC 9422); 0: none stated.
    std::uint32_t mail_max = 0;         // MAIL commands in a session
    std::uint32_t rcpt_max = 0;         // RCPT commands in a transaction
    std::uint32_t rcpt_domain_max = 0;  // recipient domains in a session
    std::string auth;                   // those of the mechanisms that are known here, once each

    // The text of the reply without codes; its first line is the server's name.
    static Extensions read(std::string_view text);
    // One line without its code, not the first.
    void read_line(std::string_view line);
};

}  // namespace relay
