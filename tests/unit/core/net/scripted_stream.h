// A loop on virtual time and a ByteStream that plays a script, for sessions without an engine.
// TestLoop::run() turns until the task ends; virtual time jumps to the next timer whenever nothing
// else is left to do, and a task that waits for something that never comes fails the test.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/assert.h"
#include "core/net/byte_stream.h"
#include "core/runtime/clock.h"
#include "core/runtime/event.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task_group.h"
#include "core/runtime/timer_set.h"

namespace core::test {

class JumpingTime final : public core::EventSource {
  public:
    explicit JumpingTime(core::VirtualClock& clock) : clock_(clock) {}
    void wait(core::Instant until) override {
        if (until == core::Instant::min()) return;
        if (until == core::kNever) {
            PH_ASSERT(++idle_ < 3);  // else the task waits for something that never comes
            return;
        }
        idle_ = 0;
        clock_.advance_to(until);
    }
    void wake() override {}

  private:
    core::VirtualClock& clock_;
    int idle_ = 0;  // the turn that ends a task has nothing to wait for either
};

class TestLoop {
  public:
    TestLoop() : clock_(core::WallTime{std::chrono::seconds{1'784'000'000}}), time_(clock_) {}
    core::Reactor& reactor() { return reactor_; }
    core::Duration elapsed() const { return clock_.now().time_since_epoch(); }

    void run(core::Task<void> task) {
        core::TaskGroup group(reactor_);
        group.spawn(std::move(task));
        while (group.running() > 0)
            reactor_.turn(true);
        bool closed = false;
        core::TaskGroup closing(reactor_);
        closing.spawn(close(&group, &closed));
        while (!closed)
            reactor_.turn(true);
        while (closing.running() > 0)
            reactor_.turn(true);
    }

  private:
    static core::Task<void> close(core::TaskGroup* group, bool* closed) {
        co_await group->close();
        *closed = true;
    }
    core::VirtualClock clock_;
    JumpingTime time_;
    core::Reactor reactor_{clock_, time_};
};

// Plays pieces of input, each after a delay, then ends the stream, or stays silent for ever.
class ScriptedStream final : public core::ByteStream {
  public:
    explicit ScriptedStream(core::Reactor& reactor)
        : reactor_(reactor), arrival_(*this), deadline_(*this) {
        peer_ = core::SocketAddress::parse("192.0.2.7:4711").value();
        local_ = core::SocketAddress::parse("192.0.2.1:8025").value();
    }
    ~ScriptedStream() override {
        if (arrival_.armed()) reactor_.timers().disarm(arrival_);
        if (deadline_.armed()) reactor_.timers().disarm(deadline_);
    }

    void say(std::string octets, core::Duration delay = {}) {
        script_.push_back({std::move(octets), delay});
    }
    // A read answers so much of a piece, as a socket's does; the rest is there already.
    void read_at_most(std::size_t octets) { most_ = octets; }
    void stay_silent() { silent_ = true; }
    void set_peer(std::string_view address) { peer_ = core::SocketAddress::parse(address).value(); }
    const std::string& heard() const { return heard_; }
    std::size_t writes() const { return writes_; }
    std::size_t unread() const {
        std::size_t octets = current_.size() - offset_;
        for (const Piece& piece : script_)
            octets += piece.octets.size();
        return octets;
    }
    void break_writes() { writes_fail_ = true; }
    void break_writes_after(std::size_t count) { writes_left_ = count; }

    bool has_input() const override { return offset_ < current_.size(); }
    void consume(std::size_t length) override {
        PH_ASSERT(length <= current_.size() - offset_);
        offset_ += length;
    }
    void set_deadline(core::Instant deadline) override {
        if (failure_ == ETIMEDOUT) failure_ = 0;
        if (deadline_.armed()) reactor_.timers().disarm(deadline_);
        if (deadline != core::kNever) reactor_.timers().arm(deadline_, deadline);
    }
    void abort() override { fail(ECANCELED); }
    void interrupt() override {
        if (!reader_) return;
        interrupted_ = true;
        wake();
    }
    core::Task<void> close() override { co_return; }
    const core::SocketAddress& peer() const override { return peer_; }
    const core::SocketAddress& local() const override { return local_; }

  protected:
    bool read_ready() override {
        if (failure_ != 0 || has_input()) return true;
        if (script_.empty()) return !silent_;
        if (script_.front().delay > core::Duration{}) return false;
        next_piece();
        return true;
    }
    void wait_readable(std::coroutine_handle<> reader) override {
        reader_ = reader;
        if (script_.empty() || arrival_.armed()) return;
        reactor_.timers().arm(arrival_, reactor_.now() + script_.front().delay);
    }
    core::IoResult<std::string_view> take_input() override {
        if (failure_ != 0) return core::io_error(failure_);
        if (std::exchange(interrupted_, false)) return core::io_error(EINTR);
        return std::string_view(current_).substr(offset_, most_);
    }
    bool start_write(std::span<const iovec> parts, std::coroutine_handle<>) override {
        if (failure_ != 0 || writes_fail_) return false;
        ++writes_;
        if (writes_ > writes_left_) writes_fail_ = true;
        if (writes_fail_) return false;
        for (const iovec& part : parts) {
            heard_.append(static_cast<const char*>(part.iov_base), part.iov_len);
        }
        return false;
    }
    core::IoResult<void> write_result() override {
        if (failure_ != 0) return core::io_error(failure_);
        if (writes_fail_) return core::io_error(EPIPE);
        return {};
    }

  private:
    struct Piece {
        std::string octets;
        core::Duration delay;
    };
    class Arrival final : public core::Timer {
      public:
        explicit Arrival(ScriptedStream& stream) : stream_(stream) {}
        void expire() override {
            stream_.next_piece();
            stream_.wake();
        }

      private:
        ScriptedStream& stream_;
    };
    class Deadline final : public core::Timer {
      public:
        explicit Deadline(ScriptedStream& stream) : stream_(stream) {}
        void expire() override { stream_.fail(ETIMEDOUT); }

      private:
        ScriptedStream& stream_;
    };

    void next_piece() {
        current_ = std::move(script_.front().octets);
        offset_ = 0;
        script_.pop_front();
    }
    void fail(int error) {
        failure_ = error;
        wake();
    }
    void wake() {
        if (reader_) reactor_.schedule(std::exchange(reader_, {}));
    }

    core::Reactor& reactor_;
    core::SocketAddress peer_;
    core::SocketAddress local_;
    std::deque<Piece> script_;
    std::string current_;
    std::size_t offset_ = 0;
    std::size_t most_ = SIZE_MAX;  // octets of a read
    bool silent_ = false;
    bool writes_fail_ = false;
    bool interrupted_ = false;
    int failure_ = 0;
    std::string heard_;
    std::size_t writes_ = 0;
    std::size_t writes_left_ = SIZE_MAX;
    std::coroutine_handle<> reader_;
    Arrival arrival_;
    Deadline deadline_;
};

}  // namespace core::test
