// TlsTally: how many TLS sessions succeeded and failed, by UTC day, domain of the recipients and
// policy, with the failures apart (RFC 8460 section 4). Pure; one of each shard for what it saw
// lately, and the reporter's own into which those are merged. text() and read() are the content of
// its file: lines of fields separated by tabs.
// Limits: kMostOctets as weighed (a new domain or policy beyond it is not counted, see dropped());
// kMostPolicies of a domain and day (further ones are not counted, see dropped()); kMostFailures of
// these, and kMostReason of a reason: further ones count by their type alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "relay/tlsrpt/policy.h"

namespace relay {

using UtcDay = std::int64_t;  // since 1970

UtcDay utc_day(core::WallTime time);
core::WallTime begin_of(UtcDay day);

struct FailureCount {
    TlsFailure failure;
    std::uint64_t sessions = 0;

    bool operator==(const FailureCount&) const = default;
};

struct PolicyCounts {
    ReportedPolicy policy;
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;  // the sum of those below
    std::vector<FailureCount> failed{};

    bool operator==(const PolicyCounts&) const = default;
};

class TlsTally {
  public:
    static constexpr std::size_t kMostOctets = 8U << 20;
    static constexpr std::size_t kMostPolicies = 16;
    static constexpr std::size_t kMostFailures = 32;
    static constexpr std::size_t kMostReason = 200;

    using Key = std::pair<UtcDay, std::string>;
    using Domains = std::map<Key, std::vector<PolicyCounts>>;

    explicit TlsTally(std::size_t most_octets = kMostOctets) : most_octets_(most_octets) {}

    // failure none: they succeeded.
    void count(const Key& key, const ReportedPolicy& policy,
               const std::optional<TlsFailure>& failure, std::uint64_t sessions = 1);
    void merge(TlsTally other);
    // In steps of so many counts, which leave the other one; true: there are more.
    bool merge_some(TlsTally& other, std::size_t most);
    void erase(const Key& key);

    const Domains& domains() const { return domains_; }
    bool empty() const { return domains_.empty(); }
    std::size_t octets() const { return octets_; }
    std::uint64_t dropped() const { return dropped_; }  // sessions that found no room

    std::string text() const;
    // The same in steps: lines of so many domains after `last`, which becomes the last of these
    // (at first none: then the header stands before them); true: there are more.
    bool add_text(std::string& text, std::optional<Key>& last, std::size_t most) const;
    // Adds what it says. Lines that make no sense are passed over.
    void read(std::string_view text);

    bool operator==(const TlsTally& other) const { return domains_ == other.domains_; }

  private:
    PolicyCounts* counts_of(const Key& key, const ReportedPolicy& policy);

    std::size_t most_octets_;
    Domains domains_;
    std::size_t octets_ = 0;
    std::uint64_t dropped_ = 0;
};

// Reads what text() wrote, in steps. The text and the tally outlive it.
class TlsTallyReader {
  public:
    TlsTallyReader(TlsTally& tally, std::string_view text);
    // So many lines; true: there are more.
    bool advance(std::size_t lines);

  private:
    void take(std::string_view line);
    bool begin(std::span<const std::string_view> fields);
    void take_failure(std::span<const std::string_view> fields);
    void count(const std::optional<TlsFailure>& failure, std::uint64_t sessions);
    std::optional<std::string_view> next_line();

    TlsTally& tally_;
    std::string_view rest_;
    TlsTally::Key key_;
    ReportedPolicy policy_;
    bool known_ = false;
};

}  // namespace relay
