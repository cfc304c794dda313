// Shard: what one thread owns of the engine: clock, I/O backend, reactor, random numbers, its place
// in the mailroom, the count of what its streams hold. Built on its own thread (io_uring binds to
// it). Everything above the engine gets a Shard& and takes what it needs. A simulation builds
// several on one thread with its own backend.
#pragma once

#include <cstddef>

#include "core/base/prng.h"
#include "core/io/descriptors.h"
#include "core/io/held_input.h"
#include "core/io/io_backend.h"
#include "core/runtime/clock.h"
#include "core/runtime/mailroom.h"
#include "core/runtime/reactor.h"

namespace core {

class Shard {
  public:
    // descriptors: shared by all shards of the process; null: without limit.
    Shard(std::size_t id, const Clock& clock, IoBackend& io, Mailroom& mailroom, std::uint64_t seed,
          Descriptors* descriptors = nullptr)
        : id_(id),
          io_(io),
          mailroom_(mailroom),
          reactor_(clock, io),
          prng_(seed),
          descriptors_(descriptors) {
        mailroom.attach(id, io);
        reactor_.set_inbox(&mailroom.inbox(id));
    }

    std::size_t id() const { return id_; }
    std::size_t count() const { return mailroom_.shards(); }
    IoBackend& io() { return io_; }
    Reactor& reactor() { return reactor_; }
    Prng& prng() { return prng_; }
    Mailroom& mailroom() { return mailroom_; }
    Descriptors& descriptors() { return descriptors_ != nullptr ? *descriptors_ : unlimited_; }
    HeldInput& held_input() { return held_input_; }
    const HeldInput& held_input() const { return held_input_; }
    Instant now() const { return reactor_.now(); }
    WallTime wall() const { return reactor_.wall(); }

    // Runs open(context, item) on the other shard, in order with everything else sent there.
    void send(std::size_t to, const Letter& letter) { mailroom_.post(id_, to, letter); }

  private:
    std::size_t id_;
    IoBackend& io_;
    Mailroom& mailroom_;
    Reactor reactor_;
    Prng prng_;
    HeldInput held_input_;
    Descriptors* descriptors_;
    Descriptors unlimited_;
};

}  // namespace core
