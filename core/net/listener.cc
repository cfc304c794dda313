#include "core/net/listener.h"

#include "core/base/log.h"

namespace core {

namespace {

constexpr Duration kRearmDelay = std::chrono::milliseconds{100};  // e.g. out of descriptors

}  // namespace

// The multishot accept and its restart after an error.
class Listener::Accept final : public Operation, public Timer {
  public:
    explicit Accept(Listener& listener) : listener_(listener) {}
    void start() { listener_.shard_.io().start_accept(listener_.handle_, *this); }
    void expire() override { start(); }

  private:
    void complete(const Completion& completion) override {
        Listener& owner = listener_;
        if (completion.result >= 0) {
            if (owner.stopped_ || owner.accepted_.size() >= kMaxBacklog) {
                owner.shard_.io().close(completion.result, true);
            } else {
                owner.accepted_.push_back(completion.result);
            }
        }
        if (!completion.more && !owner.stopped_) {
            if (completion.result < 0) {
                log_warning("accepting on {} failed: {}; trying again", owner.address_.to_string(),
                            error_from_errno(-completion.result).message());
                owner.shard_.reactor().timers().arm(*this, owner.shard_.now() + kRearmDelay);
            } else {
                start();
            }
        }
        owner.arrived_.notify_all();
    }

    Listener& listener_;
};

Listener::Listener(Shard& shard) : shard_(shard), arrived_(shard.reactor()) {}

Listener::~Listener() {
    PH_ASSERT(handle_ == kNoHandle);
}

IoResult<void> Listener::open(const SocketAddress& address) {
    auto handle = shard_.io().listen(address);
    if (!handle) return std::unexpected(handle.error());
    handle_ = *handle;
    address_ = shard_.io().local_address(handle_).value_or(address);
    accept_ = std::make_unique<Accept>(*this);
    accept_->start();
    return {};
}

Task<std::unique_ptr<TcpStream>> Listener::accept() {
    while (!stopped_) {
        if (accepted_.empty()) {
            co_await arrived_.wait();
            continue;
        }
        const Handle handle = accepted_.front();
        accepted_.pop_front();
        const auto peer = shard_.io().peer_address(handle);
        if (!peer) {  // gone already
            shard_.io().close(handle, true);
            continue;
        }
        const SocketAddress local = shard_.io().local_address(handle).value_or(address_);
        co_return std::make_unique<TcpStream>(shard_, handle, *peer, local);
    }
    co_return nullptr;
}

void Listener::stop() {
    if (stopped_) return;
    stopped_ = true;
    if (accept_ != nullptr) {
        if (accept_->armed()) shard_.reactor().timers().disarm(*accept_);
        shard_.io().cancel(*accept_);
    }
    arrived_.notify_all();
}

Task<void> Listener::close() {
    stop();
    if (handle_ == kNoHandle) co_return;
    while (accept_->in_flight())
        co_await arrived_.wait();
    for (const Handle handle : accepted_)
        shard_.io().close(handle, true);
    accepted_.clear();
    shard_.io().close(handle_, false);
    handle_ = kNoHandle;
}

}  // namespace core
