#include "core/io/runtime.h"

#include <atomic>
#include <cmath>
#include <csignal>
#include <fstream>
#include <latch>
#include <mutex>
#include <random>
#include <thread>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/io/preflight.h"
#include "core/io/uring_backend.h"
#include "core/runtime/task_group.h"

namespace core {

namespace {

std::vector<int> allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        for (int i = 0; i < CPU_SETSIZE; ++i) {
            if (CPU_ISSET(i, &set)) cpus.push_back(i);
        }
    }
    if (cpus.empty()) cpus.push_back(0);
    return cpus;
}

// CPUs' worth of quota of this cgroup (version 2 or 1), or a large number without one.
double cgroup_quota() {
    std::ifstream v2("/sys/fs/cgroup/cpu.max");
    std::string quota;
    double period = 0;
    if (v2 >> quota >> period && quota != "max" && period > 0) return std::stod(quota) / period;
    std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    double value = 0;
    if (v1_quota >> value && v1_period >> period && value > 0 && period > 0) return value / period;
    return 1e9;
}

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);  // a wish, not a need
}

sigset_t make_set(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals)
        sigaddset(&set, signal);
    return set;
}

// What the shards' threads share while they start and stop.
struct Together {
    explicit Together(std::size_t shards)
        : mailroom(shards),
          reactors(shards, nullptr),
          built(static_cast<std::ptrdiff_t>(shards)),
          stopped(static_cast<std::ptrdiff_t>(shards)),
          running(shards) {}
    Mailroom mailroom;
    std::vector<Reactor*> reactors;  // each written by its thread before the latch
    std::latch built;
    std::latch stopped;  // no ring is taken down while another shard may still wake it
    std::atomic<std::size_t> running;
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::string error;
};

// Runs a shard's main; the last one to finish stops all loops, so that letters between shards are
// opened until nobody can send any more.
Task<void> run_and_leave(Together& together, Shard& shard,
                         std::function<Task<void>(Shard&)> shard_main) {
    co_await shard_main(shard);
    if (together.running.fetch_sub(1) == 1) {
        for (std::size_t i = 0; i < shard.count(); ++i) {
            const auto stop = [](void* reactor, void*) { static_cast<Reactor*>(reactor)->stop(); };
            together.mailroom.post_from_outside(i, {stop, together.reactors[i], nullptr});
        }
    }
}

}  // namespace

std::size_t available_cpus() {
    const auto cpus = static_cast<double>(allowed_cpus().size());
    return static_cast<std::size_t>(std::max(1.0, std::min(cpus, std::ceil(cgroup_quota()))));
}

namespace {

void run_shard(Together& together, const RuntimeOptions& options, std::size_t id,
               const std::function<Task<void>(Shard&)>& shard_main) {
    const SystemClock clock;
    UringOptions ring;
    ring.receive_buffers = options.receive_buffers;
    ring.receive_buffer_size = options.receive_buffer_size;
    auto backend = UringBackend::create(ring, clock);
    if (!backend) {
        const std::scoped_lock lock(together.mutex);
        together.error = explain_io_uring_error(backend.error().value());
        together.failed = true;
        together.built.arrive_and_wait();
        return;
    }
    const std::uint64_t seed = options.seed != 0 ? options.seed + id : std::random_device{}();
    Shard shard(id, clock, **backend, together.mailroom, seed, options.descriptors);
    together.reactors[id] = &shard.reactor();
    together.built.arrive_and_wait();
    if (together.failed) return;
    TaskGroup root(shard.reactor());
    root.spawn(run_and_leave(together, shard, shard_main));
    shard.reactor().run();
    together.stopped.arrive_and_wait();
}

}  // namespace

Result<void> Runtime::run(std::function<Task<void>(Shard&)> shard_main) {
    Together together(options_.shards);
    const std::vector<int> cpus = allowed_cpus();
    std::vector<std::jthread> threads;
    for (std::size_t id = 0; id < options_.shards; ++id) {
        threads.emplace_back([&together, &shard_main, &cpus, id, this] {
            if (options_.pin_threads) pin_to(cpus[id % cpus.size()]);
            run_shard(together, options_, id, shard_main);
        });
    }
    threads.clear();  // joins
    if (together.failed) return failure(together.error);
    return {};
}

void block_signals(std::initializer_list<int> signals) {
    const sigset_t set = make_set(signals);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

// The pending poll of the signalfd and the coroutine that waits for it.
class SignalSource::Poll final : public Operation {
  public:
    explicit Poll(Reactor& reactor) : happened(reactor) {}
    Event happened;
    bool stopped = false;

  private:
    void complete(const Completion&) override { happened.notify_all(); }
};

SignalSource::SignalSource(Shard& shard, std::initializer_list<int> signals)
    : shard_(shard), poll_(std::make_unique<Poll>(shard.reactor())) {
    const sigset_t set = make_set(signals);
    fd_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    PH_ASSERT(fd_ >= 0);
}

SignalSource::~SignalSource() {
    ::close(fd_);
}

Task<int> SignalSource::next() {
    while (!poll_->stopped) {
        signalfd_siginfo info{};
        if (::read(fd_, &info, sizeof info) == sizeof info) {
            co_return static_cast<int>(info.ssi_signo);
        }
        if (!poll_->in_flight()) shard_.io().start_poll(fd_, POLLIN, *poll_);
        co_await poll_->happened.wait();
    }
    while (poll_->in_flight())
        co_await poll_->happened.wait();
    co_return 0;
}

void SignalSource::stop() {
    poll_->stopped = true;
    shard_.io().cancel(*poll_);
    poll_->happened.notify_all();
}

}  // namespace core
