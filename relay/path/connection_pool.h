// ConnectionPool: the connections of a path: which are opening, busy, idle, and which were woken.
// It says how many a backlog wants within a limit that it is given, wakes the one used last first,
// and makes connections end that are too many. It neither makes nor owns them. Owned by the path,
// on its shard. Limit: the caller adds none above the limit that it gives to lacks().
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "relay/delivery/worker.h"

namespace relay {

class ConnectionPool {
  public:
    static constexpr std::size_t kBacklogPerConnection = 8;

    ~ConnectionPool();

    bool empty() const { return all_.empty(); }
    std::size_t size() const { return all_.size(); }
    std::size_t opening() const { return opening_; }
    std::size_t idle() const { return idle_.size(); }

    // One that begins to open. It is on the list until remove().
    void add(Worker& worker);
    void established(Worker& worker);
    void becomes_idle(Worker& worker);
    // It stopped waiting, for work or for any other reason.
    void becomes_busy(Worker& worker);
    void remove(Worker& worker);

    // One more would have work: none is idle, and a backlog of so many recipients wants more than
    // there are.
    bool lacks(std::size_t backlog, std::size_t limit) const;
    // Wakes idle ones, one for every kBacklogPerConnection recipients.
    void wake_for(std::size_t backlog);
    void wake_all();
    // The idle one used last ends, so that its place is free. False: none is idle.
    bool retire_idle();
    void retire_beyond(std::size_t limit);
    void retire_all() { retire_beyond(0); }
    void abort_opening();
    void abort_all();

    // One with this host took more messages than so many.
    bool carries_more(const std::string& endpoint, std::size_t messages) const;

  private:
    Worker& take_idle();

    std::vector<Worker*> all_;
    std::vector<Worker*> idle_;  // used last is last
    std::size_t opening_ = 0;
    std::size_t woken_ = 0;
};

}  // namespace relay
