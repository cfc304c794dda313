// TimeLimits: how long a session with a server waits for what. The defaults are those of RFC 5321
// section 4.5.3.2 where it has one; a destination's table in a shaping file may say others, in
// KumoMTA's words where it has one (relay/shaping/policy.h). Plain values; pure. Below the RFC's
// least a slow server is given up that would have answered: a warning when the file is read.
#pragma once

#include <array>
#include <chrono>
#include <string_view>

#include "core/base/time.h"

namespace relay {

struct TimeLimits {
    core::Duration connect = std::chrono::seconds{30};  // of each address
    core::Duration banner = std::chrono::minutes{5};
    core::Duration ehlo = std::chrono::minutes{5};  // HELO too
    core::Duration starttls = std::chrono::minutes{5};
    core::Duration tls_handshake = std::chrono::seconds{60};
    core::Duration auth = std::chrono::minutes{5};
    core::Duration mail_from = std::chrono::minutes{5};
    core::Duration rcpt_to = std::chrono::minutes{5};
    core::Duration data = std::chrono::minutes{2};        // for 354
    core::Duration data_block = std::chrono::minutes{3};  // for our writing of a part of content
    core::Duration data_dot = std::chrono::minutes{10};   // for the reply to content, BDAT too
    core::Duration rset = std::chrono::seconds{20};
    core::Duration quit = std::chrono::seconds{5};
    core::Duration idle = std::chrono::seconds{30};  // a connection without mail is kept so long
    bool operator==(const TimeLimits&) const = default;
};

inline constexpr TimeLimits kTimeLimits{};

// An option of a shaping file.
struct TimeLimitOption {
    std::string_view name;
    core::Duration TimeLimits::* member;
    std::string_view waits_for;  // for docs/configuration.md
    core::Duration least{};      // of RFC 5321; zero: it has none
    std::string_view section{};  // where
};

inline constexpr core::Duration kShortestTimeLimit = std::chrono::seconds{1};
inline constexpr core::Duration kLongestTimeLimit = std::chrono::days{1};
inline constexpr std::array<TimeLimitOption, 14> kTimeLimitOptions{{
    {"connect_timeout", &TimeLimits::connect,
     "a TCP connection to one address; the kernel gives up after about two minutes by itself"},
    {"banner_timeout", &TimeLimits::banner, "the greeting", std::chrono::minutes{5}, "4.5.3.2.1"},
    {"ehlo_timeout", &TimeLimits::ehlo, "the reply to EHLO or HELO"},
    {"starttls_timeout", &TimeLimits::starttls, "the reply to STARTTLS"},
    {"tls_handshake_timeout", &TimeLimits::tls_handshake, "the whole handshake"},
    {"auth_timeout", &TimeLimits::auth, "each reply to AUTH"},
    {"mail_from_timeout", &TimeLimits::mail_from, "the reply to MAIL", std::chrono::minutes{5},
     "4.5.3.2.2"},
    {"rcpt_to_timeout", &TimeLimits::rcpt_to, "the reply to each RCPT", std::chrono::minutes{5},
     "4.5.3.2.3"},
    {"data_timeout", &TimeLimits::data, "354", std::chrono::minutes{2}, "4.5.3.2.4"},
    {"data_block_timeout", &TimeLimits::data_block, "256 KiB of content to be taken by the network",
     std::chrono::minutes{3}, "4.5.3.2.5"},
    {"data_dot_timeout", &TimeLimits::data_dot, "the reply to the content, by DATA or BDAT",
     std::chrono::minutes{10}, "4.5.3.2.6"},
    {"rset_timeout", &TimeLimits::rset, "the reply to RSET"},
    {"quit_timeout", &TimeLimits::quit, "the reply to QUIT"},
    {"idle_timeout", &TimeLimits::idle, "more mail, on a connection that is kept open"},
}};

}  // namespace relay
