// What a sender asked for by DELIVERBY (RFC 2852): a time by which a message is to be delivered,
// and what happens when it is not. Plain values. Few messages have it, so it is kept apart.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/base/time.h"

namespace relay {

// As it stands in MAIL: "BY=120;R".
struct ByTime {
    std::int64_t seconds = 0;  // left; below zero: it has passed
    bool returns = false;      // mode R; otherwise N
    bool traces = false;       // T
    bool operator==(const ByTime&) const = default;
};

struct DeliverBy {
    core::WallTime deadline{};  // the epoch: nothing was asked
    bool returns = false;       // then the mail comes back (R); or the sender is told, and it is
                                // tried further (N)
    bool traces = false;        // the sender is told of each server that it is handed to
    bool operator==(const DeliverBy&) const = default;

    static DeliverBy from(core::WallTime now, const ByTime& asked) {
        return {now + std::chrono::seconds{asked.seconds}, asked.returns, asked.traces};
    }
    bool asked() const { return deadline != core::WallTime{}; }
    bool has_passed(core::WallTime now) const { return asked() && now >= deadline; }
    bool expires(core::WallTime now) const { return returns && has_passed(now); }
    // What the next server is told: rounded up, as "BY=0;R" asks for nothing (section 4).
    std::optional<ByTime> left(core::WallTime now) const {
        if (!asked()) return std::nullopt;
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(deadline - now);
        return ByTime{seconds.count(), returns, traces};
    }
};

}  // namespace relay
