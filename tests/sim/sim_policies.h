// SimPolicies: MTA-STS policy files from a table, after a virtual delay; shared by all shards of a
// world, may change while it runs. A domain that is not there cannot be fetched.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "core/runtime/event.h"
#include "relay/security/policy_source.h"
#include "tests/sim/sim_world.h"

namespace sim {

class SimPolicies final : public relay::PolicySource {
  public:
    explicit SimPolicies(SimWorld& world) : world_(world) {}

    core::Task<relay::PolicyHost> locate(std::string) override {
        co_return relay::PolicyHost{{core::IpAddress::v4(0xc6336401U)}, {}};
    }
    core::Task<relay::FetchedPolicy> fetch(std::string domain, relay::PolicyHost,
                                           core::Duration time) override {
        ++fetches;
        const bool silent = !silent_below.empty() && domain.ends_with(silent_below);
        core::Event never(world_.shard().reactor());
        co_await never.wait(world_.shard().now() + (silent ? time : std::min(delay, time)));
        if (silent || delay > time) {
            co_return relay::FetchedPolicy{relay::FetchFault::fetch, true, {}, "timed out"};
        }
        const auto found = files.find(domain);
        if (found == files.end()) {
            co_return relay::FetchedPolicy{relay::FetchFault::fetch, false, {}, "HTTP status 404"};
        }
        co_return relay::FetchedPolicy{relay::FetchFault::none, false, found->second, {}};
    }

    std::map<std::string, std::string> files;
    core::Duration delay = std::chrono::milliseconds{200};
    std::string silent_below;  // policy hosts of names with this end never answer
    std::size_t fetches = 0;

  private:
    SimWorld& world_;
};

}  // namespace sim
