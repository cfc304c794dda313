// CachedResolver: the resolver that the relay uses, one per shard. Answers from memory while the
// TTL lasts (its own, then that of all shards), asks the resolver behind it otherwise, once for
// everybody who asks the same meanwhile. Lives on the shard's clock, so virtual time works. Limits
// (CacheLimits): those of AnswerCache; lookups under way, further ones wait in order, those for MX
// behind the others (a domain that is half known is finished before the next one is begun, or the
// first mail of a list of many would wait for the MX of the last) except for each kMxTurn-th place;
// waiting ones, further ones are answered servfail and not remembered. A TTL is held between
// kMinTtl and kMaxTtl, that of "no such" at most kMaxNegativeTtl (RFC 2308 section 5), failures
// kFailureTtl. No query may be pending when it is destroyed (asserted): close the resolver behind
// it first, then the tasks that ask.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "dns/answer_cache.h"
#include "dns/counters.h"
#include "dns/resolver.h"
#include "dns/shared_answers.h"

namespace dns {

class CachedResolver final : public Resolver {
  public:
    static constexpr std::chrono::seconds kMinTtl{30};
    static constexpr std::chrono::seconds kMaxTtl = std::chrono::days{1};
    static constexpr std::chrono::seconds kMaxNegativeTtl = std::chrono::hours{3};
    static constexpr std::chrono::seconds kFailureTtl{5};
    static constexpr std::size_t kMxTurn = 4;

    // shared: of all shards; null: none.
    CachedResolver(core::Shard& shard, Resolver& upstream, CacheLimits limits = {},
                   SharedAnswers* shared = nullptr);
    ~CachedResolver() override;

    core::Task<DnsAnswer> query(std::string name, RecordType type) override;

    const DnsCounters& counters() const { return counters_; }

  private:
    struct Flight;  // a lookup under way

    core::Task<DnsAnswer> look_up(Question question);
    std::optional<DnsAnswer> known(const Question& question);
    core::Task<void> take_place(RecordType type);
    void leave_place();
    void keep(const Question& question, DnsAnswer answer, core::Instant expires);

    core::Shard& shard_;
    Resolver& upstream_;
    const CacheLimits limits_;
    SharedAnswers* const shared_;

    AnswerCache cache_;
    std::unordered_map<Question, std::shared_ptr<Flight>, QuestionHash> flights_;
    core::Event place_free_;
    core::Event place_for_mx_;  // behind the others, but for its turn
    std::size_t under_way_ = 0;
    std::size_t places_left_ = 0;
    std::size_t waiting_ = 0;
    DnsCounters counters_;
};

}  // namespace dns
