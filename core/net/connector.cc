#include "core/net/connector.h"

#include <utility>

namespace core {

namespace {

// One connect in flight, awaited once; the deadline cancels it and the last completion ends the
// wait.
class Connect final : public Operation, public Timer {
  public:
    Connect(Shard& shard, Handle handle, const SocketAddress& peer, Instant deadline)
        : shard_(shard), handle_(handle), peer_(peer), deadline_(deadline) {}

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
        waiter_ = waiter;
        shard_.io().start_connect(handle_, peer_, *this);
        if (deadline_ != kNever) shard_.reactor().timers().arm(*this, deadline_);
    }
    int await_resume() const noexcept { return timed_out_ && result_ < 0 ? -ETIMEDOUT : result_; }

    void expire() override {
        timed_out_ = true;
        shard_.io().cancel(*this);
    }

  private:
    void complete(const Completion& completion) override {
        if (armed()) shard_.reactor().timers().disarm(*this);
        result_ = completion.result;
        shard_.reactor().schedule(std::exchange(waiter_, {}));
    }

    Shard& shard_;
    Handle handle_;
    SocketAddress peer_;
    Instant deadline_;
    std::coroutine_handle<> waiter_;
    int result_ = 0;
    bool timed_out_ = false;
};

}  // namespace

Task<IoResult<std::unique_ptr<TcpStream>>> connect(Shard& shard, SocketAddress peer,
                                                   std::optional<SocketAddress> source,
                                                   Instant deadline) {
    const auto handle = shard.io().open_socket(peer, source ? &*source : nullptr);
    if (!handle) co_return std::unexpected(handle.error());
    int result = 0;
    {
        Connect operation(shard, *handle, peer, deadline);
        result = co_await operation;
    }
    if (result < 0) {
        shard.io().close(*handle, false);
        co_return io_error(-result);
    }
    const SocketAddress local = shard.io().local_address(*handle).value_or(SocketAddress{});
    co_return std::make_unique<TcpStream>(shard, *handle, peer, local);
}

}  // namespace core
