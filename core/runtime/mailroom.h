// Mailroom: all mailboxes between N shards, and the rule for waking a sleeper: a shard is woken
// only if it announced that it sleeps, and at most once per turn of the sender (Inbox::flush).
// Created before the shards, outlives them; letters that nobody has opened by then are dropped.
// post() is called on the sending shard's thread, the Inbox side on the receiving shard's. The race
// between a letter and falling asleep is decided by one atomic exchange on the receiver's flag:
// either the sender sees "asleep" and wakes, or the receiver's later exchange sees the letter.
// Code above the engine sends by Shard::tell() and Shard::ask() (core/io/shard.h).
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "core/runtime/mailbox.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task_group.h"

namespace core {

class Mailroom {
  public:
    explicit Mailroom(std::size_t shards);
    ~Mailroom();

    std::size_t shards() const { return desks_.size(); }
    // Registers how to wake a shard. Before any letter is sent to it.
    void attach(std::size_t shard, EventSource& source);
    Inbox& inbox(std::size_t shard);
    // The tasks in which a shard answers what others ask; closing: it answers no more. Before any
    // shard asks it; read on that shard's thread only.
    void attach_answers(std::size_t shard, TaskGroup& answers);
    TaskGroup& answers(std::size_t shard);

    // Sends; a letter to oneself is delivered in the next turn like any other.
    void post(std::size_t from, std::size_t to, const Letter& letter);
    // From a thread that is no shard (signals, helper threads): rare, takes a lock.
    void post_from_outside(std::size_t to, const Letter& letter);
    // Letters that a shard has sent to others since the start. On its thread.
    std::uint64_t sent(std::size_t shard) const;

  private:
    class Desk;
    std::vector<std::unique_ptr<Desk>> desks_;
};

}  // namespace core
