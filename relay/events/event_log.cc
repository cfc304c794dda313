#include "relay/events/event_log.h"

#include <chrono>
#include <utility>

#include <pthread.h>
#include <signal.h>

#include "core/base/log.h"
#include "relay/events/event_file.h"

namespace relay {
namespace {

core::WallTime wall_now() {
    return std::chrono::time_point_cast<core::Duration>(std::chrono::system_clock::now());
}

// Old files go even when nothing is written.
constexpr std::chrono::hours kRemoveEvery{1};

// A disk that is full refuses every batch: one line a minute says so.
constexpr std::chrono::minutes kComplainEvery{1};

}  // namespace

core::Result<std::unique_ptr<EventLog>> EventLog::open(EventLogOptions options) {
    auto file = std::make_unique<EventFile>(options.directory, options.rotate_size, options.keep);
    if (const auto opened = file->open(wall_now()); !opened) {
        return core::failure("cannot write the event log " + file->path().string() + ": " +
                             opened.error().message());
    }
    return std::unique_ptr<EventLog>(new EventLog(std::move(file)));
}

EventLog::EventLog(std::unique_ptr<EventFile> file) : file_(std::move(file)) {
    // Signals are for the threads that wait for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread_.native_handle(), "events");
}

EventLog::~EventLog() {
    close();
}

void EventLog::take(EventBatch batch) {
    std::deque<EventBatch> shed;  // freed outside the lock
    {
        const std::lock_guard lock(mutex_);
        if (closing_) {
            dropped_.fetch_add(batch.records, std::memory_order_relaxed);
            return;
        }
        queued_octets_ += batch.lines.size();
        queue_.push_back(std::move(batch));
        while (queued_octets_ > kMostQueued && queue_.size() > 1) {
            queued_octets_ -= queue_.front().lines.size();
            dropped_.fetch_add(queue_.front().records, std::memory_order_relaxed);
            shed.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
    }
    arrived_.notify_one();
}

void EventLog::close() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    arrived_.notify_one();
    if (thread_.joinable()) thread_.join();
}

std::optional<EventBatch> EventLog::next(bool& last) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, kRemoveEvery, [this] { return closing_ || !queue_.empty(); });
    std::optional<EventBatch> batch;
    if (!queue_.empty()) {
        batch = std::move(queue_.front());
        queue_.pop_front();
        queued_octets_ -= batch->lines.size();
    }
    last = closing_ && queue_.empty();
    return batch;
}

void EventLog::run() {
    auto silent_until = std::chrono::steady_clock::time_point::min();
    for (bool last = false; !last;) {
        const std::optional<EventBatch> batch = next(last);
        if (!batch) {
            file_->remove_old(wall_now());
            continue;
        }
        const auto written = file_->append(batch->lines, wall_now());
        if (written) {
            written_.fetch_add(batch->records, std::memory_order_relaxed);
            continue;
        }
        dropped_.fetch_add(batch->records, std::memory_order_relaxed);
        const auto now = std::chrono::steady_clock::now();
        if (now < silent_until) continue;
        silent_until = now + kComplainEvery;
        core::log_error("event log {}: {}; records are lost until this is mended",
                        file_->path().string(), written.error().message());
    }
}

}  // namespace relay
