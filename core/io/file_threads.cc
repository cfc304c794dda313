#include "core/io/file_threads.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>

namespace core {

namespace {

// A shard is pinned to a CPU; what waits for its disk may run on any that the process may use,
// which are those of the main thread.
void pin_nowhere() {
    cpu_set_t set;
    if (::sched_getaffinity(::getpid(), sizeof set, &set) == 0) {
        ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
    }
}

ssize_t write_synced(const FileThreads::Job& job) {
    const auto offset = static_cast<off_t>(job.offset);
    const ssize_t written = ::pwritev2(job.file, &job.octets, 1, offset, RWF_DSYNC);
    if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return written;
    // A sandbox or file system that does not know the flag.
    const ssize_t plain = ::pwritev(job.file, &job.octets, 1, offset);
    if (plain > 0 && ::fdatasync(job.file) < 0) return -1;
    return plain;
}

int perform(const FileThreads::Job& job) {
    using Call = FileThreads::Call;
    const auto offset = static_cast<off_t>(job.offset);
    ssize_t result = 0;
    switch (job.call) {
        case Call::read:
            result = ::preadv(job.file, &job.octets, 1, offset);
            break;
        case Call::write:
            result = ::pwritev(job.file, &job.octets, 1, offset);
            break;
        case Call::synced_write:
            result = write_synced(job);
            break;
        case Call::sync:
            result = ::fsync(job.file);
            break;
    }
    return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace

void FileThreads::Queue::push(const Job& job) {
    (job.call == Call::read ? reads : writes).push_back(job);
}

FileThreads::Job FileThreads::Queue::pop() {
    std::deque<Job>& source = writes.empty() ? reads : writes;
    const Job job = source.front();
    source.pop_front();
    return job;
}

bool FileThreads::Queue::erase(const Operation& operation) {
    const auto is_its = [&operation](const Job& job) { return job.operation == &operation; };
    return std::erase_if(writes, is_its) + std::erase_if(reads, is_its) > 0;
}

FileThreads::~FileThreads() {
    stop();
}

void FileThreads::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    work_.notify_all();
    for (std::jthread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

IoResult<void> FileThreads::start(int wake_fd) {
    wake_fd_ = wake_fd;
    for (std::jthread& thread : threads_) {
        try {
            thread = std::jthread([this] { run(); });
        } catch (const std::system_error& error) {
            return io_error(error.code().value());
        }
    }
    return {};
}

void FileThreads::submit(const Job& job) {
    waiting_.push(job);
    hand_over();
}

void FileThreads::hand_over() {
    if (waiting_.empty() || handed_ == kMostHanded) return;
    std::size_t count = 0;
    {
        const std::scoped_lock lock(mutex_);
        for (; !waiting_.empty() && handed_ < kMostHanded; ++handed_, ++count)
            handed_over_.push(waiting_.pop());
    }
    count == 1 ? work_.notify_one() : work_.notify_all();
}

bool FileThreads::withdraw(const Operation& operation) {
    if (waiting_.erase(operation)) return true;
    {
        const std::scoped_lock lock(mutex_);
        if (!handed_over_.erase(operation)) return false;
    }
    --handed_;
    hand_over();
    return true;
}

void FileThreads::collect(std::vector<Job>& done) {
    if (!some_done_.load(std::memory_order_relaxed)) return;
    some_done_.store(false);  // before looking: whoever is done after this wakes us again
    const std::size_t before = done.size();
    {
        const std::scoped_lock lock(mutex_);
        done.insert(done.end(), done_.begin(), done_.end());
        done_.clear();
    }
    handed_ -= done.size() - before;
    hand_over();
}

void FileThreads::run() {
    pin_nowhere();
    std::unique_lock lock(mutex_);
    while (true) {
        work_.wait(lock, [this] { return stopping_ || !handed_over_.empty(); });
        if (stopping_) return;
        Job job = handed_over_.pop();
        lock.unlock();
        job.result = perform(job);
        lock.lock();
        done_.push_back(job);
        if (some_done_.exchange(true)) continue;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
    }
}

}  // namespace core
