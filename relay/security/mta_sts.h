// MtaSts: which MTA-STS policy counts for a domain now (RFC 8461). One per shard, over the node's
// StsStore, the shard's resolver and a PolicySource. The Router asks when it learns the hosts of a
// domain, and anew when those answers end.
//
//   no policy, a policy is announced       it is fetched, and the mail waits for that
//   a policy, the same id                  it counts; a day after it was fetched, again meanwhile
//   a policy, another id                   the old one counts while the new one is fetched
//   a policy, DNS silent, broken or empty  it counts until its max_age has passed (section 5.1)
//   nothing, and it cannot be fetched      none; the same id is tried again after kRetryAfter
//
// Limits: kMostFetches at once, further ones wait in order; a fetch of a domain is not begun twice
// on a shard. close() before the resolver and the source; it waits for what is being fetched.
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
};

class MtaSts {
  public:
    static constexpr std::size_t kMostFetches = 32;
    static constexpr std::chrono::seconds kRetryAfter{300};  // section 3.3
    static constexpr std::chrono::seconds kRefreshAfter = std::chrono::days{1};

    MtaSts(core::Shard& shard, dns::Resolver& resolver, PolicySource& source, StsStore& store);

    // domain: of the recipient, a normal name.
    core::Task<StsFinding> policy_for(std::string domain);
    core::Task<void> close();

  private:
    core::Task<void> fetch(std::string domain, std::string id);
    core::Task<void> refresh(std::string domain, std::string id);

    core::Shard& shard_;
    dns::Resolver& resolver_;
    PolicySource& source_;
    StsStore& store_;
    std::set<std::string> refreshing_;
    core::Places fetches_;
    core::TaskGroup tasks_;
};

}  // namespace relay
