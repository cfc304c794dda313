// SourceChoice: by which egress source a recipient goes, of the pool of its mail: the one that it
// had before while that can be used (a greylist wants to see the same address again), or else the
// nearest of those that can (relay/egress/plan.h). Recipients of a message to one site go by the
// same source, so that they share a transaction; a message for more than kTogether spreads.
// A source that could not be used rests for kRest. Owned by the Router, on its shard: each shard
// learns of such a source by the first recipient that comes back.
// Limits: one entry for each number of the plan.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "core/base/time.h"
#include "relay/egress/plan.h"
#include "relay/message/message.h"
#include "relay/routing/site.h"

namespace relay {

class SourceChoice {
  public:
    static constexpr core::Duration kRest = std::chrono::minutes{1};
    // A source without a way to the hosts of a site: their addresses may change.
    static constexpr core::Duration kUnfit = std::chrono::minutes{10};
    static constexpr std::uint32_t kTogether = 100;  // recipients of a message, by their index

    // What the choice depends on beside the pool.
    static std::uint64_t key_of(const Recipient& recipient, const Site& site);

    bool rests(SourceId source, core::Instant now) const;
    // True: it did not rest before.
    bool rest(SourceId source, core::Instant now);

    // usable: of a source that does not rest, whether it may be used for this site.
    template <typename Usable>
    const PoolMember* choose_for(const Recipient& recipient, const Site& site,
                                 const SourcePool& pool, core::Instant now,
                                 const Usable& usable) const {
        const auto fits = [&](SourceId source) { return !rests(source, now) && usable(source); };
        if (recipient.source != SourceId::any) {
            for (const PoolMember& member : pool.members) {
                if (member.source == recipient.source && fits(member.source)) return &member;
            }
        }
        return choose(pool, key_of(recipient, site), fits);
    }

  private:
    std::vector<core::Instant> rest_until_;  // by number; none: none rests
};

}  // namespace relay
