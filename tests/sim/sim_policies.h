// SimPolicies: MTA-STS policy files from a table, after a virtual delay; shared by all shards of a
// world, may change while it runs. A domain that is not there cannot be fetched.
#pragma once

#include <map>
#include <string>

#include "core/runtime/event.h"
#include "relay/security/policy_source.h"
#include "tests/sim/sim_world.h"

namespace sim {

class SimPolicies final : public relay::PolicySource {
  public:
    explicit SimPolicies(SimWorld& world) : world_(world) {}

    core::Task<relay::FetchedPolicy> fetch(std::string domain) override {
        ++fetches;
        core::Event never(world_.shard().reactor());
        co_await never.wait(world_.shard().now() + delay);
        const auto found = files.find(domain);
        if (found == files.end()) {
            co_return relay::FetchedPolicy{relay::FetchFault::fetch, {}, "HTTP status 404"};
        }
        co_return relay::FetchedPolicy{relay::FetchFault::none, found->second, {}};
    }

    std::map<std::string, std::string> files;
    core::Duration delay = std::chrono::milliseconds{200};
    std::size_t fetches = 0;

  private:
    SimWorld& world_;
};

}  // namespace sim
