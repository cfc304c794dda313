// RatePermits: what one shard has of a shared rate (rate_ledger.h): permits that were granted and
// not used yet, and when to ask for more. It keeps permits for kKept, so that mail that trickles
// costs no question for each message; then they go back with the next question. Pure; one shard.
//
//   if (!permits.try_take()) wait;   // and when some wait:
//   if (permits.may_ask(now)) permits.granted(ask the ledger for permits.question(waiting, now));
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/base/assert.h"
#include "core/base/time.h"
#include "relay/limits/rate_ledger.h"

namespace relay {

class RatePermits {
  public:
    static constexpr core::Duration kKept = std::chrono::milliseconds{100};

    std::uint64_t left() const { return left_; }
    bool try_take() {
        if (left_ == 0) return false;
        --left_;
        ++used_;
        return true;
    }

    void put_back() {
        ++left_;
        if (used_ > 0) --used_;
    }

    bool may_ask(core::Instant now) const { return !asking_ && now >= again_at_; }
    core::Instant again_at() const { return asking_ ? core::kNever : again_at_; }
    // So many events wait. As many as were used since the last question are likely to come too.
    RateQuestion question(std::uint64_t waiting, core::Instant now) {
        PH_ASSERT(may_ask(now));
        asking_ = true;
        const std::uint64_t used = std::exchange(used_, 0);
        const bool lately = now - std::exchange(asked_at_, now) < kKept;
        return {.wanted = std::max(waiting, lately ? used : 0),
                .unused = std::exchange(left_, 0),
                .in_turn = std::exchange(has_turn_, false)};
    }
    void granted(const RateGrant& grant) {
        PH_ASSERT(asking_);
        asking_ = false;
        left_ += grant.permits;
        if (std::exchange(outdated_, false)) return;
        has_turn_ = grant.turn;
        again_at_ = grant.again_at;
    }
    // The rate is another one: it is asked for anew, whatever the answer to an earlier question.
    void ask_anew() {
        outdated_ = asking_;
        has_turn_ = false;
        again_at_ = {};
    }
    // Nothing waits, and what is left is old: it goes back.
    bool is_stale(core::Instant now) const {
        return left_ > 0 && !asking_ && now - asked_at_ >= kKept;
    }

  private:
    std::uint64_t left_ = 0;
    std::uint64_t used_ = 0;  // since the last question
    bool asking_ = false;
    bool has_turn_ = false;
    bool outdated_ = false;  // the question that was asked
    core::Instant asked_at_{};
    core::Instant again_at_{};
};

}  // namespace relay
