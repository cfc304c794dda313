// SimReports: takes the TLS reports that are posted over HTTPS, or refuses them, after a virtual
// delay; writes down all of them. For one world, may change while it runs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/runtime/event.h"
#include "relay/reporting/report_door.h"
#include "tests/sim/sim_world.h"

namespace sim {

class SimReports final : public relay::ReportDoor {
  public:
    struct Posted {
        std::string url;
        std::string file;
        core::WallTime when{};
        bool taken = false;
    };

    explicit SimReports(SimWorld& world) : world_(world) {}

    core::Task<std::string> post(relay::HttpsUrl url, std::string file) override {
        core::Event never(world_.shard().reactor());
        co_await never.wait(world_.shard().now() + delay);
        posted.push_back(
            {url.to_string(), std::move(file), world_.shard().wall(), refusal.empty()});
        co_return refusal;
    }

    std::string refusal;  // empty: it is taken
    core::Duration delay = std::chrono::milliseconds{200};
    std::vector<Posted> posted;

  private:
    SimWorld& world_;
};

}  // namespace sim
