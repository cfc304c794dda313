// IoBackend: the seam between coroutines and the operating system. uring_backend is the engine,
// epoll_backend stands in where io_uring is refused (core/io/probe.h), sim_backend (tests/sim) is a
// network with a virtual clock.
// Completion style: the caller owns an Operation, starts it, and must keep it, the iovec array and
// the bytes it names alive until complete() was called with more == false. cancel() only asks: the
// last completion still comes. complete() runs inside the loop's reaping and must only note the
// result and schedule a coroutine. One backend per shard, used on its thread only (but for wake()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <sys/uio.h>

#include "core/base/address.h"
#include "core/base/assert.h"
#include "core/base/result.h"
#include "core/runtime/reactor.h"

namespace core {

using Handle = int;  // a file descriptor, or a simulated one
inline constexpr Handle kNoHandle = -1;
inline constexpr int kNoBuffer = -1;

struct Completion {
    int result;  // >= 0: bytes or a handle; < 0: -errno
    bool more;   // a multishot operation goes on
    int buffer;  // provided buffer that holds the bytes, or kNoBuffer
};

class Operation {
  public:
    // Where a backend that has to search for an operation at cancel() keeps it while it is in
    // flight: what it is of which handle. The backend's alone.
    struct Place {
        Handle handle = kNoHandle;
        std::uint8_t role = 0;
    };

    Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    virtual ~Operation() { PH_ASSERT(!in_flight_); }

    bool in_flight() const { return in_flight_; }
    // For backends: notes the end of the operation, then tells its owner.
    void deliver(const Completion& completion) {
        if (!completion.more) in_flight_ = false;
        complete(completion);
    }
    void started() {
        PH_ASSERT(!in_flight_);
        in_flight_ = true;
    }
    Place& place() { return place_; }

  protected:
    virtual void complete(const Completion& completion) = 0;

  private:
    bool in_flight_ = false;
    Place place_;
};

// How much one receive may take: buffers until the end of the stream, one buffer, or kSip octets.
enum class Intake : std::uint8_t { stream, buffer, sip };
inline constexpr std::size_t kSip = 2048;

// Who else may listen at an address. first: nobody does yet, or it fails; the sockets of our other
// shards then join. A process that follows another one gets its sockets (net/listening_sockets).
enum class Sharing : std::uint8_t { first, join };

// One completion, or many until the operation is cancelled.
enum class Shots : std::uint8_t { one, many };

struct IoStats {
    std::uint64_t enters = 0;     // system calls of the loop
    std::uint64_t submitted = 0;  // operations
    std::uint64_t completed = 0;
    std::uint64_t sends = 0;
    std::uint64_t receives = 0;
    std::uint64_t buffers_exhausted = 0;  // receives ended for want of a provided buffer
    std::uint64_t overflows = 0;          // turns that found the completion queue overflowed
    std::uint64_t copied = 0;  // octets moved out of provided buffers, because they were scarce
};

class IoBackend : public EventSource {
  public:
    virtual std::string_view name() const = 0;

    // Synchronous, rare calls.
    virtual IoResult<Handle> listen(const SocketAddress& address, Sharing sharing) = 0;
    // Makes a listening socket that was passed to this process fit for start_accept().
    virtual void adopt_listener(Handle listener) = 0;
    virtual IoResult<Handle> open_socket(const SocketAddress& peer,
                                         const SocketAddress* source) = 0;
    virtual IoResult<SocketAddress> local_address(Handle handle) = 0;
    virtual IoResult<SocketAddress> peer_address(Handle handle) = 0;
    virtual void shutdown(Handle handle) = 0;           // both ways: pending operations complete
    virtual void close(Handle handle, bool reset) = 0;  // no operation may be in flight

    // Completes once per connection (result = its handle).
    virtual void start_accept(Handle listener, Operation& operation, Shots shots) = 0;
    // Completes once per filled buffer; result 0 is end of stream. Ends with -ENOBUFS when no
    // provided buffer is free: recycle some, then start again.
    virtual void start_receive(Handle handle, Operation& operation, Intake most) = 0;
    virtual void start_connect(Handle handle, const SocketAddress& peer, Operation& operation) = 0;
    // One send per handle at a time; may complete short.
    virtual void start_send(Handle handle, std::span<const iovec> parts, Operation& operation) = 0;
    // One-shot, for a handle that others read, write and close: completes with the ready poll(2)
    // events. One at a time for each handle, and cancelled before the handle is closed.
    virtual void start_poll(Handle handle, short events, Operation& operation) = 0;
    // Files, opened by a core::Disk. May complete short, as read(2) and write(2) may. A synced
    // write completes once its octets and what is needed to find them are durable (RWF_DSYNC);
    // after a failed one nothing is known of what was written before (never try again).
    virtual void start_read(Handle file, std::span<char> octets, std::uint64_t offset,
                            Operation& operation) = 0;
    virtual void start_write(Handle file, std::span<const char> octets, std::uint64_t offset,
                             bool synced, Operation& operation) = 0;
    virtual void start_sync(Handle file_or_directory, Operation& operation) = 0;  // fsync
    virtual void cancel(Operation& operation) = 0;

    virtual std::string_view buffer(int id, std::size_t length) const = 0;
    virtual void recycle(int id) = 0;
    virtual std::size_t buffer_size() const = 0;
    // Half of the provided buffers are with streams: copy what arrives and recycle at once, so that
    // the other half stays for the kernel to fill.
    virtual bool buffers_scarce() const = 0;
    virtual void note_copied(std::size_t octets) = 0;

    virtual const IoStats& stats() const = 0;
};

}  // namespace core
