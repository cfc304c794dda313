// write_patiently(): core::write_fully() that tries again when the kernel has no memory for it at
// the moment: the same octets at the same place. Any other error ends it, since nobody knows then
// what the disk holds. Limits: kMemoryTries tries, kMemoryPause between them.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"

namespace relay {

inline constexpr int kMemoryTries = 50;
inline constexpr core::Duration kMemoryPause = std::chrono::milliseconds{100};

core::Task<core::IoResult<void>> write_patiently(core::Shard& shard, core::Handle file,
                                                 std::span<const char> octets, std::uint64_t offset,
                                                 bool synced);

}  // namespace relay
