// EventLog: the event lines of all shards, on disk. One thread of its own appends what the shards
// hand over to <log_dir>/events.jsonl, renames it to events-<time>.jsonl once it exceeds
// log_rotate_size or is a day old, and deletes renamed files older than log_keep. Made and
// destroyed by main(), outlives the shards. It is no journal: nothing is synced, a crash of the
// machine may lose the last lines. Limits: at most kMostQueued octets wait for the disk; beyond
// that the oldest batch is dropped, as is what the folder or a full disk refuses; each is counted,
// and logged once a minute while it lasts. The files take no more room than they are given. A shard
// never waits, and nothing here throws. close() writes everything left.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "core/base/result.h"
#include "core/base/sparse_log.h"
#include "relay/events/event_file.h"
#include "relay/events/event_line_sink.h"

namespace relay {

class EventLog final : public EventLineSink {
  public:
    static constexpr std::size_t kMostQueued = 64U << 20;

    // Makes the directory and opens the file; an error is a sentence.
    static core::Result<std::unique_ptr<EventLog>> open(EventFileOptions options);
    // The same with a file that is open.
    static core::Result<std::unique_ptr<EventLog>> start(std::unique_ptr<EventFile> file);
    EventLog(const EventLog&) = delete;
    EventLog& operator=(const EventLog&) = delete;
    ~EventLog() override;

    void take(EventBatch batch) override;
    // Writes what is queued and ends the thread; what comes later is dropped and counted.
    void close();

    // Any thread.
    std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  private:
    explicit EventLog(std::unique_ptr<EventFile> file) : file_(std::move(file)) {}
    void run();
    void write(const EventBatch& batch);
    // What the thread has to say: a line each minute for each kind of trouble.
    void note(std::string_view reason, const std::string& detail);
    // Waits for a batch; none: an hour passed or the log is closing. last: no more will come.
    std::optional<EventBatch> next(bool& last);

    std::unique_ptr<EventFile> file_;  // the thread's, as the three below
    core::SparseLog log_;
    std::uint64_t shed_said_ = 0;
    std::uint64_t removed_said_ = 0;
    std::mutex mutex_;  // guards the four below
    std::condition_variable arrived_;
    std::deque<EventBatch> queue_;
    std::size_t queued_octets_ = 0;
    bool closing_ = false;
    std::atomic<std::uint64_t> written_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> shed_{0};  // of dropped_: the disk was too slow for them
    std::thread thread_;
};

}  // namespace relay
