// SharedAnswers: what the shards of a node have learned from DNS. A shard looks here when it does
// not know an answer itself: mail for a domain is spread over the shards, and a lock costs less
// than a question. One for all shards, made by the composition root, outlives their resolvers.
// Failures stay with the shard that met them. Limits: those of AnswerCache, once more.
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include "dns/answer_cache.h"

namespace dns {

class SharedAnswers {
  public:
    explicit SharedAnswers(CacheLimits limits = {}) : cache_(limits) {}

    std::optional<AnswerCache::Known> find(const Question& question, core::Instant now) {
        const std::scoped_lock lock(mutex_);
        return cache_.find(question, now);
    }
    void store(const Question& question, DnsAnswer answer, core::Instant expires,
               core::Instant now) {
        const std::scoped_lock lock(mutex_);
        cache_.store(question, std::move(answer), expires, now);
    }

  private:
    std::mutex mutex_;
    AnswerCache cache_;
};

}  // namespace dns
