// CachedResolver: the resolver that the relay uses, one per shard. Answers from memory while the
// TTL lasts, asks the resolver behind it otherwise, once for everybody who asks the same meanwhile.
// Lives on the shard's clock, so virtual time works. Addresses come rotated by one each time, so
// that hosts with many addresses share the load (RFC 5321 section 5.1). Limits (CacheLimits):
// entries and octets of the cache, least recently used go first; lookups under way, further ones
// wait in order; waiting ones, further ones are answered servfail and not remembered. A TTL is held
// between kMinTtl and kMaxTtl, that of "no such" at most kMaxNegativeTtl (RFC 2308 section 5),
// failures kFailureTtl. No query may be pending when it is destroyed (asserted): close the resolver
// behind it first, then the tasks that ask.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/base/intrusive_list.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "dns/counters.h"
#include "dns/resolver.h"

namespace dns {

struct CacheLimits {
    std::size_t entries = 65536;
    std::size_t octets = std::size_t{64} << 20;
    std::size_t lookups = 128;
    std::size_t waiting = 65536;
};

class CachedResolver final : public Resolver {
  public:
    static constexpr std::chrono::seconds kMinTtl{30};
    static constexpr std::chrono::seconds kMaxTtl = std::chrono::days{1};
    static constexpr std::chrono::seconds kMaxNegativeTtl = std::chrono::hours{3};
    static constexpr std::chrono::seconds kFailureTtl{5};

    CachedResolver(core::Shard& shard, Resolver& upstream, CacheLimits limits = {});
    ~CachedResolver() override;

    core::Task<DnsAnswer> query(std::string name, RecordType type) override;

    const DnsCounters& counters() const { return counters_; }

  private:
    struct RecencyTag;
    struct Key {
        std::string name;
        RecordType type;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    struct Entry final : core::ListLink<RecencyTag> {
        const Key* key = nullptr;  // in the table, which does not move its keys
        DnsAnswer answer;
        core::Instant expires{};
        std::size_t octets = 0;
        std::size_t turns = 0;  // how often it was given out
    };
    struct Flight;  // a lookup under way

    core::Task<DnsAnswer> look_up(Key key);
    core::Task<void> take_place();
    void leave_place();
    void store(const Key& key, DnsAnswer answer);
    void forget(Entry& entry);
    DnsAnswer give_out(Entry& entry) const;

    core::Shard& shard_;
    Resolver& upstream_;
    const CacheLimits limits_;

    std::unordered_map<Key, std::unique_ptr<Entry>, KeyHash> entries_;
    core::IntrusiveList<Entry, RecencyTag> recency_;  // least recently used in front
    std::size_t octets_ = 0;
    std::unordered_map<Key, std::shared_ptr<Flight>, KeyHash> flights_;
    core::Event place_free_;
    std::size_t under_way_ = 0;
    std::size_t waiting_ = 0;
    DnsCounters counters_;
};

}  // namespace dns
