// Dispatcher: the delivering side of one shard. It takes recipients whose path has its home or a
// lane here, and keeps the paths. One per shard, on its thread. Paths that share their limits with
// other shards (sharing.h) report or look every kRenewEvery; a shard that hands much mail to the
// home of a path opens a lane. Paths without recipients and connections are
// forgotten after kForgetAfter, and with them what was learned about their servers; after
// kForgetSoon while there are more than EgressOptions::many_paths, as with a list of a million
// small domains. A sweep, a reload and the end walk through the paths in slices. Limit: one path
// per site that has recipients, had some within that time, or pauses.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/striped_map.h"
#include "core/runtime/task_group.h"
#include "core/runtime/timer_set.h"
#include "relay/delivery/egress_context.h"
#include "relay/path/path.h"
#include "relay/path/provider_limits.h"
#include "relay/path/shared_rates.h"

namespace relay {

class Dispatcher final : public PathEnd {
  public:
    static constexpr core::Duration kForgetAfter = std::chrono::hours{1};
    static constexpr core::Duration kForgetSoon = std::chrono::minutes{1};
    static constexpr core::Duration kSweepEvery = std::chrono::minutes{1};
    static constexpr core::Duration kRenewEvery = std::chrono::milliseconds{50};
    static constexpr std::size_t kRenewedAtOnce = 64;
    static constexpr unsigned kRenewSeldom = 20;  // times that, for a lane with nothing to say
    // In one step; with ten thousand routes to look through for each.
    static constexpr std::size_t kAdoptedAtOnce = 32;

    static constexpr std::size_t kStripesAtOnce = 16;

    explicit Dispatcher(EgressContext context);
    ~Dispatcher() override;

    // PathEnd: a recipient is ready; one that a path sent to be prepared comes back to it.
    void take(Recipient& recipient) override;
    void prepared(Recipient& recipient) override;
    bool take_by_lane(Recipient& recipient) override;
    LaneTerms renew(const SiteFacts& site, std::size_t shard, const LaneReport& report) override;
    void recall(const PathKey& path) override;
    SharedRates& rates() override { return rates_; }
    // A reload: every path adopts it, in slices, and paths that are made from sites of before.
    void use(std::shared_ptr<const CheckedConfig> checked);
    // Orders in force from now on: every path obeys them, in slices.
    void use_orders(std::shared_ptr<const OrderSet> orders);
    // What is in force at the start. Before anything else, where there is automation.
    void begin_with(std::shared_ptr<const CheckedConfig> checked) { checked_ = std::move(checked); }
    // What an operator sees: the paths of this shard with the most mail that have any, or
    // connections; in slices. view_of: those of these that are here.
    core::Task<PathsView> view(std::size_t most);
    PathsView view_of(const std::vector<PathKey>& keys);
    core::Task<void> close(core::Instant deadline);
    // What its paths and hosts learned that outlives the process, as lines; nothing when it closes.
    core::Task<std::optional<std::string>> learned();

    std::size_t shard() const { return context_.shard.id(); }
    std::size_t paths() const { return paths_.size(); }

  private:
    using Paths = core::StripedMap<std::unique_ptr<Path>, PathKey, PathKeyHash>;

    // Goes through the stripes of the table, some in each turn.
    class Walk final : public core::Timer {
      public:
        Walk(Dispatcher& dispatcher, void (Dispatcher::*step)(Walk&))
            : dispatcher_(dispatcher), step_(step) {}
        void expire() override { (dispatcher_.*step_)(*this); }

        std::size_t stripe = 0;  // comes next

      private:
        Dispatcher& dispatcher_;
        void (Dispatcher::*step_)(Walk&);
    };

    class RenewTimer final : public core::Timer {
      public:
        explicit RenewTimer(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
        void expire() override { dispatcher_.renew_some(); }

      private:
        Dispatcher& dispatcher_;
    };

    bool accepts(Recipient& recipient);
    Path& path_of(const SiteFacts& site, Path::Role role);
    // It shares its limits from now on.
    void join(Path& path);
    void renew_some();
    void begin_renewal(Path& path);
    core::Task<void> renew_lane(Path* path);
    void sweep(Walk& walk);
    void adopt(Walk& walk);
    void obey(Walk& walk);
    void heed_actions(Walk& walk);
    void arm(Walk& walk, core::Instant when);

    std::optional<core::ShardLog> log_;
    ProviderLimits providers_;
    SharedRates rates_;
    EgressContext context_;
    Paths paths_;
    std::shared_ptr<const CheckedConfig> checked_;  // null: as of the start
    Walk sweep_{*this, &Dispatcher::sweep};
    Walk adoption_{*this, &Dispatcher::adopt};
    Walk obedience_{*this, &Dispatcher::obey};
    Walk heeding_{*this, &Dispatcher::heed_actions};
    std::size_t unheeded_ = 0;  // stripes whose paths have not heard of the last change
    bool acted_ = false;        // automation has changed something
    std::vector<Path*> sharing_;
    std::size_t renewed_ = 0;  // of sharing_, in this round
    unsigned renewal_round_ = 0;
    RenewTimer renewal_{*this};
    core::TaskGroup renewals_;
    bool closed_ = false;
};

}  // namespace relay
