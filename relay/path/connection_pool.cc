#include "relay/path/connection_pool.h"

#include <algorithm>

#include "core/base/assert.h"

namespace relay {

using Stage = Worker::Stage;

ConnectionPool::~ConnectionPool() {
    PH_ASSERT(all_.empty());
}

void ConnectionPool::add(Worker& worker) {
    PH_ASSERT(worker.stage_ == Stage::opening);
    all_.push_back(&worker);
    ++opening_;
}

void ConnectionPool::established(Worker& worker) {
    PH_ASSERT(worker.stage_ == Stage::opening && opening_ > 0);
    worker.stage_ = Stage::busy;
    --opening_;
}

void ConnectionPool::becomes_idle(Worker& worker) {
    PH_ASSERT(worker.stage_ == Stage::busy);
    worker.stage_ = Stage::idle;
    idle_.push_back(&worker);
}

void ConnectionPool::becomes_busy(Worker& worker) {
    PH_ASSERT(worker.stage_ == Stage::idle || worker.stage_ == Stage::woken);
    if (worker.stage_ == Stage::idle) std::erase(idle_, &worker);
    if (worker.stage_ == Stage::woken) --woken_;
    worker.stage_ = Stage::busy;
}

void ConnectionPool::remove(Worker& worker) {
    PH_ASSERT(worker.stage_ == Stage::opening || worker.stage_ == Stage::busy);
    if (worker.stage_ == Stage::opening) --opening_;
    std::erase(all_, &worker);
}

bool ConnectionPool::lacks(std::size_t backlog, std::size_t limit) const {
    const std::size_t by_backlog = (backlog + kBacklogPerConnection - 1) / kBacklogPerConnection;
    return idle_.empty() && all_.size() < std::min(by_backlog, limit);
}

Worker& ConnectionPool::take_idle() {
    Worker& worker = *idle_.back();
    idle_.pop_back();
    worker.stage_ = Stage::woken;
    ++woken_;
    return worker;
}

void ConnectionPool::wake_for(std::size_t backlog) {
    while (!idle_.empty() && woken_ * kBacklogPerConnection < backlog)
        take_idle().wake();
}

void ConnectionPool::wake_all() {
    while (!idle_.empty())
        take_idle().wake();
}

bool ConnectionPool::retire_idle() {
    if (idle_.empty()) return false;
    take_idle().retire();
    return true;
}

void ConnectionPool::retire_beyond(std::size_t limit) {
    for (std::size_t i = limit; i < all_.size(); ++i)
        all_[i]->retire();
}

void ConnectionPool::abort_opening() {
    for (Worker* worker : all_) {
        if (worker->stage_ == Stage::opening) worker->abort();
    }
}

void ConnectionPool::abort_all() {
    for (Worker* worker : all_)
        worker->abort();
}

bool ConnectionPool::carries_more(const std::string& endpoint, std::size_t messages) const {
    return std::ranges::any_of(all_, [&](const Worker* one) {
        return one->completed() > messages && one->endpoint() == endpoint;
    });
}

}  // namespace relay
