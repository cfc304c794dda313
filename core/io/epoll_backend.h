// EpollBackend: the IoBackend where io_uring is refused. One edge-triggered epoll tells what is
// ready; each operation is then a plain call that does not wait. Files go to FileThreads. It keeps
// what io_backend.h promises: operations are begun by wait(), nothing completes before, and what
// completed is delivered last in wait(), so a completion may start and cancel operations.
// Owned by its shard and used on its thread, but for wake().
// What is known of a handle: readable and writable are set by events, and cleared only when a call
// said that nothing is left (EAGAIN, or a receive that filled less than it could). After that
// whatever comes makes a new event, so none is missed, and nothing is tried without hope.
// Handles that others made are known from their first operation until close(); those that are only
// polled may be closed by others once no poll is in flight.
// Limits of one wait(): kMostEvents events, kMostAttempts calls, each at most one receive buffer,
// kMostSendOctets or kMostAccepts connections, and no further call begins after kAttemptTime. What
// is left comes first in the next wait(), in order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include <sys/epoll.h>

#include "core/io/buffer_pool.h"
#include "core/io/file_threads.h"
#include "core/io/io_backend.h"

namespace core {

struct EpollOptions {
    std::size_t receive_buffers = 512;
    std::size_t receive_buffer_size = 16384;  // octets
};

class EpollBackend final : public IoBackend {
  public:
    static constexpr std::size_t kMostEvents = 256;
    static constexpr std::size_t kMostAttempts = 256;
    static constexpr std::size_t kMostAccepts = 16;
    static constexpr std::size_t kMostSendOctets = 256U << 10;
    static constexpr Duration kAttemptTime = std::chrono::milliseconds{2};

    static IoResult<std::unique_ptr<EpollBackend>> create(const EpollOptions& options,
                                                          const Clock& clock);
    ~EpollBackend() override;

    std::string_view name() const override { return "epoll"; }
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
    // A cancelled file operation has no effect unless a thread has begun with it; then it ends by
    // itself.
    void start_read(Handle file, std::span<char> octets, std::uint64_t offset,
                    Operation& operation) override;
    void start_write(Handle file, std::span<const char> octets, std::uint64_t offset, bool synced,
                     Operation& operation) override;
    void start_sync(Handle file_or_directory, Operation& operation) override;
    void cancel(Operation& operation) override;

    std::string_view buffer(int id, std::size_t length) const override {
        return buffers_.view(id, length);
    }
    void recycle(int id) override {
        --lent_;
        buffers_.recycle(id);
    }
    std::size_t buffer_size() const override { return buffers_.size(); }
    bool buffers_scarce() const override { return lent_ > buffers_.count() / 2; }
    void note_copied(std::size_t octets) override { stats_.copied += octets; }
    const IoStats& stats() const override { return stats_; }

  private:
    enum class Role : std::uint8_t { none, accept, receive, connect, send, poll, file };
    // A handle, and the operations that wait for it, by role.
    struct Watch {
        std::array<Operation*, 6> operations{};
        std::span<const iovec> parts;  // of the send
        Intake intake = Intake::stream;
        Shots shots = Shots::one;
        bool registered = false;  // events come
        bool listening = false;   // others may hold its socket too
        bool readable = false;
        bool writable = true;
        bool ended = false;  // the peer said its last, or there is an error: readable to the end
        bool due = false;    // in due_

        Operation*& waiting(Role role) { return operations[static_cast<std::size_t>(role)]; }
        bool ready() {
            return (readable &&
                    (waiting(Role::accept) != nullptr || waiting(Role::receive) != nullptr)) ||
                   (writable &&
                    (waiting(Role::connect) != nullptr || waiting(Role::send) != nullptr));
        }
    };
    struct Finished {
        Operation* operation;
        Completion completion;
    };

    EpollBackend(const EpollOptions& options, const Clock& clock)
        : clock_(clock), buffers_(options.receive_buffers, options.receive_buffer_size) {}
    IoResult<void> open();

    Watch* find(Handle handle);
    Watch& watch(Handle handle);
    void forget(Handle handle);
    Handle adopt(Handle made);
    Watch& begin(Handle handle, Role role, Operation& operation);
    void begin_file(const FileThreads::Job& job);
    bool control(int what, Handle handle, std::uint32_t events);
    void go_on(Handle handle, Watch& watch);
    void finish(Operation& operation, int result, int buffer = kNoBuffer);

    int timeout_until(Instant until) const;
    void gather(Instant until);
    void note_event(const epoll_event& event);
    void attempt_due();
    void attempt(Handle handle, Watch& watch);
    void accept_some(Handle handle, Watch& watch);
    void receive_one(Handle handle, Watch& watch);
    void end_connect(Handle handle, Watch& watch);
    void send_some(Handle handle, Watch& watch);
    void collect_files();
    void deliver();

    const Clock& clock_;
    int epoll_fd_ = -1;
    int wake_fd_ = -1;
    BufferPool buffers_;
    std::size_t lent_ = 0;                         // buffers that were delivered and not recycled
    std::vector<std::unique_ptr<Watch>> watches_;  // by handle
    std::deque<Handle> due_;                       // of those that are ready, in order
    std::array<epoll_event, kMostEvents> events_{};
    std::vector<Finished> finished_;    // to be delivered in this wait(), or the next
    std::vector<Finished> delivering_;  // by it
    std::vector<FileThreads::Job> jobs_;
    IoStats stats_;
    FileThreads files_;  // last: its threads end first
};

}  // namespace core
