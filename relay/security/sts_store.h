// StsStore: the MTA-STS policies that this node knows, by domain, shared by all shards (a mutex is
// held for a lookup in a table). A policy counts until its max_age has passed since it was fetched,
// whatever DNS says meanwhile (RFC 8461 section 5.1). Also what failed lately, so that a broken
// policy host is not asked for every message. text() and read() are its file's content: one line
// for each policy; add_text() makes it in steps, since a loop must not write all in one. Limit:
// kMostOctets of memory, about 100,000 usual policies; beyond it the ones unused for longest are
// forgotten and must be discovered again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/lru_map.h"
#include "core/base/time.h"
#include "relay/security/sts_policy.h"
#include "relay/tlsrpt/policy.h"

namespace relay {

struct StsKnown {
    std::shared_ptr<const StsPolicy> policy{};  // null: none that still counts
    std::string id{};                           // as announced when it was fetched
    core::WallTime fetched{};                   // last, with whatever id
    std::string failed_id{};                    // fetching this one failed, for this reason
    TlsFailureType failed_why = TlsFailureType::sts_policy_fetch_error;
    core::WallTime retry_at{};  // and is not tried again before
};

class StsStore {
  public:
    static constexpr std::size_t kMostOctets = 32U << 20;

    explicit StsStore(std::size_t most_octets = kMostOctets) : most_octets_(most_octets) {}

    StsKnown find(const std::string& domain, core::WallTime now);
    void keep(const std::string& domain, std::shared_ptr<const StsPolicy> policy, std::string id,
              core::WallTime now);
    void note_failure(const std::string& domain, std::string id, TlsFailureType why,
                      core::WallTime retry_at);

    std::string text(core::WallTime now);
    // The same in steps: begin_text(), then add_text(), which looks at so many policies, until it
    // answers false. One walk at a time. What changes meanwhile may stand there twice: the later
    // line counts.
    void begin_text(std::string& text);
    bool add_text(std::string& text, core::WallTime now, std::size_t most);
    // Lines that make no sense are passed over. How many policies there are afterwards.
    std::size_t read(std::string_view text, core::WallTime now);
    std::uint64_t changes() const;  // grows with each policy that is kept
    std::size_t size() const;

  private:
    struct Kept {
        StsKnown known;
        std::size_t octets = 0;
        std::uint64_t written = 0;  // by this walk
    };
    using Entry = core::LruMap<Kept>::Iterator;

    StsKnown& touch(const std::string& domain);
    void weigh();
    void erase(Entry entry);
    void walk_past(Entry entry);

    const std::size_t most_octets_;
    mutable std::mutex mutex_;
    core::LruMap<Kept> entries_;
    std::size_t octets_ = 0;
    std::uint64_t changes_ = 0;
    std::uint64_t walk_ = 0;            // its number
    Entry walked_to_ = entries_.end();  // what it looks at next; the end: it is over
};

}  // namespace relay
