// RateLedger: the owner of a rate that several shards share, e.g. the messages of a tenant over the
// paths that send them. It gives permits, each for one event, out of one token bucket, so that the
// rate is exact over all of them, however small it is and whoever uses it. Shards ask for as many
// as they have use for, and give back what they did not use. Pure; one owner. Limit: a call gives
// at most what the rate lets through in 50 ms, or one, so that those who ask take turns.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/time.h"
#include "core/base/units.h"
#include "relay/limits/token_bucket.h"

namespace relay {

// The answer to who asks for permits.
struct RateGrant {
    std::uint64_t permits = 0;
    core::Instant again_at{};  // earlier there are no more
};

class RateLedger {
  public:
    explicit RateLedger(core::Rate rate) : rate_(rate), bucket_(rate) {}

    const core::Rate& rate() const { return rate_; }
    // Another rate of the configuration. Permits that were given stay good.
    void change(core::Rate rate, core::Instant now) {
        if (rate == rate_) return;
        rate_ = rate;
        bucket_.change(rate, TokenBucket::default_burst(rate), now);
    }

    RateGrant grant(std::uint64_t wanted, core::Instant now) {
        RateGrant grant;
        const std::uint64_t most = std::min(wanted, TokenBucket::default_burst(rate_));
        while (grant.permits < most && bucket_.try_take(now))
            ++grant.permits;
        grant.again_at = std::max(bucket_.next_at(), now);
        return grant;
    }
    // They were not used.
    void give_back(std::uint64_t permits) {
        for (; permits > 0; --permits)
            bucket_.give_back();
    }

  private:
    core::Rate rate_;
    TokenBucket bucket_;
};

}  // namespace relay
