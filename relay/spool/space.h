// SpoolSpace: how much disk the spool of this process may use, and the state that stops acceptance:
// full (more than max_size used, or less than min_free left, or ENOSPC) and failed (a write or sync
// failed: nothing is accepted any more until the process is started again). Shared by all shards;
// every member is atomic. Shard 0 refreshes it (refresh()) once a second.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/file/disk.h"

namespace relay {

struct SpaceLimits {
    std::uint64_t max_octets = ~std::uint64_t{0};
    std::uint64_t min_free = 0;
    // What others wait for at most. A message that wants more is refused alone.
    std::uint64_t most_wanted = ~std::uint64_t{0};
};

class SpoolSpace {
  public:
    SpoolSpace(core::Disk& disk, std::string directory)
        : disk_(disk), directory_(std::move(directory)) {}

    ~SpoolSpace() { delete failure_.load(); }
    SpoolSpace(const SpoolSpace&) = delete;
    SpoolSpace& operator=(const SpoolSpace&) = delete;

    // percent limits are of the file system: the caller resolves them, with look().
    core::IoResult<core::DiskSpace> look() const { return disk_.space(directory_); }
    void set_limits(SpaceLimits limits) { limits_ = limits; }  // before the shards serve

    // Room for one more segment? A refusal is remembered as full until a later refresh() finds
    // room.
    bool may_grow(std::uint64_t octets);
    void grown(std::uint64_t octets) { used_.fetch_add(octets, std::memory_order_relaxed); }
    void shrunk(std::uint64_t octets) { used_.fetch_sub(octets, std::memory_order_relaxed); }
    // ENOSPC, whatever the numbers say.
    void out_of_space(std::uint64_t octets);
    // No descriptor, or no memory, for a file that is needed: full, until refresh() can open one.
    void cannot_open(const std::string& sentence);

    // Asks the file system; ends a fullness that has passed.
    void refresh();

    bool full() const { return full_.load(std::memory_order_relaxed); }
    // Why, when it is full.
    std::string_view shortage() const {
        return starved_.load(std::memory_order_relaxed)
                   ? "the spool cannot open a file at the moment"
                   : "the spool is full";
    }
    bool failed() const { return failure_.load(std::memory_order_relaxed) != nullptr; }
    void fail(const std::string& sentence);  // for good; the first sentence stands
    std::string failure() const;

    std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    std::uint64_t free() const { return free_.load(std::memory_order_relaxed); }

  private:
    bool can_open_again();

    core::Disk& disk_;
    std::string directory_;
    SpaceLimits limits_;
    std::atomic<std::uint64_t> used_ = 0;
    std::atomic<std::uint64_t> free_ = 0;
    std::atomic<std::uint64_t> wanted_ = 0;  // what there was no room for
    std::atomic<bool> full_ = false;
    std::atomic<bool> starved_ = false;                  // full for want of a descriptor or memory
    std::atomic<const std::string*> failure_ = nullptr;  // owned; set once
};

}  // namespace relay
