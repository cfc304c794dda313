// Outage: whether a site can be reached at all, and when its path may open the next connection. A
// failed connection is no outage while the site worked lately: within kLately of a transaction that
// completed it is a sample, and only several of them in a row slow down the opening of further
// connections, so that a server that restarts is not stormed (how many connections a server takes
// is the business of relay/limits/window.h). Otherwise the site pauses, from the first pause,
// doubling to the longest. Pure; owned by the path.
#pragma once

#include <algorithm>
#include <optional>

#include "core/base/time.h"
#include "relay/delivery/host_memory.h"

namespace relay {

class Outage {
  public:
    static constexpr core::Duration kLately = HostMemory::kLately;
    static constexpr core::Duration kLongestSlowing = std::chrono::seconds{1};
    static constexpr core::Duration kAfterLoss = std::chrono::milliseconds{50};  // doubles
    static constexpr unsigned kFreeSamples = 3;                                  // in a row

    enum class Failure : std::uint8_t {
        not_opened,  // no connection, or one that was refused
        fruitless,   // a session that completed nothing
        hopeless,    // by policy, or as DNS says: another try would end like this one
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
            slowed_until_ = std::max(slowed_until_, now + after_sample());
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
    // One connection at a time may be opening, until something works again.
    bool is_probing() const { return failures_ > 0 || samples_ > kFreeSamples; }

  private:
    core::Duration after_sample() {
        if (++samples_ <= kFreeSamples) return {};
        return std::min<core::Duration>(kLongestSlowing,
                                        kAfterLoss * (1U << std::min(samples_, 5U)));
    }

    HostPauses pauses_;
    std::optional<core::Instant> worked_;
    unsigned failures_ = 0;  // in a row
    unsigned samples_ = 0;   // in a row
    core::Instant paused_until_{};
    core::Instant slowed_until_{};  // by samples, whatever works meanwhile
};

}  // namespace relay
