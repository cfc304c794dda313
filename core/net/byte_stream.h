// ByteStream: the seam for everything that speaks a protocol over a connection (TCP now, TLS later,
// scripted peers in tests). One reader and one writer coroutine at a time, on the owning shard.
//
//   auto input = co_await stream.read();        // IoResult<std::string_view>
//   if (!input || input->empty()) ...           // error, or the peer closed its side
//   stream.consume(n);                          // n <= input->size(); the rest is read again
//   auto sent = co_await stream.write(parts);   // all of it, or an error
//
// The view stays valid until consume() or close(). Every operation obeys the stream's deadline:
// when it passes, pending and later operations fail with ETIMEDOUT until a new deadline is set.
// After abort() they fail with ECANCELED. close() must be awaited before the stream dies.
#pragma once

#include <coroutine>
#include <cstddef>
#include <span>
#include <string_view>

#include <sys/uio.h>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/runtime/clock.h"
#include "core/runtime/task.h"

namespace core {

inline iovec as_iovec(std::string_view bytes) {
    return {const_cast<char*>(bytes.data()), bytes.size()};
}

class ByteStream {
  public:
    struct ReadAwaiter {
        ByteStream& stream;
        bool await_ready() { return stream.read_ready(); }
        void await_suspend(std::coroutine_handle<> reader) { stream.wait_readable(reader); }
        IoResult<std::string_view> await_resume() { return stream.take_input(); }
    };
    struct WriteAwaiter {
        ByteStream& stream;
        std::span<const iovec> parts;  // the array and its bytes live until the write is done
        iovec single{};                // storage of write(std::string_view)
        bool await_ready() { return false; }
        bool await_suspend(std::coroutine_handle<> writer) {
            return stream.start_write(parts.empty() ? std::span<const iovec>(&single, 1) : parts,
                                      writer);
        }
        IoResult<void> await_resume() { return stream.write_result(); }
    };

    virtual ~ByteStream() = default;

    ReadAwaiter read() { return {*this}; }
    WriteAwaiter write(std::span<const iovec> parts) { return {*this, parts, {}}; }
    WriteAwaiter write(std::string_view bytes) { return {*this, {}, as_iovec(bytes)}; }

    // Input is already here: reading will not wait (RFC 2920 section 3.2: flush replies otherwise).
    virtual bool has_input() const = 0;
    virtual void consume(std::size_t length) = 0;
    virtual void set_deadline(Instant deadline) = 0;
    virtual void abort() = 0;
    // A read() that waits now answers EINTR; one that does not is not touched.
    virtual void interrupt() = 0;
    virtual Task<void> close() = 0;

    virtual const SocketAddress& peer() const = 0;
    virtual const SocketAddress& local() const = 0;

  protected:
    virtual bool read_ready() = 0;
    virtual void wait_readable(std::coroutine_handle<> reader) = 0;
    virtual IoResult<std::string_view> take_input() = 0;
    // False when it finished (or failed) at once and the writer goes on without suspending.
    virtual bool start_write(std::span<const iovec> parts, std::coroutine_handle<> writer) = 0;
    virtual IoResult<void> write_result() = 0;
};

}  // namespace core
