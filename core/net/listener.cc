#include "core/net/listener.h"

#include <utility>

#include "core/base/log.h"

namespace core {

// The accept that is always in flight, and its restart after an error.
class Listener::Accept final : public Operation, public Timer {
  public:
    explicit Accept(Listener& listener) : listener_(listener) {}
    void start() {
        const bool plentiful = listener_.shard_.descriptors().plentiful();
        shots_ = plentiful ? Shots::many : Shots::one;
        listener_.shard_.io().start_accept(listener_.handle_, *this, shots_);
    }
    void expire() override { start(); }

  private:
    void complete(const Completion& completion) override {
        Listener& owner = listener_;
        if (completion.result >= 0) {
            if (owner.accepted_.size() >= kMaxBacklog) {
                owner.shard_.io().close(completion.result, true);
            } else {
                owner.accepted_.push_back(completion.result);
            }
        }
        note(completion.result);
        if (!completion.more && !owner.stopped_) {
            if (completion.result < 0 && completion.result != -ECANCELED) {
                owner.shard_.reactor().timers().arm(*this, owner.shard_.now() + kRearmDelay);
            } else {
                start();
            }
        } else if (shots_ == Shots::many && !owner.shard_.descriptors().plentiful()) {
            shots_ = Shots::one;  // once this one has ended
            owner.shard_.io().cancel(*this);
        }
        owner.arrived_.notify_all();
    }

    void note(int result) {
        const bool fails = result < 0 && result != -ECANCELED;
        if (fails == failing_ || listener_.stopped_) return;
        failing_ = fails;
        const std::string address = listener_.address_.to_string();
        if (fails) {
            log_warning("accepting on {} fails: {}; trying again every {} ms", address,
                        error_from_errno(-result).message(),
                        kRearmDelay / std::chrono::milliseconds{1});
        } else {
            log_info("accepting on {} works again", address);
        }
    }

    Listener& listener_;
    Shots shots_ = Shots::many;
    bool failing_ = false;
};

Listener::Listener(Shard& shard, Knows knows)
    : shard_(shard), knows_(std::move(knows)), arrived_(shard.reactor()) {}

Listener::~Listener() {
    PH_ASSERT(handle_ == kNoHandle);
}

IoResult<void> Listener::open(const SocketAddress& address, Sharing sharing) {
    auto handle = shard_.io().listen(address, sharing);
    if (!handle) return std::unexpected(handle.error());
    address_ = address;
    begin(*handle);
    return {};
}

void Listener::adopt(Handle handle) {
    shard_.io().adopt_listener(handle);
    begin(handle);
}

void Listener::begin(Handle handle) {
    PH_ASSERT(handle_ == kNoHandle);
    handle_ = handle;
    address_ = shard_.io().local_address(handle_).value_or(address_);
    accept_ = std::make_unique<Accept>(*this);
    accept_->start();
}

Task<std::unique_ptr<TcpStream>> Listener::accept() {
    for (;;) {
        if (accepted_.empty()) {
            if (stopped_ && (accept_ == nullptr || !accept_->in_flight())) co_return nullptr;
            co_await arrived_.wait();
            continue;
        }
        const Handle handle = accepted_.front();
        accepted_.pop_front();
        auto stream = stream_of(handle);
        if (stream != nullptr) co_return std::move(stream);
        shard_.io().close(handle, true);
    }
}

// Null: the peer is gone already, or there is no descriptor for it.
std::unique_ptr<TcpStream> Listener::stream_of(Handle handle) {
    const auto peer = shard_.io().peer_address(handle);
    if (!peer) return nullptr;
    const SocketAddress local = shard_.io().local_address(handle).value_or(address_);
    const Party party = !knows_ || knows_(peer->ip) ? Party::client : Party::stranger;
    Descriptors::Lease lease = shard_.descriptors().take(party);
    if (!lease) lease = shard_.descriptors().take(Descriptors::Use::farewell);
    if (!lease) return nullptr;
    return std::make_unique<TcpStream>(shard_, handle, *peer, local, party, std::move(lease));
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
