// BareLog: what the bare relay commits to when it is asked to: one preallocated file that it writes
// round and round, past the page cache, each batch synced (O_DIRECT, RWF_DSYNC). It keeps no heads,
// sums or outcomes, and nothing reads it: the least that a committed message costs. One batch at a
// time; what comes meanwhile is the next one. A surprise ends the program.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

namespace bench {

class BareLog {
  public:
    static constexpr std::size_t kBlock = 4096;
    static constexpr std::size_t kBuffer = std::size_t{1} << 20;
    static constexpr std::size_t kFile = std::size_t{64} << 20;

    // The file is written once over, as a spool's segments are before they are used again.
    explicit BareLog(const char* path)
        : fd_(::open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600)) {
        void* area = nullptr;
        if (fd_ < 0 || ::posix_memalign(&area, kBlock, kBuffer) != 0) fail();
        buffer_.reset(static_cast<char*>(area));
        std::memset(buffer_.get(), 0, kBuffer);
        for (std::size_t at = 0; at < kFile; at += kBuffer) {
            if (::pwrite(fd_, buffer_.get(), kBuffer, static_cast<off_t>(at)) != kBuffer) fail();
        }
        if (::fsync(fd_) != 0) fail();
    }
    ~BareLog() { ::close(fd_); }
    BareLog(const BareLog&) = delete;
    BareLog& operator=(const BareLog&) = delete;

    bool writing() const { return writing_; }
    // False: the message does not fit into this batch.
    bool add(std::string_view envelope, std::string_view content) {
        const std::size_t octets = envelope.size() + content.size();
        if (octets > kBuffer) fail();
        if (used_ + octets > kBuffer) return false;
        append(envelope);
        append(content);
        return true;
    }
    void write(io_uring_sqe* entry) {
        const std::size_t octets = (used_ + kBlock - 1) / kBlock * kBlock;
        if (at_ + octets > kFile) at_ = 0;
        io_uring_prep_write(entry, fd_, buffer_.get(), static_cast<unsigned>(octets), at_);
        entry->rw_flags = RWF_DSYNC;
        under_way_ = static_cast<int>(octets);
        at_ += octets;
        writing_ = true;
    }
    void written(int result) {
        if (result != under_way_) fail();
        used_ = 0;
        writing_ = false;
    }

  private:
    struct Free {
        void operator()(char* area) const { std::free(area); }
    };

    void append(std::string_view octets) {
        std::memcpy(buffer_.get() + used_, octets.data(), octets.size());
        used_ += octets.size();
    }
    [[noreturn]] static void fail() {
        std::perror("bare_relay: the log");
        std::exit(1);
    }

    int fd_;
    std::unique_ptr<char, Free> buffer_;
    std::size_t used_ = 0;
    std::uint64_t at_ = 0;
    int under_way_ = 0;
    bool writing_ = false;
};

}  // namespace bench
