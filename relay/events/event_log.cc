#include "relay/events/event_log.h"

#include <chrono>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <signal.h>

#include "core/base/log.h"

namespace relay {
namespace {

core::WallTime wall_now() {
    return std::chrono::time_point_cast<core::Duration>(std::chrono::system_clock::now());
}

core::Instant monotonic_now() {
    return core::Instant(std::chrono::steady_clock::now().time_since_epoch());
}

// Old files go even when nothing is written, and what was counted is said.
constexpr std::chrono::minutes kLookEvery{1};

}  // namespace

core::Result<std::unique_ptr<EventLog>> EventLog::open(EventFileOptions options) {
    auto file = std::make_unique<EventFile>(std::move(options));
    if (const auto opened = file->open(wall_now()); !opened) {
        return core::failure("cannot write the event log " + file->path().string() + ": " +
                             opened.error().message());
    }
    return start(std::move(file));
}

core::Result<std::unique_ptr<EventLog>> EventLog::start(std::unique_ptr<EventFile> file) {
    std::unique_ptr<EventLog> log(new EventLog(std::move(file)));
    // Signals are for the threads that wait for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    core::Result<std::unique_ptr<EventLog>> result;
    try {
        log->thread_ = std::thread([started = log.get()] { started->run(); });
        pthread_setname_np(log->thread_.native_handle(), "events");
        result = std::move(log);
    } catch (const std::system_error& error) {
        result = core::failure("no thread for the event log: " + error.code().message());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return result;
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
            shed_.fetch_add(queue_.front().records, std::memory_order_relaxed);
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
    arrived_.wait_for(lock, kLookEvery, [this] { return closing_ || !queue_.empty(); });
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
    core::WallTime looked = wall_now();
    for (bool last = false; !last;) {
        const std::optional<EventBatch> batch = next(last);
        if (batch) write(*batch);
        const std::uint64_t shed = shed_.load(std::memory_order_relaxed);
        if (shed != shed_said_) {
            note("event log: records are lost: the disk is too slow",
                 std::to_string(shed - std::exchange(shed_said_, shed)) + " records");
        }
        log_.sweep(monotonic_now());
        const core::WallTime now = wall_now();
        if (batch && now >= looked && now - looked < kLookEvery) continue;
        looked = now;
        file_->remove_old(now);
    }
    log_.close(monotonic_now());
}

void EventLog::write(const EventBatch& batch) {
    const auto written = file_->append(batch.lines, wall_now());
    if (written) {
        written_.fetch_add(batch.records, std::memory_order_relaxed);
    } else {
        dropped_.fetch_add(batch.records, std::memory_order_relaxed);
        note("event log: records are lost until this is mended", written.error().message());
    }
    if (!file_->rotation_failure().empty()) {
        note("event log: a full file cannot be put aside", file_->rotation_failure());
    }
    const std::uint64_t removed = file_->removed_early();
    if (removed == removed_said_) return;
    note("event log: old files are removed before log_keep to make room",
         std::to_string(removed - std::exchange(removed_said_, removed)) + " files");
}

void EventLog::note(std::string_view reason, const std::string& detail) {
    log_.note(monotonic_now(), core::LogLevel::kError, reason, file_->path().string(), detail);
}

}  // namespace relay
