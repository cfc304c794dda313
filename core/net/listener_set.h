// ListenerSet: the listeners of one server on one shard. It opens them, accepts from each in a task
// of its own and hands every connection to the server. Owned by the server, on its shard.
//
//   open() once per address · start(serve) · at the end: co_await stop(), then co_await close()
//
// After stop() every connection that was accepted has been served, and no more come; the sockets
// still exist, so clients are not refused while others may listen there. Limits: those of Listener.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/io/shard.h"
#include "core/net/listener.h"
#include "core/net/listening_sockets.h"
#include "core/runtime/task.h"
#include "core/runtime/task_group.h"

namespace core {

class ListenerSet {
  public:
    // Takes over a connection; must not wait.
    using Serve = std::function<void(std::unique_ptr<TcpStream> stream)>;

    explicit ListenerSet(Shard& shard, Listener::Knows knows = {});

    // Listens with the sockets that were passed for the address, or opens one and remembers it for
    // the next process. Answers the address with the port that was chosen for port 0.
    IoResult<SocketAddress> open(const SocketAddress& address, Sharing sharing = Sharing::join,
                                 ListeningSockets* sockets = nullptr);
    std::vector<SocketAddress> addresses() const;
    void start(Serve serve);
    Task<void> stop();
    Task<void> close();

  private:
    Task<void> accept_from(Listener* listener);
    IoResult<void> open_one(const SocketAddress& address, Sharing sharing,
                            ListeningSockets* sockets);

    Shard& shard_;
    const Listener::Knows knows_;
    Serve serve_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    TaskGroup accepting_;
};

}  // namespace core
