// TlsStream: a ByteStream that speaks TLS over another one, which it owns. handshake() first,
// within the deadline; only when it answers true may anything be read or written. Reading decrypts
// as the stream below delivers, one of its buffers ahead of the reader, so that tickets and a
// closing peer are noticed while idle. One task writes to the stream below: what the writer gave
// and what TLS itself has to say. Parts of a write are joined into full records; up to kBatch
// octets of plaintext leave in one send. close() says close_notify first, for at most kFarewell.
// Errors: those of the stream below; EPROTO when the peer breaks TLS; ECONNRESET when the stream
// below ended without close_notify. Both directions share the deadline. One shard.
// Limits: kBatch octets and overhead held while sending, nothing while idle.
#pragma once

#include <coroutine>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "core/net/byte_stream.h"
#include "core/net/tls_engine.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"

namespace core {

class TlsStream final : public ByteStream {
  public:
    static constexpr std::size_t kBatch = 8 * TlsContext::kRecord;
    static constexpr Duration kFarewell = std::chrono::seconds{1};

    TlsStream(Reactor& reactor, std::unique_ptr<ByteStream> below,
              std::unique_ptr<TlsEngine> engine);
    ~TlsStream() override;

    // What the engine refers to (its context), for as long as this lives.
    void keep(std::shared_ptr<const void> what) { kept_ = std::move(what); }

    // False: see fault() and reason(); all that is left to do is close().
    Task<bool> handshake();
    const TlsEngine& engine() const { return *engine_; }
    TlsFault fault() const;
    const std::string& reason() const;

    bool has_input() const override { return plain_offset_ < plain_.size(); }
    void consume(std::size_t length) override;
    void set_deadline(Instant deadline) override;
    void abort() override;
    void interrupt() override;
    Task<void> close() override;
    const SocketAddress& peer() const override { return below_->peer(); }
    const SocketAddress& local() const override { return below_->local(); }

  protected:
    bool read_ready() override;
    void wait_readable(std::coroutine_handle<> reader) override;
    IoResult<std::string_view> take_input() override;
    bool start_write(std::span<const iovec> parts, std::coroutine_handle<> writer) override;
    IoResult<void> write_result() override;

  private:
    Task<void> pump_reads();
    Task<void> pump_writes();
    void take(std::string_view ciphertext);
    void encrypt_batch();
    void next_record();
    bool writing() const { return part_ < parts_.size(); }
    void wake_reader();
    void wake_writer();
    void request_flush() { write_wanted_.notify_all(); }

    Reactor& reactor_;
    std::unique_ptr<ByteStream> below_;
    std::shared_ptr<const void> kept_;  // goes after the engine
    std::unique_ptr<TlsEngine> engine_;
    bool aborted_ = false;
    bool closing_ = false;
    int handshake_error_ = 0;  // errno of the stream below
    std::string network_reason_;

    std::string plain_;
    std::size_t plain_offset_ = 0;
    bool interrupted_ = false;
    bool timed_out_ = false;
    bool end_of_stream_ = false;
    int read_error_ = 0;
    std::coroutine_handle<> reader_;
    Event read_changed_;

    std::span<const iovec> parts_;  // the writer's
    std::size_t part_ = 0;
    std::size_t part_offset_ = 0;
    int write_error_ = 0;
    std::coroutine_handle<> writer_;
    Event write_wanted_;

    TaskGroup pumps_;
};

}  // namespace core
