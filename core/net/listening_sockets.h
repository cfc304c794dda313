// ListeningSockets: the sockets that a program listens with, so that they outlive it. Some come
// from whoever started it (systemd: sd_listen_fds(3)) or from the process before it
// (relay/node/handover); a shard adopts its share of them instead of opening its own. All of them,
// its own too, can be given to the next process. A connection that arrives between two processes
// waits in the socket's backlog instead of being refused. Owned by the node, used by all shards:
// add() and share() may be called on any thread. It holds duplicates, which close() lets go: else
// nobody would answer what arrives during the last drain.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/io/io_backend.h"

namespace core {

class ListeningSockets {
  public:
    ListeningSockets() = default;
    ListeningSockets(ListeningSockets&& other) noexcept;
    ListeningSockets& operator=(ListeningSockets&&) = delete;
    ~ListeningSockets() { close(); }

    // Takes over a descriptor that was passed; a sentence when it is no listening TCP socket.
    Result<void> adopt(Handle handle);
    // The descriptors that LISTEN_FDS and LISTEN_PID of the environment name; none without them, or
    // when they are meant for another process. The variables go, so that no child believes them.
    Result<void> adopt_from_environment();
    // Remembers a socket that a shard opened itself, for the next process.
    void add(const SocketAddress& address, Handle handle);

    // New descriptors of the passed sockets at the address that are the shard's to accept from:
    // every socket has a shard, and every shard a socket. Empty: none was passed.
    std::vector<Handle> share(const SocketAddress& address, std::size_t shard, std::size_t shards);
    // Addresses of passed sockets that no shard asked for.
    std::vector<SocketAddress> unclaimed();

    std::vector<Handle> handles();  // all of them, still owned by this
    // Somebody, who started this process or comes after it, listens on when it ends.
    void keep();
    bool are_kept();
    void close();

  private:
    struct Socket {
        SocketAddress address;
        Handle handle;
        bool passed;
        bool claimed;
    };
    std::mutex mutex_;
    std::vector<Socket> sockets_;
    bool kept_ = false;
};

}  // namespace core
