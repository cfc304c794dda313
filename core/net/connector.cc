#include "core/net/connector.h"

#include <algorithm>
#include <utility>

#include "core/runtime/event.h"

namespace core {

// One connect in flight, awaited once; the deadline, or who stops it, cancels it and the last
// completion ends the wait.
class ConnectUnderWay final : public Operation, public Timer {
  public:
    ConnectUnderWay(Shard& shard, Handle handle, const SocketAddress& peer, Instant deadline,
                    ConnectStop* stop)
        : shard_(shard), handle_(handle), peer_(peer), deadline_(deadline), stop_(stop) {
        if (stop_ != nullptr) stop_->deadline_ = this;
    }
    ConnectUnderWay(const ConnectUnderWay&) = delete;
    ConnectUnderWay& operator=(const ConnectUnderWay&) = delete;
    ~ConnectUnderWay() override {
        if (stop_ != nullptr) stop_->deadline_ = nullptr;
    }

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
        waiter_ = waiter;
        shard_.io().start_connect(handle_, peer_, *this);
        if (deadline_ != kNever) shard_.reactor().timers().arm(*this, deadline_);
    }
    int await_resume() const noexcept { return timed_out_ && result_ < 0 ? -ETIMEDOUT : result_; }

    void expire() override {
        if (armed()) shard_.reactor().timers().disarm(*this);
        if (timed_out_ || !in_flight()) return;
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
    ConnectStop* stop_;
    std::coroutine_handle<> waiter_;
    int result_ = 0;
    bool timed_out_ = false;
};

namespace {

constexpr Duration kFirstWait = std::chrono::milliseconds{10};  // doubles up to
constexpr Duration kMostWait = std::chrono::seconds{1};

struct Socket {
    Handle handle = kNoHandle;
    Descriptors::Lease lease;
};

bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE;
}

IoResult<Socket> open_socket(Shard& shard, const SocketAddress& peer, const SocketAddress* source) {
    Descriptors::Lease lease = shard.descriptors().take(Party::server);
    if (!lease) return io_error(EMFILE);
    const auto handle = shard.io().open_socket(peer, source);
    if (!handle) return std::unexpected(handle.error());
    return Socket{*handle, std::move(lease)};
}

}  // namespace

Task<IoResult<std::unique_ptr<TcpStream>>> connect(Shard& shard, SocketAddress peer,
                                                   std::optional<SocketAddress> source,
                                                   Instant deadline, ConnectStop* stop) {
    auto socket = open_socket(shard, peer, source ? &*source : nullptr);
    const Instant begun = shard.now();
    Duration wait = kFirstWait;
    const auto stopped = [stop] { return stop != nullptr && stop->stopped(); };
    while (!socket && is_shortage(socket.error().value()) && !stopped() &&
           shard.now() - begun < kLongestWait) {
        Event never(shard.reactor());
        co_await never.wait(shard.now() + wait);
        wait = std::min(2 * wait, kMostWait);
        socket = open_socket(shard, peer, source ? &*source : nullptr);
    }
    if (!socket) co_return std::unexpected(socket.error());
    if (deadline != kNever) deadline += shard.now() - begun;
    const Handle handle = socket->handle;
    int result = 0;
    {
        ConnectUnderWay operation(shard, handle, peer, stopped() ? Instant{} : deadline, stop);
        result = co_await operation;
    }
    if (result < 0) {
        shard.io().close(handle, false);
        if (source && result == -EADDRNOTAVAIL) result = -EADDRINUSE;  // it was bound
        co_return io_error(-result);
    }
    const SocketAddress local = shard.io().local_address(handle).value_or(SocketAddress{});
    co_return std::make_unique<TcpStream>(shard, handle, peer, local, Party::server,
                                          std::move(socket->lease));
}

}  // namespace core
