// MTA-STS (RFC 8461): what a domain says in DNS and in its policy file, read strictly, and whether
// a mail host is one that a policy allows. Pure: text in, values out.
//
// Strict about what is said, tolerant about how: unknown keys are ignored, lines end in LF or CRLF,
// blank ones and spaces at the end of a line do not matter; of a key that may come once the first
// counts. Whatever else is wrong makes the policy as a whole invalid. Limits: kMostOctets of a
// file, kMostPatterns hosts (more: invalid), kLongest (a longer max_age means this).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace relay {

enum class StsMode : std::uint8_t { none, testing, enforce };
std::string_view to_string(StsMode mode);

struct StsPolicy {
    static constexpr std::size_t kMostOctets = 65536;
    static constexpr std::size_t kMostPatterns = 256;
    static constexpr std::chrono::seconds kLongest{31'557'600};  // a year

    StsMode mode = StsMode::none;
    std::chrono::seconds max_age{0};
    std::vector<std::string> mx;  // lower case: "mx.example.com", "*.example.com"

    // host: a normal name. A "*" stands for exactly one label (section 4.1).
    bool allows(std::string_view host) const;
    bool operator==(const StsPolicy&) const = default;
};

core::Result<StsPolicy> parse_sts_policy(std::string_view text);

// The id that the TXT records of _mta-sts.<domain> announce, each record with its strings joined.
// None: there is no policy to be discovered (section 3.1: not exactly one record, or a broken one).
std::optional<std::string> sts_id(std::span<const std::string> records);

}  // namespace relay
