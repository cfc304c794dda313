#include "dns/cached_resolver.h"

#include <algorithm>
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

}  // namespace

struct CachedResolver::Flight {
    explicit Flight(core::Reactor& reactor) : landed(reactor) {}
    core::Event landed;
    DnsAnswer answer;
};

CachedResolver::CachedResolver(core::Shard& shard, Resolver& upstream, CacheLimits limits,
                               SharedAnswers* shared)
    : shard_(shard),
      upstream_(upstream),
      limits_(limits),
      shared_(shared),
      cache_(limits),
      place_free_(shard.reactor()),
      place_for_mx_(shard.reactor()) {
    PH_ASSERT(limits_.lookups > 0);
}

CachedResolver::~CachedResolver() {
    PH_ASSERT(flights_.empty());
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
    Question question{std::move(*normal), type};
    if (auto answer = known(question)) {
        ++counters_.cache_hits;
        co_return std::move(*answer);
    }
    if (const auto found = flights_.find(question); found != flights_.end()) {
        ++counters_.joined;
        const std::shared_ptr<Flight> flight = found->second;
        co_await flight->landed.wait();
        co_return flight->answer;
    }
    ++counters_.cache_misses;
    co_return co_await look_up(std::move(question));
}

std::optional<DnsAnswer> CachedResolver::known(const Question& question) {
    const core::Instant now = shard_.now();
    if (auto own = cache_.find(question, now)) return std::move(own->answer);
    if (shared_ == nullptr) return std::nullopt;
    auto others = shared_->find(question, now);
    if (!others) return std::nullopt;
    keep(question, others->answer, others->expires);
    return std::move(others->answer);
}

void CachedResolver::keep(const Question& question, DnsAnswer answer, core::Instant expires) {
    cache_.store(question, std::move(answer), expires, shard_.now());
    counters_.entries = cache_.entries();
    counters_.evicted = cache_.evicted();
}

core::Task<DnsAnswer> CachedResolver::look_up(Question question) {
    DnsAnswer answer;
    answer.canonical_name = question.name;
    if (under_way_ >= limits_.lookups && waiting_ >= limits_.waiting) {
        ++counters_.shed;
        co_return answer;
    }
    const auto flight = std::make_shared<Flight>(shard_.reactor());
    flights_.emplace(question, flight);
    co_await take_place(question.type);
    answer = co_await upstream_.query(question.name, question.type);
    leave_place();
    counters_.count(question.type, answer.status);
    answer.ttl = kept_for(answer);
    flight->answer = answer;
    flights_.erase(question);
    flight->landed.set();
    const core::Instant now = shard_.now();
    const bool failed = answer.status == DnsStatus::servfail || answer.status == DnsStatus::timeout;
    if (shared_ != nullptr && !failed) shared_->store(question, answer, now + answer.ttl, now);
    keep(question, answer, now + answer.ttl);
    co_return answer;
}

// A place that is left goes to the one who waited longest: under_way_ does not fall in between, so
// that a newcomer cannot take it.
core::Task<void> CachedResolver::take_place(RecordType type) {
    if (under_way_ < limits_.lookups) {
        ++under_way_;
        co_return;
    }
    ++counters_.delayed;
    ++waiting_;
    co_await (type == RecordType::mx ? place_for_mx_ : place_free_).wait();
    --waiting_;
}

void CachedResolver::leave_place() {
    const bool mx_first = ++places_left_ % kMxTurn == 0;
    core::Event& first = mx_first ? place_for_mx_ : place_free_;
    core::Event& second = mx_first ? place_free_ : place_for_mx_;
    if (first.has_waiters()) return first.notify_one();
    if (second.has_waiters()) return second.notify_one();
    --under_way_;
}

}  // namespace dns
