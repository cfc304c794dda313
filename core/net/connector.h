// connect: opens a TCP connection from an optional source address within a deadline.
// Errors: ETIMEDOUT at the deadline, else what connect(2) says. No retries, no name lookups. With a
// source: EADDRNOTAVAIL if this machine does not have it, EADDRINUSE if no port of it is left
// towards the peer.
// Without a descriptor for it (Descriptors, EMFILE, ENFILE) it waits, up to kLongestWait, by which
// the deadline moves: it is no fault of the peer. Then the error is EMFILE. Who may have to end it
// early gives a ConnectStop, which outlives it: stop() ends it as the deadline does.
#pragma once

#include <memory>
#include <optional>

#include "core/base/result.h"
#include "core/io/shard.h"
#include "core/net/tcp_stream.h"
#include "core/runtime/task.h"

namespace core {

inline constexpr Duration kLongestWait = std::chrono::minutes{5};  // for a descriptor

class ConnectStop {
  public:
    void stop() {
        stopped_ = true;
        if (deadline_ != nullptr) deadline_->expire();
    }
    bool stopped() const { return stopped_; }

  private:
    friend class ConnectUnderWay;
    Timer* deadline_ = nullptr;  // of what is under way
    bool stopped_ = false;
};

Task<IoResult<std::unique_ptr<TcpStream>>> connect(Shard& shard, SocketAddress peer,
                                                   std::optional<SocketAddress> source,
                                                   Instant deadline, ConnectStop* stop = nullptr);

}  // namespace core
