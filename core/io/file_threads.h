// FileThreads: reads, writes and syncs of files for an EpollBackend, because epoll knows no
// readiness of files: kThreads threads make the blocking calls. Owned by the backend of one shard,
// whose thread makes every call here. Writes and syncs are taken before reads, each in order: mail
// waits for a commit. The octets of a job belong to its operation's owner until collect() returned
// it. When something is done the threads write to the eventfd that the backend waits on, once until
// the next collect().
// Limit: the threads are handed at most kMostHanded jobs; the shard keeps the rest, in order, until
// there is room.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/result.h"
#include "core/io/io_backend.h"

namespace core {

class FileThreads {
  public:
    static constexpr std::size_t kThreads = 2;
    static constexpr std::size_t kMostHanded = 64;

    enum class Call : std::uint8_t { read, write, synced_write, sync };
    struct Job {
        Operation* operation;
        Call call;
        Handle file;
        iovec octets;
        std::uint64_t offset;
        int result;  // octets, or -errno, once it is done
    };

    FileThreads() = default;
    ~FileThreads();
    FileThreads(const FileThreads&) = delete;
    FileThreads& operator=(const FileThreads&) = delete;

    // wake_fd: an eventfd that outlives this.
    IoResult<void> start(int wake_fd);
    // Waits for the calls under way; jobs that did not begin never will.
    void stop();
    void submit(const Job& job);
    // True: the operation's job had not begun and never will.
    bool withdraw(const Operation& operation);
    // Appends what was done since the last call.
    void collect(std::vector<Job>& done);

  private:
    struct Queue {
        std::deque<Job> writes;  // and syncs
        std::deque<Job> reads;
        bool empty() const { return writes.empty() && reads.empty(); }
        void push(const Job& job);
        Job pop();
        bool erase(const Operation& operation);
    };

    void hand_over();
    void run();

    // The shard's thread only.
    int wake_fd_ = -1;
    Queue waiting_;           // not handed over yet
    std::size_t handed_ = 0;  // handed over and not collected
    std::atomic<bool> some_done_{false};

    std::mutex mutex_;
    std::condition_variable work_;
    Queue handed_over_;
    std::vector<Job> done_;
    bool stopping_ = false;
    std::array<std::jthread, kThreads> threads_;
};

}  // namespace core
