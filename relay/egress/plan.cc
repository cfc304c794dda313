#include "relay/egress/plan.h"

#include <algorithm>
#include <cmath>

#include "core/base/assert.h"

namespace relay {

bool SourcePool::has(SourceId source) const {
    return std::ranges::find(members, source, &PoolMember::source) != members.end();
}

EgressPlan::EgressPlan() : EgressPlan({}, {}, nullptr) {}

EgressPlan::EgressPlan(const std::vector<EgressSource>& sources,
                       const std::vector<EgressPool>& pools, const EgressPlan* before) {
    if (before != nullptr) {
        names_ = before->names_;
    } else {
        names_.emplace_back(kDefault);
    }
    for (const EgressSource& each : sources) {
        if (std::ranges::find(names_, each.name) == names_.end()) names_.push_back(each.name);
    }
    PH_ASSERT(names_.size() <= kMostNumbers + kMostEgressSources);
    sources_.resize(names_.size());
    for (const EgressSource& each : sources) {
        sources_[static_cast<std::size_t>(number_of(each.name))] =
            std::make_shared<const EgressSource>(each);
    }
    for (const EgressPool& each : pools) {
        SourcePool& pool = pools_.emplace_back(SourcePool{each.name, {}});
        for (const PoolSource& one : each.sources) {
            if (one.weight > 0) pool.members.push_back({number_of(one.name), one.weight});
        }
    }
    const SourcePool* const own = pool(kDefault);
    fallback_ = std::make_shared<const SourcePool>(
        own != nullptr ? *own : SourcePool{std::string(kDefault), {PoolMember{}}});
    plain_ = pools_.empty() && sources_.front() == nullptr;
}

SourceId EgressPlan::number_of(std::string_view name) const {
    const auto found = std::ranges::find(names_, name);
    PH_ASSERT(found != names_.end());
    return static_cast<SourceId>(found - names_.begin());
}

const std::shared_ptr<const EgressSource>& EgressPlan::source(SourceId id) const {
    static const std::shared_ptr<const EgressSource> kNone;
    const auto number = static_cast<std::size_t>(id);
    return number < sources_.size() ? sources_[number] : kNone;
}

std::string_view EgressPlan::name_of(SourceId id) const {
    const auto number = static_cast<std::size_t>(id);
    return number < names_.size() ? std::string_view(names_[number]) : kDefault;
}

const SourcePool* EgressPlan::pool(std::string_view name) const {
    const auto found = std::ranges::find(pools_, name, &SourcePool::name);
    return found == pools_.end() ? nullptr : &*found;
}

// An exponential variable of rate `weight`, drawn from the key: the least of several is that of a
// member with a probability of its share of the weights.
double distance(std::uint64_t key, const PoolMember& member) {
    std::uint64_t hash =
        key ^ (std::uint64_t{static_cast<std::uint16_t>(member.source)} + 1) * 0x9e3779b97f4a7c15U;
    for (const std::uint64_t factor : {0xbf58476d1ce4e5b9U, 0x94d049bb133111ebU}) {
        hash = (hash ^ hash >> 30) * factor;
        hash ^= hash >> 31;
    }
    const double share = (static_cast<double>(hash >> 11) + 1) / 9007199254740993.0;  // (0, 1]
    return -std::log(share) / member.weight;
}

}  // namespace relay
