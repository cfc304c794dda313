// Path: what an operator sees of it, and above all why its mail waits.
#include <algorithm>
#include <chrono>

#include "relay/path/path.h"

namespace relay {

namespace {

std::string_view words_of(Gate::Why why) {
    switch (why) {
        case Gate::Why::go:
            return "";
        case Gate::Why::message_rate:
            return "max_message_rate";
        case Gate::Why::connection_rate:
            return "max_connection_rate";
        case Gate::Why::provider_rate:
            return "provider_max_message_rate";
        case Gate::Why::rate_is_used:
            return "max_message_rate";
        case Gate::Why::outage:
            return "the site cannot be reached";
        case Gate::Why::hosts_rest:
            return "all hosts of the site failed lately";
        case Gate::Why::opening:
            return "a connection asks whether the site is back";
        case Gate::Why::expiring:
            return "mail that is over leaves first";
        case Gate::Why::suspended:
            return "suspended by automation";
        case Gate::Why::closing:
            return "the relay is shutting down";
    }
    return "";
}

}  // namespace

Gate::Answer Path::why_waiting() const {
    if (ready() == 0) return {};
    if (const Gate::Answer rate = by_provider(); !rate.go()) return rate;
    return gate_.why_not(context_.shard.now());
}

LivePath Path::view() {
    const Gate::Answer why = why_waiting();
    const core::Instant now = context_.shard.now();
    LivePath view{.name = site_.name,
                  .provider = site_.provider,
                  .source = std::string(site_.scope().source),
                  .shard = context_.shard.id(),
                  .lane = role_ == Role::lane,
                  .ready = ready(),
                  .connections = connections(),
                  .connection_limit = site_.limits.connection_limit,
                  .window = role_ == Role::home ? window_.size() : 0,
                  .reason = std::string(words_of(why.why)),
                  .domains = waiting_domains()};
    if (!why.go() && why.until != core::kNever && why.until > now) {
        view.until_seconds = std::chrono::duration<double>(why.until - now).count();
    }
    if (why.go() && view.ready > 0 && pool_.size() >= places_) {
        const bool limited = places_ >= site_.limits.connection_limit;
        view.reason = limited ? "connection_limit" : "window";
    }
    if (view.reason.empty() && view.ready > 0 && provider_ != nullptr && provider_->is_short()) {
        view.reason = "provider_connection_limit";
    }
    return view;
}

}  // namespace relay
