// EgressPlan: the egress sources of a configuration by number, and its pools. Made when a
// configuration is checked, immutable from then on, shared by all shards. Numbers are process-wide:
// the plan of a reload continues that of before, so a source keeps its number as long as the
// process lives, and so do the paths that it is a part of. A source that is gone keeps its number
// and its name, and is in no pool. Pure.
// Which source of a pool takes a mail is decided by weighted rendezvous hashing
// (docs/decisions/0067): the same key goes by the same source, whatever the shard and after a
// restart, and a source that cannot be used leaves its share to the others without moving theirs.
// Limits: those of relay/egress/source.h; kMostNumbers names since the start of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/egress/source.h"
#include "relay/message/source_id.h"

namespace relay {

struct PoolMember {
    SourceId source = SourceId::any;
    std::uint32_t weight = 1;
};

// A pool as mail meets it: no member has weight 0.
struct SourcePool {
    std::string name;
    std::vector<PoolMember> members;

    bool has(SourceId source) const;
};

class EgressPlan {
  public:
    static constexpr std::size_t kMostNumbers = 60'000;
    static constexpr std::string_view kDefault = "default";  // source and pool

    // One source "default" without an address, in a pool of the same name.
    EgressPlan();
    // Every source that a pool names is there. before: the plan that this one replaces, or null.
    EgressPlan(const std::vector<EgressSource>& sources, const std::vector<EgressPool>& pools,
               const EgressPlan* before);

    // Null: the machine's choice of address and the node's name, or a source that is gone.
    const std::shared_ptr<const EgressSource>& source(SourceId id) const;
    std::string_view name_of(SourceId id) const;
    std::size_t numbers() const { return names_.size(); }
    // Null: there is no such pool.
    const SourcePool* pool(std::string_view name) const;
    // Of mail that no other pool is named for: the pool "default", or the source of that name.
    const SourcePool& fallback() const { return *fallback_; }
    const std::vector<SourcePool>& pools() const { return pools_; }
    // Nothing but the source "default", without an address: there is nothing to choose.
    bool is_plain() const { return plain_; }

  private:
    SourceId number_of(std::string_view name) const;

    std::vector<std::string> names_;  // by number
    std::vector<std::shared_ptr<const EgressSource>> sources_;
    std::vector<SourcePool> pools_;
    std::shared_ptr<const SourcePool> fallback_;
    bool plain_ = true;
};

// How far the source is from the key; the nearest one takes it. The heavier, the nearer.
double distance(std::uint64_t key, const PoolMember& member);

// The member that takes the key, of those that usable() lets through; null: none.
template <typename Usable>
const PoolMember* choose(const SourcePool& pool, std::uint64_t key, const Usable& usable) {
    const PoolMember* nearest = nullptr;
    double least = 0;
    for (const PoolMember& member : pool.members) {
        const double far = pool.members.size() == 1 ? 0 : distance(key, member);
        if ((nearest != nullptr && far >= least) || !usable(member.source)) continue;
        nearest = &member;
        least = far;
    }
    return nearest;
}

}  // namespace relay
