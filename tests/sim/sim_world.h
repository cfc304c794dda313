// SimWorld: a whole deployment on one thread and one virtual clock. N shards of the program under
// test share a real Mailroom; one more shard, outside(), with a Mailroom of its own, carries the
// peers. The same seed gives the same run: trace_hash() proves it. run_until() steps the shards in
// an order drawn again each round; when none has work it moves the clock to the next timer or
// network event. Every task is spawned here and must have ended when the world does (asserted, with
// the seed).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/io/shard.h"
#include "core/runtime/task.h"
#include "core/runtime/task_group.h"
#include "tests/sim/sim_backend.h"
#include "tests/sim/sim_network.h"

namespace sim {

struct WorldOptions {
    std::size_t shards = 1;
    BackendOptions backend{};
    core::Duration later{};  // wall time at the beginning: so long after that of other worlds
};

class SimWorld {
  public:
    explicit SimWorld(std::uint64_t seed, WorldOptions options = {});
    ~SimWorld();
    SimWorld(const SimWorld&) = delete;
    SimWorld& operator=(const SimWorld&) = delete;

    std::uint64_t seed() const { return seed_; }
    core::VirtualClock& clock() { return clock_; }
    SimNetwork& network() { return network_; }
    core::Prng& prng() { return prng_; }  // for the test's own draws
    std::size_t shards() const { return places_.size() - 1; }
    core::Shard& shard(std::size_t index = 0) { return *places_.at(index).shard; }
    core::Shard& outside() { return *places_.back().shard; }
    SimBackend& backend(core::Shard& shard);

    void spawn(core::Shard& shard, core::Task<void> task);
    // Runs until the predicate holds. False when the limit passes or nothing can happen any more.
    bool run_until(const std::function<bool()>& predicate,
                   core::Duration limit = std::chrono::hours{24 * 30});
    // Runs one task on a shard to its end; false as above.
    bool run(core::Shard& shard, core::Task<void> task,
             core::Duration limit = std::chrono::hours{24 * 30});
    // Lets time pass, and everything in it happen.
    void run_for(core::Duration span);
    std::size_t running_tasks() const;

    std::uint64_t trace_hash() const { return network_.trace_hash(); }
    core::Duration elapsed() const { return clock_.now().time_since_epoch(); }

  private:
    struct Place {
        std::unique_ptr<SimBackend> backend;
        std::unique_ptr<core::Shard> shard;
        std::unique_ptr<core::TaskGroup> tasks;
    };

    void add_place(core::Mailroom& mailroom, std::size_t id, const BackendOptions& options);
    bool round();
    core::Instant next_moment();

    std::uint64_t seed_;
    core::VirtualClock clock_;
    core::Prng prng_;
    SimNetwork network_;
    core::Mailroom inside_mail_;
    core::Mailroom outside_mail_;
    std::vector<Place> places_;  // the last is outside()
};

}  // namespace sim
