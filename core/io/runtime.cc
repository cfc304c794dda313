#include "core/io/runtime.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <csignal>
#include <latch>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <pthread.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/base/text_file.h"
#include "core/io/epoll_backend.h"
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
    constexpr double kNone = 1e9;
    const auto ratio = [](std::string_view quota, std::string_view period) {
        std::int64_t used = 0;
        std::int64_t whole = 0;
        const auto read = [](std::string_view text, std::int64_t& out) {
            return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc{};
        };
        const bool sound = read(quota, used) && read(period, whole) && used > 0 && whole > 0;
        return sound ? static_cast<double>(used) / static_cast<double>(whole) : kNone;
    };
    constexpr std::size_t kMostOctets = 256;
    if (const auto v2 = read_text_file("/sys/fs/cgroup/cpu.max", kMostOctets)) {
        const std::size_t space = std::min(v2->find(' '), v2->size());
        return ratio(std::string_view(*v2).substr(0, space),
                     trim(std::string_view(*v2).substr(space)));
    }
    const auto quota = read_text_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", kMostOctets);
    const auto period = read_text_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", kMostOctets);
    return quota && period ? ratio(*quota, *period) : kNone;
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
    co_await shard.stop_answering();
    if (together.running.fetch_sub(1) == 1) {
        for (std::size_t i = 0; i < shard.count(); ++i) {
            Reactor* const reactor = together.reactors[i];
            together.mailroom.post_from_outside(i, Letter::of([reactor] { reactor->stop(); }));
        }
    }
}

}  // namespace

std::size_t available_cpus() {
    const auto cpus = static_cast<double>(allowed_cpus().size());
    return static_cast<std::size_t>(std::max(1.0, std::min(cpus, std::ceil(cgroup_quota()))));
}

namespace {

// Or why there is none, as a sentence.
Result<std::unique_ptr<IoBackend>> make_backend(const RuntimeOptions& options, const Clock& clock) {
    if (options.engine == Engine::epoll) {
        auto made = EpollBackend::create({.receive_buffers = options.receive_buffers,
                                          .receive_buffer_size = options.receive_buffer_size},
                                         clock);
        if (!made) return failure("cannot set up epoll: " + made.error().message());
        return std::move(*made);
    }
    UringOptions ring;
    ring.receive_buffers = options.receive_buffers;
    ring.receive_buffer_size = options.receive_buffer_size;
    auto made = UringBackend::create(ring, clock);
    if (!made) return failure(explain_io_uring_error(made.error().value()));
    return std::move(*made);
}

void run_shard(Together& together, const RuntimeOptions& options, std::size_t id,
               const std::function<Task<void>(Shard&)>& shard_main) {
    const SystemClock clock;
    auto backend = make_backend(options, clock);
    if (!backend) {
        const std::scoped_lock lock(together.mutex);
        together.error = backend.error();
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
        try {
            threads.emplace_back([&together, &shard_main, &cpus, id, this] {
                if (options_.pin_threads) pin_to(cpus[id % cpus.size()]);
                run_shard(together, options_, id, shard_main);
            });
        } catch (const std::system_error& error) {
            const std::scoped_lock lock(together.mutex);
            together.error =
                "no thread for shard " + std::to_string(id) + ": " + error.code().message();
            together.failed = true;
            // Those that run wait for all.
            together.built.count_down(static_cast<std::ptrdiff_t>(options_.shards - id));
            break;
        }
    }
    threads.clear();  // joins
    if (together.failed) return failure(together.error);
    return {};
}

void block_signals(std::initializer_list<int> signals) {
    const sigset_t set = make_set(signals);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalSource::SignalSource(Shard& shard, std::initializer_list<int> signals) : poll_(shard) {
    const sigset_t set = make_set(signals);
    fd_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    PH_ASSERT(fd_ >= 0);
}

SignalSource::~SignalSource() {
    ::close(fd_);
}

Task<int> SignalSource::next() {
    while (!poll_.stopped()) {
        signalfd_siginfo info{};
        if (::read(fd_, &info, sizeof info) == sizeof info) {
            co_return static_cast<int>(info.ssi_signo);
        }
        co_await poll_.readable(fd_);
    }
    co_return 0;
}

}  // namespace core
