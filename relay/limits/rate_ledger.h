// RateLedger: the owner of a rate that several shards share, e.g. the messages of a tenant over the
// paths that send them. It gives permits, each for one event, out of one token bucket, so that the
// rate is exact over all of them, however small it is and whoever uses it. Shards ask for as many
// as they have use for, and give back what they did not use. Who asks for more than there is gets a
// turn: a time at which a batch of permits will be there that nobody else was told of. So those who
// ask take turns, and each question brings many permits where the rate is high. Pure; one owner.
// Limit: a question gives at most what the rate lets through in 50 ms, or one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/time.h"
#include "core/base/units.h"
#include "relay/limits/token_bucket.h"

namespace relay {

struct RateQuestion {
    std::uint64_t wanted = 0;
    std::uint64_t unused = 0;  // permits that go back
    bool in_turn = false;      // it was told to come now
};

struct RateGrant {
    std::uint64_t permits = 0;
    bool turn = false;         // there will be more, at again_at
    core::Instant again_at{};  // earlier there are no more
};

class RateLedger {
  public:
    static constexpr core::Duration kBatch = std::chrono::milliseconds{40};  // of a turn

    explicit RateLedger(core::Rate rate) : rate_(rate), bucket_(rate) {}

    const core::Rate& rate() const { return rate_; }
    // Another rate of the configuration. Permits that were given stay good; turns that are later
    // than the new rate asks for do not.
    void change(core::Rate rate, core::Instant now) {
        if (rate == rate_) return;
        rate_ = rate;
        const core::Instant next = std::max(bucket_.next_at(), now);
        bucket_.begin_again(rate, TokenBucket::default_burst(rate),
                            std::min(next, now + rate.interval()));
        turns_until_ = std::min(turns_until_, now + batch());
    }

    RateGrant grant(const RateQuestion& question, core::Instant now) {
        for (std::uint64_t i = 0; i < question.unused; ++i)
            bucket_.give_back();
        RateGrant grant{.permits = 0, .again_at = now};
        const std::uint64_t most = std::min(question.wanted, TokenBucket::default_burst(rate_));
        const bool others_turn = !question.in_turn && turns_until_ > now;
        while (!others_turn && grant.permits < most && bucket_.try_take(now))
            ++grant.permits;
        if (grant.permits == question.wanted) return grant;
        // A little before the bucket is full: who comes late must not cost a part of the rate.
        const bool one_by_one = batch() == rate_.interval();
        turns_until_ =
            std::max(turns_until_ + batch(), one_by_one ? bucket_.next_at() : now + batch());
        grant.turn = true;
        grant.again_at = turns_until_;
        return grant;
    }

  private:
    core::Duration batch() const { return std::max<core::Duration>(rate_.interval(), kBatch); }

    core::Rate rate_;
    TokenBucket bucket_;
    core::Instant turns_until_{};  // the last one that was given
};

}  // namespace relay
