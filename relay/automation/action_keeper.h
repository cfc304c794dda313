// ActionKeeper: owns the actions of automation that run (RunningActions), on shard 0. It takes
// triggers of all shards, logs each action with its rule's file:line and the reply, sends every
// shard a new ActionSet when something changed (at most every kPublishApart), ends actions by their
// time, and keeps them in a file of data_dir, which is replaced as a whole after each change (at
// most every kKeptApart), so that a restart goes on with them. What a file of before says is read
// by the constructor, before any shard serves. Tenants, campaigns and bounces are the business of
// an ActionSink. Of the DeliverySide of shard 0. Limits: those of RunningActions.
#pragma once

#include <memory>
#include <string>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/shard_log.h"
#include "core/runtime/task_group.h"
#include "core/runtime/timer_set.h"
#include "metrics/shard_metrics.h"
#include "relay/automation/reactions.h"

namespace relay {

// Where orders about mail go: suspensions of tenants and campaigns, bounces. On shard 0.
class ActionSink {
  public:
    virtual ~ActionSink() = default;
    // One that began or was prolonged: it holds until `until`.
    virtual void order(const RunningAction& action) = 0;
};

struct AutomationParts {
    AutomationShards& shards;
    core::Disk* disk = nullptr;  // null: actions are not kept
    std::string file{};
    ActionSink* sink = nullptr;  // null: nobody takes orders about mail
};

class ActionKeeper {
  public:
    static constexpr core::Duration kPublishApart = std::chrono::milliseconds{100};
    static constexpr core::Duration kKeptApart = std::chrono::milliseconds{200};
    static constexpr std::size_t kMostFileOctets = 4U << 20;

    ActionKeeper(core::Shard& shard, metrics::ShardMetrics& metrics, AutomationParts parts);
    ~ActionKeeper();

    // After all shards are built.
    void start();
    // Nothing begins or ends any more, and nothing is told to other shards.
    void stop();
    // The file is as it should be, or cannot be.
    core::Task<void> close();

    void triggered(const RuleHit& hit);  // a letter
    // ---- for operators
    std::shared_ptr<const ActionSet> actions() const { return running_.snapshot(); }
    bool end(std::uint64_t number);

  private:
    class ChangeTimer final : public core::Timer {
      public:
        explicit ChangeTimer(ActionKeeper& keeper) : keeper_(keeper) {}
        void expire() override { keeper_.advance(); }

      private:
        ActionKeeper& keeper_;
    };

    void load();
    core::Task<void> keep();
    void log(const RuleHit& hit, std::size_t place, RunningActions::Taken taken,
             const RunningAction* action);
    void changed();
    void note_change();
    void advance();
    void publish();
    void arm();

    core::Shard& shard_;
    metrics::ShardMetrics& metrics_;
    AutomationParts parts_;
    RunningActions running_;
    std::uint64_t changes_ = 0;
    std::uint64_t kept_ = 0;  // of them, in the file
    bool keeping_ = false;
    bool unpublished_ = false;
    core::Instant published_{};
    core::ShardLog log_;
    core::Event stop_;
    core::TaskGroup tasks_;
    ChangeTimer timer_{*this};
};

}  // namespace relay
