// TcpStream: a ByteStream over one socket of the shard's IoBackend. A receive stays armed, so a
// closing or talking peer is noticed while idle. Input waits in InputPieces: in provided buffers,
// or in memory of the stream while those are scarce. At the limits of the party, or of what all
// its connections hold (HeldInput), receiving pauses until the reader catches up: back-pressure by
// the TCP window. A multishot receive is cancelled for that, and what the kernel filled before it
// saw the cancellation comes on top. While buffers are scarce every stream is received from one
// buffer at a time, strangers always and by kSip octets. Writes gather straight from the caller's
// memory.
#pragma once

#include <coroutine>
#include <vector>

#include "core/io/shard.h"
#include "core/net/byte_stream.h"
#include "core/net/input_pieces.h"
#include "core/runtime/event.h"
#include "core/runtime/timer_set.h"

namespace core {

class TcpStream final : public ByteStream {
  public:
    TcpStream(Shard& shard, Handle handle, SocketAddress peer, SocketAddress local,
              Party party = Party::server, Descriptors::Lease lease = {});
    ~TcpStream() override;

    bool has_input() const override;
    void consume(std::size_t length) override;
    void set_deadline(Instant deadline) override;
    void abort() override;
    void interrupt() override;
    Task<void> close() override;
    const SocketAddress& peer() const override { return peer_; }
    const SocketAddress& local() const override { return local_; }

    // There was no descriptor for this connection: say so and close it.
    bool excess() const { return lease_ && lease_.use() == Descriptors::Use::farewell; }
    // The next close() sends RST instead of FIN (load tools and tests).
    void reset_on_close() { reset_on_close_ = true; }

  protected:
    bool read_ready() override;
    void wait_readable(std::coroutine_handle<> reader) override;
    IoResult<std::string_view> take_input() override;
    bool start_write(std::span<const iovec> parts, std::coroutine_handle<> writer) override;
    IoResult<void> write_result() override;

  private:
    class Receive final : public Operation {
      public:
        explicit Receive(TcpStream& stream) : stream_(stream) {}

      private:
        void complete(const Completion& completion) override { stream_.received(completion); }
        TcpStream& stream_;
    };
    class Send final : public Operation {
      public:
        explicit Send(TcpStream& stream) : stream_(stream) {}

      private:
        void complete(const Completion& completion) override { stream_.sent(completion); }
        TcpStream& stream_;
    };
    class Deadline final : public Timer {
      public:
        explicit Deadline(TcpStream& stream) : stream_(stream) {}
        void expire() override { stream_.deadline_passed(); }

      private:
        TcpStream& stream_;
    };

    class Retry final : public Timer {
      public:
        explicit Retry(TcpStream& stream) : stream_(stream) {}
        void expire() override { stream_.retry_receive(); }

      private:
        TcpStream& stream_;
    };

    void received(const Completion& completion);
    void retry_receive();
    void sent(const Completion& completion);
    void deadline_passed();
    void fail(int error);
    void arm_receive();
    void submit_send();
    void wake_reader();
    void wake_writer();
    void notice_idle();

    Shard& shard_;
    Descriptors::Lease lease_;  // given back once the handle is closed
    Handle handle_;
    SocketAddress peer_;
    SocketAddress local_;
    bool reset_on_close_ = false;

    Receive receive_;
    InputPieces input_;
    bool interrupted_ = false;
    bool end_of_stream_ = false;
    bool pausing_ = false;  // too much is held: the receive is being cancelled
    int read_error_ = 0;    // errno; end of stream and errors come after the bytes before them
    std::coroutine_handle<> reader_;

    Send send_;
    std::vector<iovec> unsent_;
    std::size_t unsent_index_ = 0;
    int write_error_ = 0;
    std::coroutine_handle<> writer_;

    Deadline deadline_timer_;
    Retry retry_timer_;
    Instant deadline_ = kNever;
    int failure_ = 0;  // ETIMEDOUT or ECANCELED: everything pending and later fails with it
    bool closing_ = false;
    Event idle_;  // no operation in flight
};

}  // namespace core
