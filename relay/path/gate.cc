#include "relay/path/gate.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/runtime/slices.h"

namespace relay {

GateLimits part_of(const GateLimits& whole, GateShare share) {
    PH_ASSERT(share.places > 0 && share.places <= share.of);
    if (share.places == share.of) return whole;
    const auto part = [share](core::Rate rate) {
        return core::Rate{rate.count * share.places,
                          rate.period * static_cast<std::int64_t>(share.of)};
    };
    const std::uint64_t burst =
        std::min<std::uint64_t>(whole.most_connections, whole.connections.count);
    return {part(whole.messages), part(whole.connections),
            std::max<std::size_t>(1, burst * share.places / share.of)};
}

void Gate::limit_by(const GateLimits& limits) {
    const GateLimits before = std::exchange(limits_, limits);
    const GateLimits now = part_of(limits, share_);
    if (before.messages != limits.messages) message_rate_ = TokenBucket(now.messages);
    if (before.connections != limits.connections ||
        before.most_connections != limits.most_connections) {
        connection_rate_ = connection_bucket(now);
    }
}

void Gate::share(GateShare share, core::Instant now) {
    if (std::exchange(share_, share) == share) return;
    const GateLimits part = part_of(limits_, share);
    message_rate_.change(part.messages, TokenBucket::default_burst(part.messages), now);
    connection_rate_.change(part.connections, burst_of(part), now);
}

Gate::Answer Gate::pass() const {
    switch (phase_) {
        case Phase::open:
            return suspended_ ? Answer{Why::suspended, core::kNever} : Answer{};
        case Phase::expiring:
            return {Why::expiring, core::kAtOnce};
        case Phase::closing:
            break;
    }
    return {Why::closing, core::kNever};
}

Gate::Answer Gate::why_not(core::Instant now) const {
    if (const Answer answer = pass(); !answer.go()) return answer;
    if (outage_.paused_until() > now && outage_.paused_until() >= hosts_rest_until_) {
        return {Why::outage, outage_.paused_until()};
    }
    if (hosts_rest_until_ > now) return {Why::hosts_rest, hosts_rest_until_};
    if (const Answer answer = wake(now); !answer.go()) return answer;
    if (connection_rate_.next_at() > now) return {Why::connection_rate, connection_rate_.next_at()};
    return {};
}

Gate::Answer Gate::wake(core::Instant now) const {
    if (message_rate_.next_at() > now) return {Why::message_rate, message_rate_.next_at()};
    return {};
}

Gate::Answer Gate::begin_transaction(core::Instant now) {
    if (message_rate_.try_take(now)) return {};
    return {Why::message_rate, message_rate_.next_at()};
}

Gate::Answer Gate::open_connection(core::Instant now, std::size_t open, std::size_t opening) {
    if (outage_.paused_until() > now || hosts_rest_until_ > now) {
        if (outage_.paused_until() >= hosts_rest_until_) {
            return {Why::outage, outage_.paused_until()};
        }
        return {Why::hosts_rest, hosts_rest_until_};
    }
    // One probe until the site answers again; and no more connections for the rate's sake.
    if (outage_.is_probing() && opening > 0) return {Why::opening, core::kNever};
    if (open > 0 && message_rate_.next_at() > now) {
        return {Why::rate_is_used, message_rate_.next_at()};
    }
    return open_detour(now);
}

Gate::Answer Gate::open_detour(core::Instant now) {
    if (connection_rate_.try_take(now)) return {};
    return {Why::connection_rate, connection_rate_.next_at()};
}

}  // namespace relay
