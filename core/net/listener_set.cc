#include "core/net/listener_set.h"

#include <utility>

#include "core/base/assert.h"

namespace core {

ListenerSet::ListenerSet(Shard& shard, Listener::Knows knows)
    : shard_(shard), knows_(std::move(knows)), accepting_(shard.reactor()) {}

IoResult<SocketAddress> ListenerSet::open(const SocketAddress& address, Sharing sharing,
                                          ListeningSockets* sockets) {
    const std::size_t first = listeners_.size();
    if (sockets != nullptr) {
        for (const Handle handle : sockets->share(address, shard_.id(), shard_.count())) {
            listeners_.push_back(std::make_unique<Listener>(shard_, knows_));
            listeners_.back()->adopt(handle);
        }
    }
    if (listeners_.size() == first) {
        if (auto opened = open_one(address, sharing, sockets); !opened) {
            return std::unexpected(opened.error());
        }
    }
    return listeners_[first]->address();
}

IoResult<void> ListenerSet::open_one(const SocketAddress& address, Sharing sharing,
                                     ListeningSockets* sockets) {
    auto listener = std::make_unique<Listener>(shard_, knows_);
    if (auto opened = listener->open(address, sharing); !opened) return opened;
    if (sockets != nullptr) sockets->add(listener->address(), listener->handle());
    listeners_.push_back(std::move(listener));
    return {};
}

std::vector<SocketAddress> ListenerSet::addresses() const {
    std::vector<SocketAddress> all;
    for (const auto& listener : listeners_)
        all.push_back(listener->address());
    return all;
}

void ListenerSet::start(Serve serve) {
    PH_ASSERT(!serve_);
    serve_ = std::move(serve);
    for (const auto& listener : listeners_)
        accepting_.spawn(accept_from(listener.get()));
}

Task<void> ListenerSet::accept_from(Listener* listener) {
    for (;;) {
        std::unique_ptr<TcpStream> stream = co_await listener->accept();
        if (stream == nullptr) co_return;
        serve_(std::move(stream));
    }
}

Task<void> ListenerSet::stop() {
    for (const auto& listener : listeners_)
        listener->stop();
    co_await accepting_.close();
}

Task<void> ListenerSet::close() {
    for (const auto& listener : listeners_)
        co_await listener->close();
}

}  // namespace core
