// Outage: whether a site can be reached at all, and when its path may open the next connection. A
// failed connection is no outage while the site worked lately: within kLately of a transaction that
// completed it is a sample, which only slows down the opening of further connections, so that a
// server that restarts or refuses some of them is not stormed. Otherwise the site pauses, from the
// first pause, doubling to the longest. Pure; owned by the path.
#pragma once

#include <algorithm>
#include <optional>

#include "core/base/time.h"
#include "relay/delivery/host_memory.h"

namespace relay {

class Outage {
  public:
    static constexpr core::Duration kLately = HostMemory::kLately;
    static constexpr core::Duration kAfterRefusal = std::chrono::seconds{1};
    static constexpr core::Duration kAfterLoss = std::chrono::milliseconds{50};  // doubles
    static constexpr std::size_t kManyOpening = 1024;
    static constexpr unsigned kFreeSamples = 3;  // sessions in a row that may end without success

    enum class Failure : std::uint8_t {
        refused,      // the server said 4yz instead of greeting us
        unreachable,  // no connection
        fruitless,    // a session that completed nothing
        hopeless,     // by policy, or as DNS says: another try would end like this one
    };
    enum class Finding : std::uint8_t { sample, outage };

    explicit Outage(HostPauses pauses) : pauses_(pauses) {}

    void worked(core::Instant now) {
        worked_ = now;
        failures_ = samples_ = 0;
        paused_until_ = {};
    }
    // It worked for another shard, which shares the path: evidence, but no reason to forget ours.
    void worked_elsewhere(core::Instant when) {
        if (when != core::Instant{}) worked_ = std::max(worked_.value_or(when), when);
    }
    core::Instant last_worked() const { return worked_.value_or(core::Instant{}); }
    Finding failed(Failure failure, core::Instant now) {
        if (failure != Failure::hopeless && worked_ && now - *worked_ <= kLately) {
            slowed_until_ = std::max(slowed_until_, now + after_sample(failure));
            return Finding::sample;
        }
        // Several connections that were opened together and failed together are one failure.
        if (failures_ > 0 && paused_until_ > now) return Finding::outage;
        paused_until_ =
            now + std::min<core::Duration>(pauses_.longest,
                                           pauses_.first * (1U << std::min(failures_, 10U)));
        ++failures_;
        return Finding::outage;
    }
    // No connection is opened before.
    core::Instant paused_until() const { return std::max(paused_until_, slowed_until_); }
    // So many connections may be opening: one until something works again; after a refusal, one
    // and, with each that opens, twice as many.
    std::size_t most_opening() const {
        return failures_ > 0 || samples_ > kFreeSamples ? 1 : most_opening_;
    }
    // A connection was opened.
    void answered() { most_opening_ = std::min(2 * most_opening_, kManyOpening); }

  private:
    core::Duration after_sample(Failure failure) {
        if (failure == Failure::refused) {
            most_opening_ = 1;
            return kAfterRefusal;
        }
        if (++samples_ <= kFreeSamples && failure == Failure::fruitless) return {};
        return std::min<core::Duration>(kAfterRefusal, kAfterLoss * (1U << std::min(samples_, 5U)));
    }

    HostPauses pauses_;
    std::optional<core::Instant> worked_;
    unsigned failures_ = 0;  // in a row
    unsigned samples_ = 0;   // in a row, that were no refusals
    core::Instant paused_until_{};
    std::size_t most_opening_ = kManyOpening;
    core::Instant slowed_until_{};  // by samples, whatever works meanwhile
};

}  // namespace relay
