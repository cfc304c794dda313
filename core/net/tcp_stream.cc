#include "core/net/tcp_stream.h"

#include <algorithm>
#include <climits>
#include <utility>

namespace core {

namespace {

// After the shard ran out of receive buffers, a stream that holds none of them tries again.
constexpr Duration kBufferRetry = std::chrono::milliseconds{2};

}  // namespace

TcpStream::TcpStream(Shard& shard, Handle handle, SocketAddress peer, SocketAddress local,
                     Party party, Descriptors::Lease lease)
    : shard_(shard),
      lease_(std::move(lease)),
      handle_(handle),
      peer_(peer),
      local_(local),
      receive_(*this),
      input_(shard, party),
      send_(*this),
      deadline_timer_(*this),
      retry_timer_(*this),
      idle_(shard.reactor()) {
    arm_receive();
}

TcpStream::~TcpStream() {
    PH_ASSERT(handle_ == kNoHandle);
}

bool TcpStream::has_input() const {
    return !input_.empty();
}

void TcpStream::arm_receive() {
    if (receive_.in_flight() || end_of_stream_ || read_error_ != 0 || closing_ ||
        failure_ == ECANCELED || retry_timer_.armed()) {
        return;
    }
    if (!input_.has_room()) return;
    const bool crowded = shard_.held_input().full(input_.party());
    if (crowded && !input_.empty()) return;  // goes on when this was read
    Intake most = shard_.io().buffers_scarce() ? Intake::buffer : Intake::stream;
    if (crowded || input_.party() == Party::stranger) most = Intake::sip;
    shard_.io().start_receive(handle_, receive_, most);
}

void TcpStream::received(const Completion& completion) {
    if (completion.buffer != kNoBuffer) {
        if (completion.result > 0 && !closing_) {
            input_.add(completion.buffer, static_cast<std::size_t>(completion.result));
        } else {
            shard_.io().recycle(completion.buffer);
        }
    }
    if (completion.result == 0) end_of_stream_ = true;
    const bool paused = completion.result == -ECANCELED;
    if (completion.result == -ENOBUFS) {
        if (!closing_) shard_.reactor().timers().arm(retry_timer_, shard_.now() + kBufferRetry);
    } else if (completion.result < 0 && !paused) {
        read_error_ = -completion.result;
    }
    if (receive_.in_flight()) {
        const bool enough = input_.full() || shard_.held_input().full(input_.party());
        if (enough && !pausing_) {
            pausing_ = true;
            shard_.io().cancel(receive_);
        }
    } else {
        pausing_ = false;
        arm_receive();
    }
    if (read_ready()) wake_reader();
    notice_idle();
}

void TcpStream::retry_receive() {
    arm_receive();
}

void TcpStream::consume(std::size_t length) {
    input_.consume(length);
    arm_receive();
}

bool TcpStream::read_ready() {
    return !input_.empty() || failure_ != 0 || read_error_ != 0 || end_of_stream_;
}

void TcpStream::wait_readable(std::coroutine_handle<> reader) {
    PH_ASSERT(!reader_);
    reader_ = reader;
}

IoResult<std::string_view> TcpStream::take_input() {
    if (failure_ == ECANCELED) return io_error(failure_);
    if (std::exchange(interrupted_, false)) return io_error(EINTR);
    // A deadline that passed while input lay here was not the peer's fault.
    if (!input_.empty()) return input_.front();
    if (failure_ != 0) return io_error(failure_);
    if (read_error_ != 0) return io_error(read_error_);
    if (!end_of_stream_) return io_error(EINTR);  // woken by a deadline that was moved meanwhile
    return std::string_view{};
}

bool TcpStream::start_write(std::span<const iovec> parts, std::coroutine_handle<> writer) {
    PH_ASSERT(!writer_ && !send_.in_flight());
    if (failure_ != 0 || write_error_ != 0) return false;
    unsent_.clear();
    unsent_index_ = 0;
    for (const iovec& part : parts) {
        if (part.iov_len > 0) unsent_.push_back(part);
    }
    if (unsent_.empty()) return false;
    writer_ = writer;
    submit_send();
    return true;
}

void TcpStream::submit_send() {
    const std::size_t count = std::min<std::size_t>(unsent_.size() - unsent_index_, IOV_MAX);
    shard_.io().start_send(handle_, std::span(unsent_).subspan(unsent_index_, count), send_);
}

void TcpStream::sent(const Completion& completion) {
    if (completion.result < 0) {
        write_error_ = -completion.result;
    } else {
        auto left = static_cast<std::size_t>(completion.result);
        while (left > 0) {
            iovec& part = unsent_[unsent_index_];
            const std::size_t step = std::min(left, part.iov_len);
            part.iov_base = static_cast<char*>(part.iov_base) + step;
            part.iov_len -= step;
            left -= step;
            if (part.iov_len == 0) ++unsent_index_;
        }
        if (unsent_index_ < unsent_.size()) {
            if (failure_ == 0 && !closing_) {
                submit_send();
                return;
            }
            write_error_ = ECANCELED;  // cut in the middle: the stream cannot be written any more
        }
    }
    wake_writer();
    notice_idle();
}

IoResult<void> TcpStream::write_result() {
    if (failure_ != 0) return io_error(failure_);
    if (write_error_ != 0) return io_error(write_error_);
    return {};
}

void TcpStream::set_deadline(Instant deadline) {
    deadline_ = deadline;
    if (failure_ == ETIMEDOUT) {
        failure_ = 0;
        arm_receive();
    }
    // Deadlines mostly move later: then the armed timer just looks again when it fires.
    if (deadline_timer_.armed() && deadline_timer_.deadline() > deadline) {
        shard_.reactor().timers().disarm(deadline_timer_);
    }
    if (!deadline_timer_.armed() && deadline != kNever && !closing_) {
        shard_.reactor().timers().arm(deadline_timer_, deadline);
    }
}

void TcpStream::deadline_passed() {
    if (deadline_ == kNever || closing_) return;
    if (deadline_ > shard_.now()) {
        shard_.reactor().timers().arm(deadline_timer_, deadline_);
        return;
    }
    if (failure_ == 0) fail(ETIMEDOUT);
}

void TcpStream::fail(int error) {
    failure_ = error;
    shard_.io().cancel(send_);  // its completion resumes the writer: the bytes are the writer's
    if (reader_) wake_reader();
}

void TcpStream::abort() {
    if (failure_ == ECANCELED || closing_) return;
    fail(ECANCELED);
    shard_.io().cancel(receive_);
}

void TcpStream::interrupt() {
    if (!reader_) return;
    interrupted_ = true;
    wake_reader();
}

void TcpStream::wake_reader() {
    if (reader_) shard_.reactor().schedule(std::exchange(reader_, {}));
}

void TcpStream::wake_writer() {
    if (writer_) shard_.reactor().schedule(std::exchange(writer_, {}));
}

void TcpStream::notice_idle() {
    if (closing_ && !receive_.in_flight() && !send_.in_flight()) idle_.notify_all();
}

Task<void> TcpStream::close() {
    PH_ASSERT(handle_ != kNoHandle && !reader_ && !writer_);
    closing_ = true;
    if (deadline_timer_.armed()) shard_.reactor().timers().disarm(deadline_timer_);
    if (retry_timer_.armed()) shard_.reactor().timers().disarm(retry_timer_);
    shard_.io().cancel(receive_);
    shard_.io().cancel(send_);
    while (receive_.in_flight() || send_.in_flight())
        co_await idle_.wait();
    input_.clear();
    shard_.io().close(handle_, reset_on_close_);
    handle_ = kNoHandle;
    lease_ = {};
}

}  // namespace core
