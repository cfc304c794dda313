// Dispatcher: the delivering side of one shard. It takes recipients whose path has its home here
// and keeps the paths. One per shard, on its thread. Paths without recipients and connections are
// forgotten after kForgetAfter, and with them what was learned about their servers; after
// kForgetSoon while there are more than EgressOptions::many_paths, as with a list of a million
// small domains. Limit: one path per site that has recipients, had some within that time, or
// pauses.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "core/runtime/timer_set.h"
#include "relay/egress/egress_context.h"
#include "relay/egress/path.h"

namespace relay {

class Dispatcher final : public RecipientTaker {
  public:
    static constexpr core::Duration kForgetAfter = std::chrono::hours{1};
    static constexpr core::Duration kForgetSoon = std::chrono::minutes{1};
    static constexpr core::Duration kSweepEvery = std::chrono::minutes{1};

    explicit Dispatcher(EgressContext context);
    ~Dispatcher() override;

    void take(Recipient& recipient) override;
    // A reload: every path adopts it, and paths that are made from sites of before.
    void use(std::shared_ptr<const CheckedConfig> checked);
    core::Task<void> close(core::Instant deadline);

    std::size_t paths() const { return paths_.size(); }
    // Connections and ready recipients of a site; for tests and the admin API. Null: no such path.
    Path* find(const std::string& site);

  private:
    class Sweep final : public core::Timer {
      public:
        explicit Sweep(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
        void expire() override { dispatcher_.sweep(); }

      private:
        Dispatcher& dispatcher_;
    };

    void sweep();

    EgressContext context_;
    std::unordered_map<std::string, std::unique_ptr<Path>> paths_;  // by site name
    std::shared_ptr<const CheckedConfig> checked_;                  // null: as of the start
    Sweep sweep_;
    bool closed_ = false;
};

}  // namespace relay
