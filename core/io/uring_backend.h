// UringBackend: the engine's IoBackend over one io_uring. Set up SINGLE_ISSUER | DEFER_TASKRUN, so
// it must be created and used on its shard's thread. Operations are queued and submitted by wait(),
// one enter per turn of the loop; completions are copied out of the ring before any is delivered,
// so a completion may start new operations. A full submission queue is submitted early and counted.
// Limits: kSubmissionEntries queued operations; completions overflow into kernel memory, counted.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <liburing.h>

#include "core/io/batch_wait.h"
#include "core/io/buffer_ring.h"
#include "core/io/io_backend.h"

namespace core {

struct UringOptions {
    unsigned submission_entries = 1024;       // power of two
    unsigned completion_entries = 16384;      // power of two
    std::size_t receive_buffers = 512;        // power of two
    std::size_t receive_buffer_size = 16384;  // octets
};

class UringBackend final : public IoBackend {
  public:
    static IoResult<std::unique_ptr<UringBackend>> create(const UringOptions& options,
                                                          const Clock& clock);
    ~UringBackend() override;

    std::string_view name() const override { return "io_uring"; }
    void wait(Instant until) override;
    void wake() override;

    IoResult<Handle> listen(const SocketAddress& address, Sharing sharing) override;
    void adopt_listener(Handle listener) override;
    IoResult<Handle> open_socket(const SocketAddress& peer, const SocketAddress* source) override;
    IoResult<SocketAddress> local_address(Handle handle) override;
    IoResult<SocketAddress> peer_address(Handle handle) override;
    void shutdown(Handle handle) override;
    void close(Handle handle, bool reset) override;

    void start_accept(Handle listener, Operation& operation, Shots shots) override;
    void start_receive(Handle handle, Operation& operation, Intake most) override;
    void start_connect(Handle handle, const SocketAddress& peer, Operation& operation) override;
    void start_send(Handle handle, std::span<const iovec> parts, Operation& operation) override;
    void start_poll(Handle handle, short events, Operation& operation) override;
    void start_read(Handle file, std::span<char> octets, std::uint64_t offset,
                    Operation& operation) override;
    void start_write(Handle file, std::span<const char> octets, std::uint64_t offset, bool synced,
                     Operation& operation) override;
    void start_sync(Handle file_or_directory, Operation& operation) override;
    void cancel(Operation& operation) override;

    std::string_view buffer(int id, std::size_t length) const override;
    void recycle(int id) override {
        --lent_;
        buffers_.recycle(id);
    }
    std::size_t buffer_size() const override { return buffers_.buffer_size(); }
    bool buffers_scarce() const override { return lent_ > buffers_.count() / 2; }
    void note_copied(std::size_t octets) override { stats_.copied += octets; }
    const IoStats& stats() const override { return stats_; }

  private:
    struct Reaped {
        std::uint64_t user_data;
        int result;
        unsigned flags;
    };
    // Arguments that the kernel reads at submission: one slot per submission entry.
    struct Arguments {
        msghdr message;
        sockaddr_storage address;
    };

    explicit UringBackend(const Clock& clock) : clock_(clock) {}
    IoResult<void> open(const UringOptions& options);
    io_uring_sqe* next_entry(Operation* operation);
    Arguments& arguments() { return arguments_[argument_index_++ % arguments_.size()]; }
    void arm_wake();
    void submit();
    bool has_news();
    void submit_and_wait(Instant now, Instant until);
    void reap();

    const Clock& clock_;
    io_uring ring_{};
    bool ring_open_ = false;
    int wake_fd_ = -1;
    std::uint64_t wake_count_ = 0;
    bool wake_armed_ = false;
    BufferRing buffers_;
    std::size_t lent_ = 0;  // buffers that were delivered and not recycled
    std::vector<Arguments> arguments_;
    std::size_t argument_index_ = 0;
    std::vector<Reaped> reaped_;
    BatchWait batch_wait_;
    IoStats stats_;
};

}  // namespace core
