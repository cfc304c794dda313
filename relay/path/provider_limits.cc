#include "relay/path/provider_limits.h"

#include <algorithm>

#include "core/base/assert.h"

namespace relay {

namespace {

template <typename Tag>
bool is_on_list_of(const ProviderShare::Member& member) {
    return static_cast<const core::ListLink<Tag>&>(member).linked();
}

}  // namespace

void ProviderShare::limit_by(const ShapingLimits& limits) {
    limit_ = limits.provider_connection_limit;
    if (stated_rate_ == limits.provider_max_message_rate) return;
    stated_rate_ = limits.provider_max_message_rate;
    rate_.reset();
    if (stated_rate_) rate_.emplace(*stated_rate_);
}

void ProviderShare::wait(Member& member) {
    PH_ASSERT(!has_place());
    if (!is_on_list_of<WaitsForPlaceTag>(member)) waiting_.push_back(member);
    while (!idle_.empty()) {
        Member& rests = idle_.pop_front();
        if (!rests.give_up_idle()) continue;
        idle_.push_back(rests);  // it may have more of them
        return;
    }
}

void ProviderShare::give_back() {
    PH_ASSERT(taken_ > 0);
    --taken_;
    // One that needs no place any more passes it on.
    while (has_place() && !waiting_.empty()) {
        const std::size_t before = taken_;
        waiting_.pop_front().place_is_free();
        if (taken_ > before) return;
    }
}

void ProviderShare::has_idle(Member& member) {
    if (!is_on_list_of<HasIdleTag>(member)) idle_.push_back(member);
}

void ProviderShare::leave(Member& member) {
    if (is_on_list_of<WaitsForPlaceTag>(member)) {
        core::IntrusiveList<Member, WaitsForPlaceTag>::remove(member);
    }
    if (is_on_list_of<HasIdleTag>(member)) {
        core::IntrusiveList<Member, HasIdleTag>::remove(member);
    }
}

void ProviderShare::take_message(core::Instant now) {
    if (!rate_) return;
    const bool taken = rate_->try_take(now);
    PH_ASSERT(taken);
}

std::shared_ptr<ProviderShare> ProviderLimits::share_of(const PathKey& path) {
    if (!path.site.provider_shares) return nullptr;
    auto& known = shares_[{path.source, path.site.provider}];
    auto share = known.lock();
    if (share == nullptr) known = share = std::make_shared<ProviderShare>();
    return share;
}

}  // namespace relay
