// AnswerCache: an LRU cache of DNS answers by name and type, each kept until it expires. No I/O and
// no clock: the caller passes the time. Addresses are rotated by one at each use, so that hosts
// with many addresses share the load (RFC 5321 section 5.1). For one thread. Limits (CacheLimits):
// entries and octets; a full cache evicts the least recently used answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/base/intrusive_list.h"
#include "core/base/time.h"
#include "dns/lookup_lanes.h"
#include "dns/wire/answer.h"

namespace dns {

struct CacheLimits {
    std::size_t entries = 65536;
    std::size_t octets = std::size_t{64} << 20;
    LaneLimits lanes{};  // of CachedResolver
};

struct Question {
    std::string name;  // in normal form
    RecordType type{};
    bool operator==(const Question&) const = default;
};
struct QuestionHash {
    std::size_t operator()(const Question& question) const;
};

class AnswerCache {
  public:
    struct Known {
        DnsAnswer answer;  // its TTL is what is left of it
        core::Instant expires{};
    };

    explicit AnswerCache(CacheLimits limits);
    ~AnswerCache();

    std::optional<Known> find(const Question& question, core::Instant now);
    // Takes the place of what was known.
    void store(const Question& question, DnsAnswer answer, core::Instant expires,
               core::Instant now);

    std::size_t entries() const { return entries_.size(); }
    std::uint64_t evicted() const { return evicted_; }  // before their time

  private:
    struct RecencyTag;
    struct Entry final : core::ListLink<RecencyTag> {
        const Question* question = nullptr;  // in the table, which does not move its keys
        DnsAnswer answer;
        core::Instant expires{};
        std::size_t octets = 0;
        std::size_t turns = 0;  // how often it was given out
    };
    void forget(Entry& entry);

    const CacheLimits limits_;
    std::unordered_map<Question, std::unique_ptr<Entry>, QuestionHash> entries_;
    core::IntrusiveList<Entry, RecencyTag> recency_;  // least recently used in front
    std::size_t octets_ = 0;
    std::uint64_t evicted_ = 0;
};

}  // namespace dns
