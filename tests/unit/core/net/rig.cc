#include "tests/unit/core/net/rig.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "core/io/epoll_backend.h"
#include "core/io/uring_backend.h"
#include "core/runtime/task_group.h"
#include "tests/sim/sim_world.h"

namespace core::test {

namespace {

Task<void> run_then_stop(Task<void> task, Reactor& reactor) {
    co_await task;
    reactor.stop();
}

std::unique_ptr<IoBackend> make_backend(const std::string& kind, const RigOptions& options,
                                        const Clock& clock) {
    if (kind == "epoll") {
        auto made =
            EpollBackend::create({options.receive_buffers, options.receive_buffer_size}, clock);
        PH_ASSERT(made.has_value());
        return std::move(*made);
    }
    auto made = UringBackend::create({.submission_entries = 64,
                                      .completion_entries = 256,
                                      .receive_buffers = options.receive_buffers,
                                      .receive_buffer_size = options.receive_buffer_size},
                                     clock);
    PH_ASSERT(made.has_value());
    return std::move(*made);
}

class KernelRig final : public Rig {
  public:
    KernelRig(const std::string& kind, const RigOptions& options)
        : backend_(make_backend(kind, options, clock_)),
          shard_(std::make_unique<Shard>(0, clock_, *backend_, mailroom_, 1)) {}
    Shard& shard() override { return *shard_; }
    void run(Task<void> task) override {
        TaskGroup group(shard_->reactor());
        group.spawn(run_then_stop(std::move(task), shard_->reactor()));
        shard_->reactor().run();
    }
    void half_close(Handle handle) override { ::shutdown(handle, SHUT_WR); }

  private:
    SystemClock clock_;
    Mailroom mailroom_{1};
    std::unique_ptr<IoBackend> backend_;
    std::unique_ptr<Shard> shard_;
};

class SimRig final : public Rig {
  public:
    SimRig(const RigOptions& options, bool ragged) : world_(7, world_options(options)) {
        world_.network().set_planner([ragged](const sim::Opening&) {
            sim::LinkPlan plan;
            plan.ragged = ragged;
            if (ragged) {
                plan.latency_max = std::chrono::milliseconds{5};
                plan.window = 8000;
            }
            return plan;
        });
    }
    Shard& shard() override { return world_.shard(); }
    void run(Task<void> task) override {
        if (!world_.run(world_.shard(), std::move(task))) {
            ADD_FAILURE() << "the simulated test task never ends";
            std::abort();  // the task's frame refers to the test: there is no way back
        }
    }
    void half_close(Handle handle) override { world_.network().half_close(handle); }

  private:
    static sim::WorldOptions world_options(const RigOptions& options) {
        sim::WorldOptions result;
        result.backend.receive_buffers = options.receive_buffers;
        result.backend.receive_buffer_size = options.receive_buffer_size;
        return result;
    }
    sim::SimWorld world_;
};

}  // namespace

std::unique_ptr<Rig> make_rig(const std::string& kind, RigOptions options) {
    if (kind == "uring" || kind == "epoll") return std::make_unique<KernelRig>(kind, options);
    return std::make_unique<SimRig>(options, kind == "ragged");
}

void Probe::complete(const Completion& completion) {
    seen_.push_back(completion);
    arrived_.notify_all();
}

Task<Completion> Probe::next() {
    while (returned_ == seen_.size())
        co_await arrived_.wait();
    co_return seen_[returned_++];
}

Task<Pair> connected_pair(Shard& shard) {
    IoBackend& io = shard.io();
    Pair pair;
    const SocketAddress loopback{IpAddress::v4(0x7f000001), 0};
    const auto listener = io.listen(loopback, Sharing::join);
    PH_ASSERT(listener.has_value());
    pair.server_address = *io.local_address(*listener);
    {
        Probe accept(shard);
        io.start_accept(*listener, accept, Shots::many);
        const auto socket = io.open_socket(pair.server_address, &loopback);
        PH_ASSERT(socket.has_value());
        pair.client = *socket;
        Probe connect(shard);
        io.start_connect(pair.client, pair.server_address, connect);
        const Completion connected = co_await connect.next();
        PH_ASSERT(connected.result == 0);
        Completion last = co_await accept.next();
        pair.server = last.result;
        PH_ASSERT(pair.server >= 0);
        if (accept.in_flight()) io.cancel(accept);
        while (last.more)
            last = co_await accept.next();
    }
    io.close(*listener, false);
    pair.client_address = *io.local_address(pair.client);
    co_return pair;
}

Task<void> pause(Shard& shard, Duration span) {
    Event never(shard.reactor());
    co_await never.wait(shard.now() + span);
}

}  // namespace core::test
