// SimBackend: the IoBackend of one simulated shard. It keeps the shard's provided buffers and the
// queue of completions; sockets live in the SimNetwork, files in the SimDisk of its options (none:
// file operations are an assertion). wait() is the kernel entry: it looks at
// what was started since the last one, then delivers what has completed. It never blocks and never
// moves the clock; that is SimWorld's part. Limits: the provided buffers of its options; when they
// are used up a multishot receive ends with -ENOBUFS, as with io_uring.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/io/io_backend.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_network.h"

namespace sim {

struct BackendOptions {
    std::size_t receive_buffers = 256;
    std::size_t receive_buffer_size = 1024;
    core::IpAddress address = core::IpAddress::v4(0x0a000001);  // of sockets without a source
    std::function<bool(const core::IpAddress&)> lacks{};  // a source address; none: it has any
    SimDisk* disk = nullptr;                              // outlives the world
};

class SimBackend final : public core::IoBackend {
  public:
    SimBackend(SimNetwork& network, BackendOptions options);
    ~SimBackend() override;

    void wait(core::Instant until) override;
    void wake() override {}

    std::string_view name() const override { return "sim"; }
    core::IoResult<core::Handle> listen(const core::SocketAddress& address,
                                        core::Sharing sharing) override;
    void adopt_listener(core::Handle) override { PH_ASSERT(false); }  // nobody passes any
    core::IoResult<core::Handle> open_socket(const core::SocketAddress& peer,
                                             const core::SocketAddress* source) override;
    core::IoResult<core::SocketAddress> local_address(core::Handle handle) override;
    core::IoResult<core::SocketAddress> peer_address(core::Handle handle) override;
    void shutdown(core::Handle handle) override;
    void close(core::Handle handle, bool reset) override;

    void start_accept(core::Handle listener, core::Operation& operation,
                      core::Shots shots) override;
    void start_receive(core::Handle handle, core::Operation& operation, core::Intake most) override;
    void start_connect(core::Handle handle, const core::SocketAddress& peer,
                       core::Operation& operation) override;
    void start_send(core::Handle handle, std::span<const iovec> parts,
                    core::Operation& operation) override;
    // Completes only by cancel(): nothing in a simulation needs poll.
    void start_poll(core::Handle handle, short events, core::Operation& operation) override;
    // A cancelled file operation has no effect, or all of it.
    void start_read(core::Handle file, std::span<char> octets, std::uint64_t offset,
                    core::Operation& operation) override;
    void start_write(core::Handle file, std::span<const char> octets, std::uint64_t offset,
                     bool synced, core::Operation& operation) override;
    void start_sync(core::Handle file_or_directory, core::Operation& operation) override;
    void cancel(core::Operation& operation) override;

    std::string_view buffer(int id, std::size_t length) const override;
    void recycle(int id) override;
    std::size_t buffer_size() const override { return options_.receive_buffer_size; }
    bool buffers_scarce() const override { return free_.size() < options_.receive_buffers / 2; }
    void note_copied(std::size_t octets) override { stats_.copied += octets; }
    const core::IoStats& stats() const override { return stats_; }

    std::size_t free_buffers() const { return free_.size(); }
    bool has_work() const { return !completions_.empty() || !started_.empty(); }
    // Until released, buffers are as if used by somebody else (tests of exhaustion).
    void withhold_buffers(bool withhold) { withheld_ = withhold; }

  private:
    friend class SimNetwork;
    struct Pending {
        core::Operation* operation;
        core::Completion completion;
        core::Handle handle;
    };
    struct Started {
        core::Handle handle;
        core::Operation* operation;
    };

    struct FileOperation {
        SimDisk::Transfer transfer;
        SimDisk::Ticket ticket = 0;  // 0: not submitted yet
    };

    SimNetwork::End& own(core::Handle handle);
    void start(SimNetwork::End& end, SimNetwork::Slot& slot, core::Operation& operation);
    void submit(const Started& started);
    void start_file(const SimDisk::Transfer& transfer, core::Operation& operation);
    void submit_file(core::Operation& operation);
    void end_file(core::Operation& operation, int result);
    void complete(SimNetwork::End& end, core::Operation& operation, core::Completion completion);
    int take_buffer(std::string_view octets);  // kNoBuffer when none is free

    SimNetwork& network_;
    BackendOptions options_;
    std::vector<std::unique_ptr<char[]>> buffers_;  // separate, so that asan sees an overrun
    std::vector<bool> lent_;
    std::deque<int> free_;
    bool withheld_ = false;
    std::vector<Started> started_;
    std::deque<Pending> completions_;
    std::unordered_map<core::Operation*, core::Handle> where_;  // looked up, never walked
    std::unordered_map<core::Operation*, FileOperation> file_operations_;  // the same
    core::IoStats stats_;
};

}  // namespace sim
