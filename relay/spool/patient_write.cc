#include "relay/spool/patient_write.h"

#include "core/file/file.h"
#include "core/runtime/event.h"

namespace relay {

core::Task<core::IoResult<void>> write_patiently(core::Shard& shard, core::Handle file,
                                                 std::span<const char> octets, std::uint64_t offset,
                                                 bool synced) {
    for (int tries = 1;; ++tries) {
        const auto written = co_await core::write_fully(shard, file, octets, offset, synced);
        const bool again = !written && written.error() == std::errc::not_enough_memory;
        if (!again || tries == kMemoryTries) co_return written;
        core::Event never(shard.reactor());
        co_await never.wait(shard.now() + kMemoryPause);
    }
}

}  // namespace relay
