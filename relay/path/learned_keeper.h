// LearnedKeeper: keeps what the paths and hosts of all shards learned (relay/limits/learned.h) in a
// small file of data_dir: every kKeptEvery, where something changed, and once when it is stopped.
// The file is read before any shard serves; paths look there when they are made. On shard 0, of the
// DeliverySide. Limit: Learned::kMostLearned lines, shared evenly by the shards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "relay/limits/learned.h"

namespace relay {

class Dispatcher;

// All shards' paths. Filled while shards are built.
struct LearnedShards {
    explicit LearnedShards(std::size_t shards) : dispatchers(shards) {}
    std::vector<Dispatcher*> dispatchers;
};

struct LearnedParts {
    LearnedShards& shards;
    const Learned& first;        // of the process before; outlives the shards
    core::Disk* disk = nullptr;  // null: nothing is kept
    std::string file{};
};

// Of a file that is missing or unreadable nothing; a warning says the latter.
std::unique_ptr<const Learned> load_learned(const std::string& file);

class LearnedKeeper {
  public:
    static constexpr core::Duration kKeptEvery = std::chrono::seconds{5};

    LearnedKeeper(core::Shard& shard, LearnedParts parts)
        : shard_(shard), parts_(std::move(parts)) {}

    core::Task<void> keep(core::Event* stop);

  private:
    core::Shard& shard_;
    LearnedParts parts_;
};

}  // namespace relay
