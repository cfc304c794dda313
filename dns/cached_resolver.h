// CachedResolver: the resolver that the relay uses, one per shard. It answers from memory while the
// TTL lasts (its own memory, then that of all shards). Otherwise it asks the upstream resolver,
// single-flight: one query for all who ask the same question meanwhile. LookupLanes says when.
// Lives on the shard's clock, so virtual time works. A TTL is held between kMinTtl and kMaxTtl,
// that of "no such" at most kMaxNegativeTtl (RFC 2308 section 5), failures kFailureTtl.
// Limits (CacheLimits): those of AnswerCache and of LookupLanes. What the fast lane refuses is
// answered servfail and not remembered; what the slow lane refuses is a timeout. After stop()
// whoever waits for a place is answered servfail, and so is every later question; queries under way
// end with the upstream resolver. No query may be pending when it is destroyed (asserted): stop()
// it, close the upstream resolver, then the tasks that ask.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/shard_log.h"
#include "dns/answer_cache.h"
#include "dns/counters.h"
#include "dns/lookup_lanes.h"
#include "dns/resolver.h"
#include "dns/shared_answers.h"
#include "dns/silent_names.h"

namespace dns {

class CachedResolver final : public Resolver {
  public:
    static constexpr std::chrono::seconds kMinTtl{30};
    static constexpr std::chrono::seconds kMaxTtl = std::chrono::days{1};
    static constexpr std::chrono::seconds kMaxNegativeTtl = std::chrono::hours{3};
    static constexpr std::chrono::seconds kFailureTtl{5};

    // shared: of all shards; null: none. servers: as the configuration names them, for the log.
    CachedResolver(core::Shard& shard, Resolver& upstream, CacheLimits limits = {},
                   SharedAnswers* shared = nullptr, const std::vector<std::string>& servers = {});
    ~CachedResolver() override;

    core::Task<DnsAnswer> query(std::string name, RecordType type) override;

    void stop() { lanes_.stop(); }

    const DnsCounters& counters() const { return counters_; }

  private:
    struct Flight;  // a lookup under way

    core::Task<DnsAnswer> look_up(Question question);
    std::optional<DnsAnswer> known(const Question& question);
    core::Task<DnsAnswer> ask(const Question* question);
    core::Task<bool> ask_briefly(const Question* question, DnsAnswer* answer);
    core::Task<void> ask_patiently(const Question* question, DnsAnswer* answer);
    void note_failure(const Question& question, const DnsAnswer& answer);
    void keep(const Question& question, DnsAnswer answer, core::Instant expires);

    core::Shard& shard_;
    Resolver& upstream_;
    const CacheLimits limits_;
    SharedAnswers* const shared_;

    AnswerCache cache_;
    std::unordered_map<Question, std::shared_ptr<Flight>, QuestionHash> flights_;
    LookupLanes lanes_;
    SilentNames silent_;
    core::ShardLog log_;
    std::string servers_;
    DnsCounters counters_;
};

}  // namespace dns
