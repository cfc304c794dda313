// Admission: who may come in by a listener, and how many at once. One per listener, shared by the
// shards that serve it: every call is safe on any thread. It is asked once a connection, never once
// a message, so a lock is fine. Only the address of the peer counts, never what the client says. An
// IPv6 address stands for its network of 64 bits, of which one machine has every address.
// Limits: clients in `allow` have max_connections places, of which one address takes nine tenths
// where there are kManyPlaces or more. Strangers have places beside those, so that they take
// none from clients: a tenth as many, at most kStrangers, and kStrangersPerAddress for an address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "core/base/address.h"
#include "core/net/entry.h"

namespace relay {

// The address itself, or of an IPv6 address the first 64 bits.
core::IpAddress client_network(const core::IpAddress& client);

class Admission {
  public:
    // A stranger may talk to us but not relay; a few connections are enough to be told so.
    static constexpr std::size_t kStrangersPerAddress = 20;
    static constexpr std::size_t kStrangers = 128;
    static constexpr std::size_t kManyPlaces = 100;

    using Entry = core::Entry;

    Admission(std::vector<core::IpNetwork> allow, std::size_t max_connections);

    // May this client relay? An IPv4-mapped address counts as the IPv4 address.
    bool allows(const core::IpAddress& client) const;

    // A connection comes; client and stranger are in, and leave() must follow. replacing: another
    // stranger is being cut off for this one.
    Entry enter(const core::IpAddress& client, bool replacing = false);
    void leave(const core::IpAddress& client);
    std::size_t connections() const;
    std::size_t stranger_places() const { return stranger_places_; }

  private:
    struct Group {
        std::size_t open = 0;
        std::map<core::IpAddress, std::size_t> by_address;
    };

    const std::vector<core::IpNetwork> allow_;
    const std::size_t max_connections_;
    const std::size_t client_share_;  // of one address in allow
    const std::size_t stranger_places_;
    mutable std::mutex mutex_;
    Group clients_;
    Group strangers_;
};

}  // namespace relay
