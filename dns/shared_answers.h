// SharedAnswers: the DNS answers that any shard of the node has learned. A shard looks here when
// its own cache has no answer: mail for a domain is spread over the shards, and a lock costs less
// than a question. One for all shards; the composition root makes it, and it outlives their
// resolvers. Failures stay with the shard that met them. Limits: those of AnswerCache, once more.
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
