#include "relay/spool/chain_file.h"

#include "core/file/file.h"
#include "core/file/replace_file.h"
#include "relay/spool/patient_write.h"

namespace relay {

ChainFile::~ChainFile() {
    if (file_ != core::kNoHandle) disk_.close(file_);
}

core::IoResult<void> ChainFile::open(Chain found, bool on_disk) {
    chain = std::move(found);
    made_ = on_disk;
    return on_disk ? open_file() : core::IoResult<void>();
}

// Held from now on: a write of it needs no descriptor.
core::IoResult<void> ChainFile::open_file() {
    const auto file = disk_.open(path_, core::Access::write);
    if (!file) return std::unexpected(file.error());
    file_ = *file;
    return {};
}

core::Task<core::IoResult<void>> ChainFile::write() {
    co_await writer_.take();
    auto written = co_await write_slot();
    writer_.leave();
    co_return written;
}

core::Task<core::IoResult<void>> ChainFile::write_slot() {
    ++chain.counter;
    write_chain(chain, slot_.data());
    if (!made_) co_return co_await make();
    co_return co_await write_patiently(shard_, file_, slot_.first(Chain::kSlot), chain.offset(),
                                       true);
}

core::Task<core::IoResult<void>> ChainFile::make() {
    std::string octets(2 * Chain::kSlot, '\0');
    octets.replace(chain.offset(), Chain::kSlot, slot_.data(), Chain::kSlot);
    auto done = co_await core::replace_file(shard_, disk_, path_, std::move(octets));
    if (!done) co_return done;
    const auto above = disk_.open(path_.substr(0, path_.rfind('/')), core::Access::directory);
    if (!above) co_return std::unexpected(above.error());
    done = co_await core::sync(shard_, *above);
    disk_.close(*above);
    if (done) done = open_file();
    made_ = done.has_value();
    co_return done;
}

}  // namespace relay
