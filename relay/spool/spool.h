// Spool: the journals of one shard: its own, and those of shards that are no more (an earlier run
// had more of them), which only drain here. On disk a directory "journal-NN" per journal, below one
// directory with an exclusive lock. One per shard, on its thread; format: docs/spool-format.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "relay/spool/journal.h"
#include "relay/spool/recovery.h"
#include "relay/spool/space.h"

namespace relay {

struct SpoolOptions {
    std::string directory;
    std::uint64_t segment_size = 64ULL << 20;
    bool direct = true;
    std::uint64_t salt = 0;  // random, and told to nobody: docs/spool-format.md
};

class Spool {
  public:
    Spool(core::Shard& shard, core::Disk& disk, SpoolSpace& space, metrics::ShardMetrics& metrics,
          SpoolOptions options);

    // Finds this shard's journals. Before start().
    core::Result<void> open();
    void start(MessageKeeper& keeper);
    // Hands over all mail of earlier runs; returns when all of it was, or after stop_recovery().
    core::Task<RecoveryReport> recover(RecoveredMail& mail);
    void stop_recovery() { stop_recovery_ = true; }
    core::Task<void> close();

    core::Task<bool> commit(Message& message) { return journals_.front()->commit(message); }
    static void note(const Recipient& recipient, Outcome outcome);
    static bool forget(Message& message);
    static core::Task<std::unique_ptr<char[]>> read_content(Message& message);

    Message* any_message();  // a live one; null: none
    // Live messages of one segment, until look() answers false.
    std::size_t segments() const;
    void look_at_segment(std::size_t number, const std::function<bool(Message&)>& look);
    core::WallTime oldest();  // creation of the oldest live one, as near as segments tell

    bool full() const { return space_.full(); }
    bool failed() const { return space_.failed(); }
    JournalStats stats() const;
    const std::vector<std::unique_ptr<Journal>>& journals() const { return journals_; }

  private:
    core::Shard& shard_;
    core::Disk& disk_;
    SpoolSpace& space_;
    metrics::ShardMetrics& metrics_;
    SpoolOptions options_;
    std::vector<std::unique_ptr<Journal>> journals_;  // the first is the shard's own
    bool stop_recovery_ = false;
};

// What a process does once, before its shards: the directory, its lock, and whether the file
// system takes direct writes.
struct SpoolPlaceOnDisk {
    core::Handle lock = core::kNoHandle;
    bool direct = false;
};
core::Result<SpoolPlaceOnDisk> prepare_spool(core::Disk& disk, const std::string& directory);

}  // namespace relay
