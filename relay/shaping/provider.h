// ProviderMatch: a rule by which mail belongs to a provider, a named group of sites
// ([provider."NAME"] match). A set of MX hosts belongs to it when each of them fits one of its
// rules, so that a domain that mixes providers belongs to none; or its domain fits a DomainSuffix.
// Case and a final dot mean nothing. Pure values.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace relay {

enum class MatchKind : std::uint8_t { mx_suffix, host_name, domain_suffix };
inline constexpr std::array<std::pair<std::string_view, MatchKind>, 3> kMatchWords{
    {{"MXSuffix", MatchKind::mx_suffix},
     {"HostName", MatchKind::host_name},
     {"DomainSuffix", MatchKind::domain_suffix}}};

struct ProviderMatch {
    MatchKind kind = MatchKind::mx_suffix;
    std::string name;      // lower case, without a final dot
    std::size_t file = 0;  // of ShapingPolicy::files()
    int line = 0;
    bool is_same(const ProviderMatch& other) const {
        return kind == other.kind && name == other.name;
    }
};

inline constexpr std::size_t kMostProviders = 1000;
inline constexpr std::size_t kMostProviderMatches = 2000;  // of all providers

// hosts: of the MX records, or of a route; empty: not known. domain: empty: not to be looked at.
bool belongs_to(std::span<const ProviderMatch> rules, std::string_view domain,
                std::span<const std::string> hosts);

}  // namespace relay
