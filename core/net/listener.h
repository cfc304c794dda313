// Listener: accepts connections on one address of one shard (SO_REUSEPORT spreads them over
// shards). accept() answers the next connection; more than kMaxBacklog accepted but unserved
// connections are closed at once. After stop(), accept() answers what was accepted before, and then
// null. Each connection takes a descriptor from the shard's Descriptors. One that gets none is
// answered with excess() set, to be told so and closed; when there are many of those it is closed
// here. While descriptors are few, connections are accepted one at a time, so that a burst of them
// does not use up what the spool needs. Out of descriptors all the same (EMFILE, ENFILE, ENOBUFS,
// ENOMEM), accepting pauses for kRearmDelay; it is logged when that begins and when it is over.
#pragma once

#include <deque>
#include <functional>
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

    // Which addresses are clients; others are strangers, who may hold less. Empty: all are clients.
    using Knows = std::function<bool(const IpAddress& peer)>;

    explicit Listener(Shard& shard, Knows knows = {});
    ~Listener();
    IoResult<void> open(const SocketAddress& address, Sharing sharing = Sharing::join);
    // Listens with a socket that was passed to this process; it is the listener's from now on.
    void adopt(Handle handle);
    Handle handle() const { return handle_; }
    const SocketAddress& address() const { return address_; }  // with the port chosen for port 0
    Task<std::unique_ptr<TcpStream>> accept();
    // Refuses new connections; awaits the last completion, then closes the socket.
    Task<void> close();
    void stop();

    static constexpr Duration kRearmDelay = std::chrono::milliseconds{100};

  private:
    class Accept;
    void begin(Handle handle);
    std::unique_ptr<TcpStream> stream_of(Handle handle);
    Shard& shard_;
    const Knows knows_;
    Handle handle_ = kNoHandle;
    SocketAddress address_;
    std::unique_ptr<Accept> accept_;
    std::deque<Handle> accepted_;
    Event arrived_;
    bool stopped_ = false;
};

}  // namespace core
