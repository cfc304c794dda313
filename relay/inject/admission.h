// Admission: who may come in by a listener, and how many at once. One per listener, shared by the
// shards that serve it: every call is safe on any thread. It is asked once a connection, never once
// a message, so a lock is fine. Only the address of the peer counts, never what the client says.
// Limits: max_connections in all; kStrangersPerAddress connections for an address outside `allow`.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "core/base/address.h"

namespace relay {

class Admission {
  public:
    // A stranger may talk to us but not relay; a few connections are enough to be told so.
    static constexpr std::size_t kStrangersPerAddress = 20;

    Admission(std::vector<core::IpNetwork> allow, std::size_t max_connections)
        : allow_(std::move(allow)), max_connections_(max_connections) {}

    // May this client relay? An IPv4-mapped address counts as the IPv4 address.
    bool allows(const core::IpAddress& client) const;

    // A connection comes: true when there is room, and then leave() must follow.
    bool enter(const core::IpAddress& client);
    void leave(const core::IpAddress& client);
    std::size_t connections() const;

  private:
    const std::vector<core::IpNetwork> allow_;
    const std::size_t max_connections_;
    mutable std::mutex mutex_;
    std::size_t connections_ = 0;
    std::map<core::IpAddress, std::size_t> strangers_;
};

}  // namespace relay
