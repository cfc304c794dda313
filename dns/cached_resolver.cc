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
                               SharedAnswers* shared, const std::vector<std::string>& servers)
    : shard_(shard),
      upstream_(upstream),
      limits_(limits),
      shared_(shared),
      cache_(limits),
      lanes_(shard.reactor(), limits.lanes),
      log_(shard.reactor()) {
    for (const std::string& server : servers)
        servers_.append(servers_.empty() ? "" : ", ").append(server);
    if (servers_.empty()) servers_ = "the system's name servers";
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
    const auto flight = std::make_shared<Flight>(shard_.reactor());
    flights_.emplace(question, flight);
    DnsAnswer answer = co_await ask(&question);
    answer.ttl = kept_for(answer);
    flight->answer = answer;
    flights_.erase(question);
    flight->landed.set();
    co_return answer;
}

core::Task<DnsAnswer> CachedResolver::ask(const Question* question) {
    DnsAnswer answer;
    answer.canonical_name = question->name;
    const bool silent = silent_.contains(question->name, shard_.now());
    if (!silent && !co_await ask_briefly(question, &answer)) co_return answer;
    if (silent || answer.status == DnsStatus::timeout) co_await ask_patiently(question, &answer);
    counters_.delayed = lanes_.delayed();
    if (lanes_.stopped()) co_return answer;
    counters_.count(question->type, answer.status);
    answer.ttl = kept_for(answer);
    const core::Instant now = shard_.now();
    const bool failed = answer.status == DnsStatus::servfail || answer.status == DnsStatus::timeout;
    if (failed) note_failure(*question, answer);
    if (shared_ != nullptr && !failed) shared_->store(*question, answer, now + answer.ttl, now);
    keep(*question, answer, now + answer.ttl);
    co_return answer;
}

// Mail waits for it: the operator must see why, but not once for each message.
void CachedResolver::note_failure(const Question& question, const DnsAnswer& answer) {
    const bool silent = answer.status == DnsStatus::timeout;
    std::string detail(to_string(question.type));
    detail.append(silent ? ": no answer in time from " : ": failure, by ").append(servers_);
    log_.note(silent ? core::LogLevel::kWarning : core::LogLevel::kInfo,
              silent ? "no answer from DNS about" : "DNS fails about", question.name, detail);
}

// False: refused, as too many wait.
core::Task<bool> CachedResolver::ask_briefly(const Question* question, DnsAnswer* answer) {
    LookupLanes::Seat seat(lanes_);
    if (!co_await lanes_.take_fast(&seat, question->type)) {
        ++counters_.shed;
        co_return false;
    }
    *answer = co_await upstream_.query_briefly(question->name, question->type);
    lanes_.leave_fast(seat);
    co_return true;
}

core::Task<void> CachedResolver::ask_patiently(const Question* question, DnsAnswer* answer) {
    answer->status = DnsStatus::timeout;
    silent_.note(question->name, shard_.now());
    if (!co_await lanes_.take_slow()) {
        ++counters_.shed;
        co_return;
    }
    *answer = co_await upstream_.query(question->name, question->type);
    lanes_.leave_slow();
    if (answer->status != DnsStatus::timeout) silent_.forget(question->name);
}

}  // namespace dns
