#include "core/net/tls_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace core {

TlsStream::TlsStream(Reactor& reactor, std::unique_ptr<ByteStream> below,
                     std::unique_ptr<TlsEngine> engine)
    : reactor_(reactor),
      below_(std::move(below)),
      engine_(std::move(engine)),
      read_changed_(reactor),
      write_wanted_(reactor),
      pumps_(reactor) {}

TlsStream::~TlsStream() {
    PH_ASSERT(below_ == nullptr || closing_);
}

TlsFault TlsStream::fault() const {
    return handshake_error_ != 0 ? TlsFault::network : engine_->fault();
}

const std::string& TlsStream::reason() const {
    return handshake_error_ != 0 ? network_reason_ : engine_->reason();
}

// ---- the handshake, before there are pumps

Task<bool> TlsStream::handshake() {
    const auto broken = [this](int error, std::string reason) {
        handshake_error_ = error;
        network_reason_ = std::move(reason);
        return false;
    };
    engine_->start();
    while (true) {
        if (engine_->has_output()) {  // an alert too
            const std::string output = engine_->take_output();
            const auto written = co_await below_->write(output);
            if (!written && engine_->state() != TlsEngine::State::failed) {
                co_return broken(written.error().value(), written.error().message());
            }
        }
        if (engine_->state() == TlsEngine::State::failed) co_return false;
        if (engine_->state() != TlsEngine::State::handshaking) break;
        const auto input = co_await below_->read();
        if (!input && input.error().value() == EINTR) continue;
        if (!input) co_return broken(input.error().value(), input.error().message());
        if (input->empty()) co_return broken(ECONNRESET, "the peer closed the connection");
        take(*input);
    }
    pumps_.spawn(pump_reads());
    pumps_.spawn(pump_writes());
    co_return true;
}

// ---- reading

void TlsStream::take(std::string_view ciphertext) {
    const std::size_t length = ciphertext.size();
    engine_->receive(ciphertext, plain_);
    below_->consume(length);
    if (engine_->state() == TlsEngine::State::failed) {
        read_error_ = EPROTO;
    } else if (engine_->state() == TlsEngine::State::closed) {
        end_of_stream_ = true;
    }
}

Task<void> TlsStream::pump_reads() {
    while (!closing_ && read_error_ == 0 && !end_of_stream_) {
        while (!closing_ && (has_input() || timed_out_))
            co_await read_changed_.wait();
        if (closing_) break;
        const auto input = co_await below_->read();
        if (!input) {
            const int error = input.error().value();
            if (error == EINTR) continue;
            if (error == ETIMEDOUT) {
                timed_out_ = true;  // until there is a new deadline
            } else {
                read_error_ = error;
            }
        } else if (input->empty()) {
            read_error_ = ECONNRESET;
        } else {
            take(*input);
        }
        if (engine_->has_output()) request_flush();
        if (read_ready()) wake_reader();
    }
}

void TlsStream::consume(std::size_t length) {
    plain_offset_ += length;
    PH_ASSERT(plain_offset_ <= plain_.size());
    if (has_input()) return;
    plain_offset_ = 0;
    if (plain_.capacity() > 1024) {
        plain_ = {};
    } else {
        plain_.clear();
    }
    read_changed_.notify_all();
}

bool TlsStream::read_ready() {
    return has_input() || aborted_ || timed_out_ || read_error_ != 0 || end_of_stream_;
}

void TlsStream::wait_readable(std::coroutine_handle<> reader) {
    PH_ASSERT(!reader_);
    reader_ = reader;
}

IoResult<std::string_view> TlsStream::take_input() {
    if (aborted_) return io_error(ECANCELED);
    if (std::exchange(interrupted_, false)) return io_error(EINTR);
    if (has_input()) return std::string_view(plain_).substr(plain_offset_);
    if (timed_out_) return io_error(ETIMEDOUT);
    if (read_error_ != 0) return io_error(read_error_);
    if (!end_of_stream_) return io_error(EINTR);  // woken by a deadline that was moved meanwhile
    return std::string_view{};
}

// ---- writing

bool TlsStream::start_write(std::span<const iovec> parts, std::coroutine_handle<> writer) {
    PH_ASSERT(!writer_ && !writing());
    if (aborted_ || write_error_ != 0) return false;
    parts_ = parts;
    part_ = part_offset_ = 0;
    while (writing() && parts_[part_].iov_len == 0)
        ++part_;
    if (!writing()) return false;
    writer_ = writer;
    request_flush();
    return true;
}

// One record from as many parts as it takes; a part that fills a record is not copied.
void TlsStream::next_record() {
    std::array<char, TlsContext::kRecord>& scratch = engine_->context().scratch();
    std::size_t joined = 0;
    while (writing() && joined < scratch.size()) {
        const iovec& part = parts_[part_];
        const char* from = static_cast<const char*>(part.iov_base) + part_offset_;
        const std::size_t step = std::min(part.iov_len - part_offset_, scratch.size() - joined);
        part_offset_ += step;
        if (part_offset_ == part.iov_len) {
            ++part_;
            part_offset_ = 0;
        }
        if (step == scratch.size()) return engine_->send({from, step});
        std::memcpy(scratch.data() + joined, from, step);
        joined += step;
    }
    engine_->send({scratch.data(), joined});
}

void TlsStream::encrypt_batch() {
    for (std::size_t records = 0; writing() && records < kBatch / TlsContext::kRecord; ++records)
        next_record();
}

Task<void> TlsStream::pump_writes() {
    while (true) {
        while (!closing_ && !writing() && !engine_->has_output())
            co_await write_wanted_.wait();
        if (write_error_ == 0) encrypt_batch();
        const bool failed = engine_->state() == TlsEngine::State::failed;
        if (engine_->has_output()) {
            const std::string output = engine_->take_output();
            const auto written = co_await below_->write(output);
            if (!written && write_error_ == 0) write_error_ = written.error().value();
        }
        // Records that did not leave cannot leave later.
        if (failed && write_error_ == 0) write_error_ = EPROTO;
        if (write_error_ != 0) part_ = parts_.size();
        if (!writing()) {
            parts_ = {};
            part_ = 0;
            wake_writer();
        }
        if (closing_ && (write_error_ != 0 || !engine_->has_output())) break;
    }
}

IoResult<void> TlsStream::write_result() {
    if (aborted_) return io_error(ECANCELED);
    if (write_error_ != 0) return io_error(write_error_);
    return {};
}

// ---- both

void TlsStream::set_deadline(Instant deadline) {
    below_->set_deadline(deadline);
    if (std::exchange(timed_out_, false)) read_changed_.notify_all();
}

void TlsStream::abort() {
    if (aborted_ || closing_) return;
    aborted_ = true;
    below_->abort();
    wake_reader();
}

void TlsStream::interrupt() {
    if (!reader_) return;
    interrupted_ = true;
    wake_reader();
}

void TlsStream::wake_reader() {
    if (reader_) reactor_.schedule(std::exchange(reader_, {}));
}

void TlsStream::wake_writer() {
    if (writer_) reactor_.schedule(std::exchange(writer_, {}));
}

Task<void> TlsStream::close() {
    PH_ASSERT(!reader_ && !writer_);
    if (pumps_.running() > 0 && !aborted_ && write_error_ == 0) {
        engine_->close();
        below_->set_deadline(reactor_.now() + kFarewell);
    }
    closing_ = true;
    read_changed_.notify_all();
    write_wanted_.notify_all();
    below_->interrupt();
    co_await pumps_.close();
    co_await below_->close();
}

}  // namespace core
