#include "tests/sim/sim_world.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace sim {

namespace {

// 2026-01-01T00:00:00Z: a wall time like those of production, the same in every run.
constexpr core::WallTime kEpoch{std::chrono::seconds{1'767'225'600}};
// Rounds at one moment of virtual time after which the code under test is spinning.
constexpr int kSpinLimit = 1'000'000;

core::Task<void> finish_flag(core::Task<void> task, bool& done) {
    co_await task;
    done = true;
}

}  // namespace

SimWorld::SimWorld(std::uint64_t seed, WorldOptions options)
    : seed_(seed),
      clock_(kEpoch + options.later),
      prng_(seed ^ 0x5157),
      network_(clock_, seed),
      inside_mail_(options.shards),
      outside_mail_(1) {
    PH_ASSERT(options.shards > 0);
    for (std::size_t i = 0; i < options.shards; ++i)
        add_place(inside_mail_, i, options.backend);
    BackendOptions peers;
    peers.address = core::IpAddress::v4(0xc0000201);  // 192.0.2.1
    add_place(outside_mail_, 0, peers);
}

SimWorld::~SimWorld() {
    if (const std::size_t left = running_tasks(); left > 0) {
        std::fprintf(stderr, "SimWorld: seed %llu ends with %zu tasks running\n",
                     static_cast<unsigned long long>(seed_), left);
    }
    PH_ASSERT(running_tasks() == 0);
}

void SimWorld::add_place(core::Mailroom& mailroom, std::size_t id, const BackendOptions& options) {
    Place place;
    place.backend = std::make_unique<SimBackend>(network_, options);
    place.shard = std::make_unique<core::Shard>(id, clock_, *place.backend, mailroom,
                                                seed_ * 31 + places_.size());
    place.tasks = std::make_unique<core::TaskGroup>(place.shard->reactor());
    places_.push_back(std::move(place));
}

SimBackend& SimWorld::backend(core::Shard& shard) {
    const auto found =
        std::ranges::find(places_, &shard, [](const Place& place) { return place.shard.get(); });
    PH_ASSERT(found != places_.end());
    return *found->backend;
}

void SimWorld::spawn(core::Shard& shard, core::Task<void> task) {
    const auto found =
        std::ranges::find(places_, &shard, [](const Place& place) { return place.shard.get(); });
    PH_ASSERT(found != places_.end());
    const bool started = found->tasks->spawn(std::move(task));
    PH_ASSERT(started);
}

std::size_t SimWorld::running_tasks() const {
    std::size_t count = 0;
    for (const Place& place : places_)
        count += place.tasks->running();
    return count;
}

bool SimWorld::round() {
    std::vector<std::size_t> order(places_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::shuffle(order, network_.prng());
    bool worked = false;
    network_.run_due();
    for (const std::size_t index : order) {
        worked |= places_[index].shard->reactor().turn(false);
        worked |= places_[index].backend->has_work();
    }
    return worked;
}

core::Instant SimWorld::next_moment() {
    core::Instant next = network_.next_event();
    for (Place& place : places_) {
        next = std::min(next, place.shard->reactor().timers().next());
    }
    return next;
}

bool SimWorld::run_until(const std::function<bool()>& predicate, core::Duration limit) {
    const core::Instant end = clock_.now() + limit;
    int spins = 0;
    while (!predicate()) {
        if (++spins > kSpinLimit) {
            std::fprintf(stderr, "SimWorld: seed %llu spins without time passing\n",
                         static_cast<unsigned long long>(seed_));
            PH_ASSERT(spins <= kSpinLimit);
        }
        if (round()) continue;
        if (predicate()) break;
        // The reactors took their time before this round: a timer may be due at the clock's time.
        const core::Instant next = next_moment();
        if (next <= clock_.now()) continue;
        if (next == core::kNever || next > end) {
            clock_.advance_to(end);
            return false;
        }
        clock_.advance_to(next);
        spins = 0;
    }
    return true;
}

bool SimWorld::run(core::Shard& shard, core::Task<void> task, core::Duration limit) {
    bool done = false;
    spawn(shard, finish_flag(std::move(task), done));
    return run_until([&done] { return done; }, limit);
}

void SimWorld::run_for(core::Duration span) {
    run_until([] { return false; }, span);
}

}  // namespace sim
