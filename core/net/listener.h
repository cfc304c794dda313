// Listener: accepts connections on one address of one shard (SO_REUSEPORT spreads them over
// shards). accept() answers the next connection; more than kMaxBacklog accepted but unserved
// connections are closed at once. stop() makes a pending and every later accept() answer null.
#pragma once

#include <deque>
#include <memory>

#include "core/base/result.h"
#include "core/io/shard.h"
#include "core/net/tcp_stream.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"

namespace core {

class Listener {
  public:
    static constexpr std::size_t kMaxBacklog = 1024;

    explicit Listener(Shard& shard);
    ~Listener();
    IoResult<void> open(const SocketAddress& address);
    const SocketAddress& address() const { return address_; }  // with the port chosen for port 0
    Task<std::unique_ptr<TcpStream>> accept();
    // Refuses new connections; awaits the last completion, then closes the socket.
    Task<void> close();
    void stop();

  private:
    class Accept;
    Shard& shard_;
    Handle handle_ = kNoHandle;
    SocketAddress address_;
    std::unique_ptr<Accept> accept_;
    std::deque<Handle> accepted_;
    Event arrived_;
    bool stopped_ = false;
};

}  // namespace core
