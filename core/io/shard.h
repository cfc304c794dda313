// Shard: what one thread owns of the engine: clock, I/O backend, reactor, random numbers, its place
// in the mailroom, the count of what its streams hold. Built on its own thread (io_uring binds to
// it). Everything above the engine gets a Shard& and takes what it needs. A simulation builds
// several on one thread with its own backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/base/prng.h"
#include "core/io/descriptors.h"
#include "core/io/held_input.h"
#include "core/io/io_backend.h"
#include "core/runtime/ask.h"
#include "core/runtime/clock.h"
#include "core/runtime/mailroom.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task_group.h"

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
          answers_(reactor_),
          prng_(seed),
          descriptors_(descriptors) {
        mailroom.attach(id, io);
        mailroom.attach_answers(id, answers_);
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

    // Runs call() on the other shard, in order with everything else told and asked there: a small
    // callable (core/runtime/letter.h), whose referents live until then.
    template <typename Call>
    void tell(std::size_t to, Call call) {
        mailroom_.post(id_, to, Letter::of(std::move(call)));
    }
    // The same with a callable that owns things; it is destroyed there. Allocates.
    template <typename Call>
    void tell_owning(std::size_t to, Call call) {
        mailroom_.post(id_, to, Letter::owning(std::move(call)));
    }
    // What call() returned on the other shard, or nothing when that has ended: core/runtime/ask.h.
    template <typename Call>
    auto ask(std::size_t to, Call call) {
        return core::ask(mailroom_, reactor_, id_, to, std::move(call));
    }
    // Finishes the answers that are being worked out; who asks from now on gets none. Before what
    // answers need is destroyed.
    Task<void> stop_answering() { return answers_.close(); }
    // Letters sent to other shards since the start.
    std::uint64_t letters_sent() const { return mailroom_.sent(id_); }

  private:
    std::size_t id_;
    IoBackend& io_;
    Mailroom& mailroom_;
    Reactor reactor_;
    TaskGroup answers_;
    Prng prng_;
    HeldInput held_input_;
    Descriptors* descriptors_;
    Descriptors unlimited_;
};

}  // namespace core
