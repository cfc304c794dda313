#include "dns/cached_resolver.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/assert.h"
#include "dns/wire/message.h"

namespace dns {
namespace {

std::chrono::seconds kept_for(const DnsAnswer& answer) {
    switch (answer.status) {
        case DnsStatus::ok:
            return std::clamp(answer.ttl, CachedResolver::kMinTtl, CachedResolver::kMaxTtl);
        case DnsStatus::nodata:
        case DnsStatus::nxdomain:
            return std::clamp(answer.ttl, CachedResolver::kMinTtl, CachedResolver::kMaxNegativeTtl);
        case DnsStatus::servfail:
        case DnsStatus::timeout:
            break;
    }
    return CachedResolver::kFailureTtl;
}

std::size_t data_octets(const Record& record) {
    if (const auto* raw = std::get_if<RawData>(&record.data)) return raw->octets.capacity();
    if (const auto* mx = std::get_if<MxData>(&record.data)) return mx->exchange.capacity();
    if (const auto* alias = std::get_if<CnameData>(&record.data)) return alias->target.capacity();
    if (const auto* tlsa = std::get_if<TlsaData>(&record.data)) return tlsa->data.capacity();
    if (const auto* srv = std::get_if<SrvData>(&record.data)) return srv->target.capacity();
    return 0;
}

// What an entry takes, near enough to bound the cache.
std::size_t weight(const std::string& name, const DnsAnswer& answer, std::size_t entry) {
    std::size_t octets = entry + 2 * name.size() + answer.canonical_name.capacity() + 64;
    for (const Record& record : answer.records) {
        octets += sizeof(Record) + record.owner.capacity() + data_octets(record);
    }
    return octets;
}

}  // namespace

struct CachedResolver::Flight {
    explicit Flight(core::Reactor& reactor) : landed(reactor) {}
    core::Event landed;
    DnsAnswer answer;
};

std::size_t CachedResolver::KeyHash::operator()(const Key& key) const {
    const std::size_t type = std::to_underlying(key.type);
    return std::hash<std::string>{}(key.name) ^ (type * 0x9e3779b97f4a7c15U);
}

CachedResolver::CachedResolver(core::Shard& shard, Resolver& upstream, CacheLimits limits)
    : shard_(shard), upstream_(upstream), limits_(limits), place_free_(shard.reactor()) {
    PH_ASSERT(limits_.entries > 0 && limits_.lookups > 0);
}

CachedResolver::~CachedResolver() {
    PH_ASSERT(flights_.empty());
    while (!recency_.empty())
        forget(recency_.front());
}

core::Task<DnsAnswer> CachedResolver::query(std::string name, RecordType type) {
    auto normal = normal_name(name);
    if (!normal) {
        DnsAnswer answer;
        answer.status = DnsStatus::nxdomain;
        answer.canonical_name = std::move(name);
        answer.ttl = kMaxTtl;
        co_return answer;
    }
    Key key{std::move(*normal), type};
    if (const auto found = entries_.find(key); found != entries_.end()) {
        Entry& entry = *found->second;
        if (entry.expires > shard_.now()) {
            ++counters_.cache_hits;
            core::IntrusiveList<Entry, RecencyTag>::remove(entry);
            recency_.push_back(entry);
            ++entry.turns;
            co_return give_out(entry);
        }
        forget(entry);
    }
    if (const auto found = flights_.find(key); found != flights_.end()) {
        ++counters_.joined;
        const std::shared_ptr<Flight> flight = found->second;
        co_await flight->landed.wait();
        co_return flight->answer;
    }
    ++counters_.cache_misses;
    co_return co_await look_up(std::move(key));
}

core::Task<DnsAnswer> CachedResolver::look_up(Key key) {
    DnsAnswer answer;
    answer.canonical_name = key.name;
    if (under_way_ >= limits_.lookups && waiting_ >= limits_.waiting) {
        ++counters_.shed;
        co_return answer;
    }
    const auto flight = std::make_shared<Flight>(shard_.reactor());
    flights_.emplace(key, flight);
    co_await take_place();
    answer = co_await upstream_.query(key.name, key.type);
    leave_place();
    counters_.count(key.type, answer.status);
    answer.ttl = kept_for(answer);
    flight->answer = answer;
    flights_.erase(key);
    flight->landed.set();
    store(key, answer);
    co_return answer;
}

// A place that is left goes to the one who waited longest: under_way_ does not fall in between, so
// that a newcomer cannot take it.
core::Task<void> CachedResolver::take_place() {
    if (under_way_ < limits_.lookups) {
        ++under_way_;
        co_return;
    }
    ++counters_.delayed;
    ++waiting_;
    co_await place_free_.wait();
    --waiting_;
}

void CachedResolver::leave_place() {
    if (place_free_.has_waiters()) {
        place_free_.notify_one();
    } else {
        --under_way_;
    }
}

void CachedResolver::store(const Key& key, DnsAnswer answer) {
    const std::size_t octets = weight(key.name, answer, sizeof(Entry) + sizeof(Key));
    if (octets > limits_.octets) return;
    while (!recency_.empty() &&
           (entries_.size() >= limits_.entries || octets_ + octets > limits_.octets)) {
        if (recency_.front().expires > shard_.now()) ++counters_.evicted;
        forget(recency_.front());
    }
    auto owned = std::make_unique<Entry>();
    Entry& entry = *owned;
    entry.expires = shard_.now() + answer.ttl;
    entry.answer = std::move(answer);
    entry.octets = octets;
    const auto [place, added] = entries_.emplace(key, std::move(owned));
    PH_ASSERT(added);  // one flight per key, and it began without an entry
    entry.key = &place->first;
    recency_.push_back(entry);
    octets_ += octets;
    counters_.entries = entries_.size();
}

void CachedResolver::forget(Entry& entry) {
    octets_ -= entry.octets;
    core::IntrusiveList<Entry, RecencyTag>::remove(entry);
    entries_.erase(entries_.find(*entry.key));
    counters_.entries = entries_.size();
}

DnsAnswer CachedResolver::give_out(Entry& entry) const {
    DnsAnswer answer = entry.answer;
    answer.ttl = std::chrono::ceil<std::chrono::seconds>(entry.expires - shard_.now());
    const auto type = entry.key->type;
    if ((type == RecordType::a || type == RecordType::aaaa) && answer.records.size() > 1) {
        const auto shift = static_cast<std::ptrdiff_t>(entry.turns % answer.records.size());
        std::ranges::rotate(answer.records, answer.records.begin() + shift);
    }
    return answer;
}

}  // namespace dns
