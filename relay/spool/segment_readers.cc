#include "relay/spool/segment_readers.h"

#include <algorithm>

#include "core/file/file.h"
#include "core/runtime/event.h"
#include "relay/spool/journal_files.h"

namespace relay {

core::IoResult<core::Handle> SegmentReaders::open_file(const std::string& name,
                                                       core::Access access) {
    auto file = files_.open(path(name), access);
    while (!file && no_descriptor(file.error()) && close_an_idle_one())
        file = files_.open(path(name), access);
    return file;
}

core::Task<core::IoResult<void>> SegmentReaders::read(Segment& segment, std::span<char> octets,
                                                      std::uint64_t offset) {
    ++segment.readers;  // so that it stays, and its file too
    core::IoResult<void> result;
    if (segment.reader == core::kNoHandle) result = co_await open(segment);
    if (result) result = co_await core::read_fully(shard_, segment.reader, octets, offset);
    --segment.readers;
    co_return result;
}

core::Task<core::IoResult<void>> SegmentReaders::open(Segment& segment) {
    const std::string name = segment_file_name(segment.name.sequence);
    const auto facts = disk_.facts(path(name));
    if (!facts) co_return std::unexpected(facts.error());
    if (facts->kind != core::FileKind::regular) co_return core::io_error(EINVAL);
    for (int tries = 1;; ++tries) {
        if (open_.size() >= kMostOpen) close_an_idle_one();
        const auto file = open_file(name, core::Access::read);
        if (file) {
            segment.reader = *file;
            open_.push_back(&segment);
            co_return core::IoResult<void>();
        }
        if (!passes(file.error()) || tries == kOpenTries) co_return std::unexpected(file.error());
        core::Event never(shard_.reactor());
        co_await never.wait(shard_.now() + kOpenPause);
        if (segment.reader != core::kNoHandle) co_return core::IoResult<void>();
    }
}

void SegmentReaders::close(Segment& segment) {
    if (segment.readers > 0 || segment.reader == core::kNoHandle) return;
    files_.close(segment.reader);
    segment.reader = core::kNoHandle;
    std::erase(open_, &segment);
}

bool SegmentReaders::close_an_idle_one() {
    const auto idle =
        std::ranges::find_if(open_, [](const Segment* segment) { return segment->readers == 0; });
    if (idle == open_.end()) return false;
    close(**idle);
    return true;
}

}  // namespace relay
