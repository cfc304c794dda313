// TenantPolicy: what a table [[tenant]] says about the mail of one tenant. TenantPolicies: all of
// them, by name; a tenant without a table has the one named "default", and mail of no tenant too.
// Pure values: made when a configuration is read, immutable from then on, shared by all shards.
// of() is a look-up by name: for messages, deferrals and queues that begin, not for each recipient
// of a queue. Limit: as many as there are tables.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/base/units.h"
#include "relay/message/bounce_policy.h"
#include "relay/message/priority.h"

namespace relay {

inline constexpr std::string_view kDefaultTenant = "default";

struct TenantPolicy {
    static constexpr unsigned kMaxWeight = 1000;

    std::string name;
    unsigned weight = 1;                          // share inside each path; 1 to kMaxWeight
    Priority priority = Priority::normal;         // of mail that asks for none
    std::string pool;                             // egress pool; empty: as routes say
    std::optional<core::Rate> max_message_rate;   // none: no limit of its own
    std::vector<core::Duration> retry_intervals;  // empty: as the destination or [retry] says
    std::optional<BouncePolicy> bounces;          // none: as the listener says
    bool suppression = false;                     // keep and obey a suppression list
    std::string return_domain;                    // empty: none
};

class TenantPolicies {
  public:
    explicit TenantPolicies(std::vector<TenantPolicy> tables);
    TenantPolicies(const TenantPolicies&) = delete;
    TenantPolicies& operator=(const TenantPolicies&) = delete;

    // Of a configuration without tables.
    static const std::shared_ptr<const TenantPolicies>& none();

    const TenantPolicy& of(std::string_view tenant) const {
        if (tables_.empty()) return without_;
        const auto found = by_name_.find(tenant);
        return found == by_name_.end() ? *default_ : *found->second;
    }
    // One of them has a rate.
    bool limit_rates() const { return limit_rates_; }
    // In the order of the file.
    const std::vector<TenantPolicy>& tables() const { return tables_; }

  private:
    const std::vector<TenantPolicy> tables_;
    const TenantPolicy without_{};
    const TenantPolicy* default_ = &without_;
    bool limit_rates_ = false;
    std::unordered_map<std::string_view, const TenantPolicy*> by_name_;
};

}  // namespace relay
