// MtaSts: which MTA-STS policy counts for a domain now (RFC 8461). One per shard, over the node's
// StsStore, the shard's resolver and a PolicySource. The Router asks when it learns the hosts of a
// domain, and again when those answers end.
//
//   no policy, a policy is announced       it is fetched, and the mail waits for that
//   a policy, the same id                  it counts; a day after it was fetched, again meanwhile
//   a policy, another id                   the old one counts while the new one is fetched
//   a policy, DNS silent, broken or empty  it counts until its max_age has passed (section 5.1)
//   nothing, and it cannot be fetched      none; the same id is tried again after kRetryAfter
//
// Policy hosts that are silent keep no others waiting: a fetch has kBriefTime at first, and one
// that takes longer begins again among the slow ones, with kFullTime. Limits: kMostFetches at once
// and kMostSlow slow ones, kMostWaiting and kMostSlowWaiting wait in order; beyond that the finding
// is `busy`, and mail must wait: it must not go without a policy that there may be. A fetch of a
// domain is not begun twice on a shard. close() before the resolver and the source; it waits for
// what is being fetched.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <string>

#include "core/io/shard.h"
#include "core/runtime/places.h"
#include "core/runtime/task_group.h"
#include "dns/resolver.h"
#include "relay/security/policy_source.h"
#include "relay/security/sts_store.h"

namespace relay {

struct StsFinding {
    std::shared_ptr<const StsPolicy> policy;  // null: none
    std::chrono::seconds ttl{0};              // ask again after it
    bool asked = false;
    bool busy = false;  // one is announced, and too many are being fetched
};

class MtaSts {
  public:
    static constexpr std::size_t kMostFetches = 128;
    static constexpr std::size_t kMostWaiting = 2048;
    static constexpr std::size_t kMostSlow = 32;
    static constexpr std::size_t kMostSlowWaiting = 256;
    static constexpr std::chrono::seconds kBriefTime{2};
    static constexpr std::chrono::seconds kFullTime{60};
    static constexpr std::chrono::seconds kRetryAfter{300};  // section 3.3
    static constexpr std::chrono::seconds kRefreshAfter = std::chrono::days{1};

    MtaSts(core::Shard& shard, dns::Resolver& resolver, PolicySource& source, StsStore& store);

    // domain: of the recipient, a normal name.
    core::Task<StsFinding> policy_for(std::string domain);
    core::Task<void> close();

  private:
    struct Lane {
        Lane(core::Reactor& reactor, std::size_t most, std::size_t waiting)
            : places(reactor, most), most_waiting(waiting) {}
        core::Places places;
        const std::size_t most_waiting;
        std::size_t waiting = 0;
    };

    // False: too many are being fetched; nothing was learned.
    core::Task<bool> fetch(std::string domain, std::string id);
    core::Task<bool> fetch_in(Lane* lane, std::string domain, PolicyHost host, core::Duration time,
                              FetchedPolicy* fetched);
    void learn(const std::string& domain, std::string id, FetchedPolicy fetched);
    core::Task<void> refresh(std::string domain, std::string id);

    core::Shard& shard_;
    dns::Resolver& resolver_;
    PolicySource& source_;
    StsStore& store_;
    std::set<std::string> refreshing_;
    Lane fast_;
    Lane slow_;
    core::TaskGroup tasks_;
};

}  // namespace relay
