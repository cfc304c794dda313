// TlsMemory: what a shard learned about the TLS of hosts it speaks to without having to: that it is
// broken, so that the next connections go in clear text for kAvoidFor instead of failing first
// (RFC 7435: better than nothing, never worse), and that STARTTLS was offered once, so that its
// absence is noticed (RFC 3207 section 6). By host and port. One shard; in memory only.
// Limit: kMostHosts, the longest untouched is forgotten.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/time.h"

namespace relay {

class TlsMemory {
  public:
    static constexpr std::size_t kMostHosts = 10'000;
    static constexpr core::Duration kAvoidFor = std::chrono::days{3};

    // TLS with this host failed lately.
    bool avoids(const std::string& host, core::Instant now);
    void note_broken(const std::string& host, core::Instant now);
    bool offered_before(const std::string& host);
    void note_offered(const std::string& host);
    std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        std::string host;
        bool offered = false;
        core::Instant avoid_until{};
    };
    using Entries = std::list<Entry>;  // touched last in front

    Entry* find(const std::string& host);
    Entry& touch(const std::string& host);

    Entries entries_;
    std::unordered_map<std::string_view, Entries::iterator> by_host_;
};

}  // namespace relay
