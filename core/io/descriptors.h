// Descriptors: shares the file descriptors of the process between those who open connections. A
// connection takes a lease before it is opened, or right after it was accepted, and gives it back
// after closing. What is not leased stays for the spool, the event log, DNS, HTTPS and reloads. One
// for all shards; every call is safe on any thread, is made once a connection, and neither locks
// nor waits. Without set_limit() everything is granted.
// Limits, of the room that set_limit() finds: kReserve is never leased; strangers have a quarter of
// the room, all who come to us three quarters, all whom we call three quarters. Beyond that a
// client is told so and closed (Use::farewell, at most kFarewells at a time, then it is closed
// without a word), and a call to a server waits (core/net/connector.h).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/io/held_input.h"

namespace core {

class Descriptors {
  public:
    static constexpr std::size_t kReserve = 32;
    static constexpr std::size_t kReservePerShard = 8;
    static constexpr std::size_t kFarewells = 8;
    static constexpr std::size_t kLeastRoom = 8;
    static constexpr std::size_t kPlenty = 8192;

    enum class Use : std::uint8_t { stranger, client, server, farewell };
    static constexpr std::size_t kUses = 4;

    // One descriptor. Empty: there was none to be had.
    class Lease {
      public:
        Lease() = default;
        Lease(Lease&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)), use_(other.use_) {}
        Lease& operator=(Lease&& other) noexcept {
            std::swap(owner_, other.owner_);
            std::swap(use_, other.use_);
            return *this;
        }
        ~Lease() {
            if (owner_ != nullptr) owner_->give_back(use_);
        }
        explicit operator bool() const { return owner_ != nullptr; }
        Use use() const { return use_; }

      private:
        friend class Descriptors;
        Lease(Descriptors& owner, Use use) : owner_(&owner), use_(use) {}
        Descriptors* owner_ = nullptr;
        Use use_ = Use::server;
    };

    // may_open: RLIMIT_NOFILE. open: how many are open now, without connections.
    void set_limit(std::size_t may_open, std::size_t open, std::size_t shards);
    Lease take(Use use);
    Lease take(Party party) { return take(static_cast<Use>(party)); }

    std::size_t room() const { return room_.load(std::memory_order_relaxed); }
    std::size_t leased() const;
    std::size_t leased(Use use) const { return count(use).load(std::memory_order_relaxed); }
    // Enough to accept without counting each one first.
    bool plentiful() const;

    // RLIMIT_NOFILE, raised to what the process may have; and how many are open.
    static std::size_t raise_limit();
    static std::size_t count_open();

  private:
    std::atomic<std::size_t>& count(Use use) { return counts_[static_cast<std::size_t>(use)]; }
    const std::atomic<std::size_t>& count(Use use) const {
        return counts_[static_cast<std::size_t>(use)];
    }
    bool fits(Use use) const;
    void give_back(Use use) { count(use).fetch_sub(1, std::memory_order_relaxed); }

    std::atomic<std::size_t> room_{SIZE_MAX / 4};
    std::array<std::atomic<std::size_t>, kUses> counts_{};
};

}  // namespace core
