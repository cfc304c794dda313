#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "core/base/assert.h"
#include "tests/sim/torn_write.h"

namespace sim {

using core::Handle;
using core::IoResult;

namespace {

constexpr std::uint64_t kSector = DiskImage::kSector;

std::pair<std::string, std::string> split(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

// ---- Names

IoResult<SimDisk::Place> SimDisk::place(const std::string& path) {
    const auto [directory, name] = split(path);
    const auto found = directories_.find(directory);
    if (found == directories_.end()) return core::io_error(ENOENT);
    return Place{&found->second, name};
}

SimDisk::NodeId SimDisk::node_of(const std::string& path) const {
    const auto [directory, name] = split(path);
    const auto found = directories_.find(directory);
    if (found == directories_.end()) return 0;
    const auto entry = found->second.current.find(name);
    return entry == found->second.current.end() ? 0 : entry->second;
}

void SimDisk::changed(DiskAction action, const std::string& path) {
    ++changes_;
    if (listener_) listener_({DiskEvent::Phase::done, action, path, 0, 0, false});
}

void SimDisk::tell(DiskEvent::Phase phase, const Transfer& transfer) {
    if (phase != DiskEvent::Phase::started) ++changes_;
    if (!listener_) return;
    listener_({phase, transfer.action, opened(transfer.handle).path, transfer.offset,
               transfer.source.size(), transfer.synced});
}

DiskVerdict SimDisk::judge(DiskAction action, const std::string& path, const Transfer* transfer) {
    const std::uint64_t ordinal = ++ordinals_.at(static_cast<std::size_t>(action));
    if (!faults_) return {};
    DiskRequest request{action, path, 0, 0, false, ordinal};
    if (transfer != nullptr) {
        request.offset = transfer->offset;
        request.octets = transfer->source.size() + transfer->target.size();
        request.synced = transfer->synced;
    }
    return faults_(request);
}

void SimDisk::apply(DiskAction action, const std::string& path, Directory& directory,
                    std::vector<std::pair<std::string, NodeId>> names) {
    for (const auto& [name, node] : names) {
        if (node == 0) {
            directory.current.erase(name);
        } else {
            directory.current[name] = node;
        }
    }
    directory.changes.push_back({++stamp_, std::move(names)});
    drop_unnamed();
    changed(action, path);
}

void SimDisk::drop_unnamed() {
    std::set<NodeId> wanted;
    for (const auto& [path, directory] : directories_) {
        for (const auto& [name, node] : directory.current)
            wanted.insert(node);
        for (const auto& [name, node] : directory.durable)
            wanted.insert(node);
        for (const Change& change : directory.changes) {
            for (const auto& [name, node] : change.names)
                wanted.insert(node);
        }
    }
    for (const auto& [handle, file] : handles_)
        wanted.insert(file.node);
    std::erase_if(nodes_, [&](const auto& entry) { return !wanted.contains(entry.first); });
}

IoResult<core::FileFacts> SimDisk::facts(const std::string& path) {
    if (directories_.contains(path)) return core::FileFacts{core::FileKind::directory, 0};
    const NodeId node = node_of(path);
    if (node == 0) return core::io_error(ENOENT);
    return core::FileFacts{core::FileKind::regular, nodes_.at(node).current.size()};
}

IoResult<std::string> SimDisk::read_start(const std::string& path, std::size_t most) {
    if (directories_.contains(path)) return core::io_error(EISDIR);
    const NodeId node = node_of(path);
    if (node == 0) return core::io_error(ENOENT);
    const DiskImage& image = nodes_.at(node).current;
    std::string octets(std::min<std::uint64_t>(most, image.size()), '\0');
    image.read(0, octets);
    return octets;
}

IoResult<Handle> SimDisk::open(const std::string& path, core::Access access) {
    const DiskVerdict opening = judge(DiskAction::open, path);
    if (opening.error != 0) return core::io_error(opening.error);
    if (handles_.size() >= most_handles_) return core::io_error(EMFILE);
    if (access == core::Access::directory) {
        if (!directories_.contains(path)) return core::io_error(ENOENT);
        return add_handle({.path = path});
    }
    const bool direct = access == core::Access::direct;
    if (direct && !direct_allowed_) return core::io_error(EINVAL);
    const auto where = place(path);
    if (!where) return std::unexpected(where.error());
    if (directories_.contains(path)) return core::io_error(EISDIR);
    NodeId node = node_of(path);
    const bool writes = access != core::Access::read;
    if (node == 0) {
        if (!writes) return core::io_error(ENOENT);
        const DiskVerdict verdict = judge(DiskAction::create, path);
        if (verdict.error != 0) return core::io_error(verdict.error);
        node = ++last_node_;
        nodes_[node];
        apply(DiskAction::create, path, *where->directory, {{where->name, node}});
    }
    return add_handle({.node = node, .path = path, .direct = direct, .writes = writes});
}

Handle SimDisk::add_handle(Opened what) {
    handles_[++last_handle_] = std::move(what);
    return last_handle_;
}

SimDisk::Opened& SimDisk::opened(Handle handle) {
    const auto found = handles_.find(handle);
    PH_ASSERT(found != handles_.end());
    return found->second;
}

void SimDisk::close(Handle file) {
    PH_ASSERT(opened(file).busy == 0);
    handles_.erase(file);
    drop_unnamed();
}

IoResult<std::uint64_t> SimDisk::size(Handle file) {
    return nodes_.at(opened(file).node).current.size();
}

IoResult<void> SimDisk::allocate(Handle file, std::uint64_t octets) {
    const Opened& what = opened(file);
    PH_ASSERT(what.writes);
    const DiskVerdict verdict = judge(DiskAction::allocate, what.path);
    if (verdict.error != 0) return core::io_error(verdict.error);
    DiskImage& image = nodes_.at(what.node).current;
    if (octets <= image.size()) return {};
    if (used() + (octets - image.size()) > capacity_) return core::io_error(ENOSPC);
    image.resize(octets);
    ++stamp_;
    changed(DiskAction::allocate, what.path);
    return {};
}

IoResult<std::vector<std::string>> SimDisk::list(const std::string& directory) {
    const auto found = directories_.find(directory);
    if (found == directories_.end()) return core::io_error(ENOENT);
    std::vector<std::string> names;
    for (const auto& [name, node] : found->second.current)
        names.push_back(name);
    std::ranges::shuffle(names, prng_);  // no file system promises an order
    return names;
}

IoResult<void> SimDisk::make_directory(const std::string& path) {
    if (directories_.contains(path)) return {};
    const auto where = place(path);
    if (!where) return std::unexpected(where.error());
    const DiskVerdict verdict = judge(DiskAction::create, path);
    if (verdict.error != 0) return core::io_error(verdict.error);
    const NodeId node = ++last_node_;
    directories_[path];
    apply(DiskAction::create, path, *where->directory, {{where->name, node}});
    return {};
}

IoResult<void> SimDisk::rename(const std::string& from, const std::string& to) {
    const auto source = place(from);
    const auto target = place(to);
    const NodeId node = node_of(from);
    if (node == 0 || !target) return core::io_error(ENOENT);
    PH_ASSERT(source->directory == target->directory);
    const DiskVerdict verdict = judge(DiskAction::rename, from);
    if (verdict.error != 0) return core::io_error(verdict.error);
    if (auto moved = directories_.extract(from); !moved.empty()) {
        PH_ASSERT(moved.mapped().current.empty());  // those below it would have to move, too
        moved.key() = to;
        directories_.insert(std::move(moved));
    }
    for (auto& [handle, file] : handles_) {
        if (file.node == node) file.path = to;
    }
    apply(DiskAction::rename, to, *source->directory, {{source->name, 0}, {target->name, node}});
    return {};
}

IoResult<void> SimDisk::remove(const std::string& path) {
    const auto where = place(path);
    if (node_of(path) == 0) return core::io_error(ENOENT);
    if (directories_.contains(path)) return core::io_error(EISDIR);
    const DiskVerdict verdict = judge(DiskAction::remove, path);
    if (verdict.error != 0) return core::io_error(verdict.error);
    apply(DiskAction::remove, path, *where->directory, {{where->name, 0}});
    return {};
}

IoResult<void> SimDisk::sync_directory(const std::string& path) {
    const auto handle =
        open(path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path,
             core::Access::directory);
    if (!handle) return std::unexpected(handle.error());
    const Transfer transfer{DiskAction::sync, *handle, 0, {}, {}, false};
    const int result = finish(begin(transfer).ticket);
    close(*handle);
    if (result < 0) return core::io_error(-result);
    return {};
}

IoResult<core::DiskSpace> SimDisk::space(const std::string& /*path*/) {
    const std::uint64_t taken = used();
    return core::DiskSpace{capacity_, taken < capacity_ ? capacity_ - taken : 0};
}

IoResult<Handle> SimDisk::lock(const std::string& path) {
    const auto file = open(path, core::Access::write);
    if (!file) return file;
    const NodeId node = opened(*file).node;
    const bool held = std::ranges::any_of(handles_, [node](const auto& entry) {
        return entry.second.node == node && entry.second.locks;
    });
    if (held) {
        close(*file);
        return core::io_error(EWOULDBLOCK);
    }
    opened(*file).locks = true;
    return file;
}

// ---- For tests

std::uint64_t SimDisk::used() const {
    std::set<NodeId> alive;
    for (const auto& [path, directory] : directories_) {
        for (const auto& [name, node] : directory.current)
            alive.insert(node);
    }
    for (const auto& [handle, file] : handles_)
        alive.insert(file.node);
    std::uint64_t octets = 0;
    for (const auto& [id, node] : nodes_) {
        if (alive.contains(id)) octets += node.current.octets_on_disk();
    }
    return octets;
}

std::vector<std::string> SimDisk::files() const {
    std::vector<std::string> paths;
    for (const auto& [path, directory] : directories_) {
        for (const auto& [name, node] : directory.current) {
            const std::string plain = path == "." ? name : (path == "/" ? "" : path) + "/" + name;
            if (!directories_.contains(plain)) paths.push_back(plain);
        }
    }
    std::ranges::sort(paths);
    return paths;
}

std::string SimDisk::contents(const std::string& path) const {
    const DiskImage& image = nodes_.at(node_of(path)).current;
    std::string octets(image.size(), '\0');
    image.read(0, octets);
    return octets;
}

void SimDisk::overwrite(const std::string& path, std::uint64_t offset, std::string_view octets) {
    const NodeId node = node_of(path);
    PH_ASSERT(node != 0);
    write_part(nodes_.at(node), offset, octets, true);
}

void SimDisk::put_file(const std::string& path, std::string_view octets) {
    const auto where = place(path);
    PH_ASSERT(where.has_value());
    const NodeId node = ++last_node_;
    Node& made = nodes_[node];
    made.current.write(0, octets);
    made.current.resize(octets.size());
    made.durable = made.current;
    where->directory->current[where->name] = where->directory->durable[where->name] = node;
    drop_unnamed();
}

void SimDisk::drop_file(const std::string& path) {
    const auto where = place(path);
    PH_ASSERT(where.has_value() && node_of(path) != 0);
    where->directory->current.erase(where->name);
    where->directory->durable.erase(where->name);
    drop_unnamed();
}

// ---- Reading and writing

void SimDisk::started(const Transfer& transfer) {
    if (transfer.action != DiskAction::read) tell(DiskEvent::Phase::started, transfer);
}

SimDisk::Begun SimDisk::begin(const Transfer& transfer) {
    Opened& file = opened(transfer.handle);
    ++file.busy;
    InFlight one{transfer, judge(transfer.action, file.path, &transfer), {}, stamp_, 0};
    if (transfer.action == DiskAction::write) {
        one.octets.assign(transfer.source.begin(), transfer.source.end());
    } else if (transfer.action == DiskAction::sync && file.node != 0) {
        one.size = nodes_.at(file.node).current.size();
    }
    const auto spread = static_cast<std::uint64_t>((pace_.most - pace_.least).count());
    const core::Duration takes = pace_.least + core::Duration{prng_.below(spread + 1)};
    const Begun begun{++last_ticket_, takes + one.verdict.delay};
    in_flight_.emplace(begun.ticket, std::move(one));
    if (transfer.action == DiskAction::write) tell(DiskEvent::Phase::begun, transfer);
    return begun;
}

bool SimDisk::abandon(Ticket ticket) {
    if (prng_.below(2) == 0) return false;
    const auto node = in_flight_.extract(ticket);
    PH_ASSERT(!node.empty());
    --opened(node.mapped().transfer.handle).busy;
    return true;
}

int SimDisk::finish(Ticket ticket) {
    const auto node = in_flight_.extract(ticket);
    PH_ASSERT(!node.empty());
    const InFlight& one = node.mapped();
    --opened(one.transfer.handle).busy;
    int result = 0;
    switch (one.transfer.action) {
        case DiskAction::read:
            return finish_read(one);
        case DiskAction::write:
            result = finish_write(one);
            break;
        default:
            result = finish_sync(one);
    }
    tell(DiskEvent::Phase::done, one.transfer);
    return result;
}

int SimDisk::check(const Opened& file, const Transfer& transfer) const {
    if (file.node == 0) return EISDIR;
    if (transfer.action == DiskAction::write && !file.writes) return EBADF;
    if (!file.direct) return 0;
    const auto address = reinterpret_cast<std::uintptr_t>(
        transfer.action == DiskAction::write ? static_cast<const void*>(transfer.source.data())
                                             : transfer.target.data());
    const std::size_t octets = transfer.source.size() + transfer.target.size();
    const auto misfit = address | octets | transfer.offset;
    return misfit % core::kDiskBlock != 0 ? EINVAL : 0;
}

// How much of what is possible is done this time.
std::uint64_t SimDisk::transferred(const InFlight& one, std::uint64_t possible) {
    std::uint64_t octets = std::min(possible, one.verdict.at_most);
    if (short_transfers_ && octets > 1 && prng_.below(4) == 0) octets = 1 + prng_.below(octets);
    if (opened(one.transfer.handle).direct && octets < possible) {
        octets = std::min(possible,
                          std::max<std::uint64_t>(1, octets / core::kDiskBlock) * core::kDiskBlock);
    }
    return octets;
}

int SimDisk::finish_read(const InFlight& one) {
    const Opened& file = opened(one.transfer.handle);
    if (const int error = check(file, one.transfer); error != 0) return -error;
    if (one.verdict.error != 0) return -one.verdict.error;
    const DiskImage& image = nodes_.at(file.node).current;
    if (one.transfer.offset >= image.size()) return 0;
    const std::uint64_t octets = transferred(
        one,
        std::min<std::uint64_t>(one.transfer.target.size(), image.size() - one.transfer.offset));
    image.read(one.transfer.offset, one.transfer.target.first(octets));
    return static_cast<int>(octets);
}

int SimDisk::finish_write(const InFlight& one) {
    const Opened& file = opened(one.transfer.handle);
    const auto source = one.transfer.source;
    PH_ASSERT(std::ranges::equal(source, one.octets));  // the writer's memory must not change
    if (const int error = check(file, one.transfer); error != 0) return -error;
    Node& node = nodes_.at(file.node);
    if (one.verdict.error != 0) {
        if (one.verdict.error == EIO) fail_part(node, one);
        return -one.verdict.error;
    }
    // As far as there is space: pages that the file has, and then what is free.
    const std::uint64_t has = node.current.octets_on_disk();
    const std::uint64_t taken = used();
    const std::uint64_t fits = has + (taken < capacity_ ? capacity_ - taken : 0);
    const std::uint64_t limit = fits / DiskImage::kPage * DiskImage::kPage;
    const std::uint64_t room = one.transfer.offset < limit ? limit - one.transfer.offset : 0;
    const auto possible = std::min<std::uint64_t>(source.size(), room);
    if (possible == 0 && !source.empty()) return -ENOSPC;
    const std::uint64_t octets = transferred(one, possible);
    write_part(node, one.transfer.offset, std::string_view(one.octets).substr(0, octets),
               one.transfer.synced);
    return static_cast<int>(octets);
}

void SimDisk::write_part(Node& node, std::uint64_t offset, std::string_view octets, bool synced) {
    if (octets.empty()) return;
    node.current.write(offset, octets);
    const std::uint64_t stamp = ++stamp_;
    for (std::uint64_t sector = offset / kSector; sector * kSector < offset + octets.size();
         ++sector) {
        Version version{stamp, false, {}};
        node.current.read(sector * kSector, version.octets);
        if (synced) {
            const auto length = std::min(kSector, node.current.size() - sector * kSector);
            node.durable.write(sector * kSector, {version.octets.data(), length});
            node.dirty.erase(sector);
        } else {
            node.dirty[sector].push_back(version);
        }
    }
}

// A write that failed: nobody knows what of it is there, now and after a power loss.
void SimDisk::fail_part(Node& node, const InFlight& one) {
    survive(one.transfer.offset, one.octets, prng_, [&](std::uint64_t offset, auto octets) {
        write_part(node, offset, octets, false);
        for (auto& [sector, versions] : node.dirty) {
            if (versions.back().stamp == stamp_) versions.back().condemned = true;
        }
    });
}

int SimDisk::finish_sync(const InFlight& one) {
    const Opened& file = opened(one.transfer.handle);
    if (file.node == 0) {
        if (one.verdict.error != 0) return -one.verdict.error;
        Directory& directory = directories_.at(file.path);
        while (!directory.changes.empty() && directory.changes.front().stamp <= one.mark) {
            for (const auto& [name, node] : directory.changes.front().names) {
                if (node == 0) {
                    directory.durable.erase(name);
                } else {
                    directory.durable[name] = node;
                }
            }
            directory.changes.erase(directory.changes.begin());
        }
        drop_unnamed();
        return 0;
    }
    Node& node = nodes_.at(file.node);
    if (one.verdict.error != 0) {
        // The pages count as clean from now on: a later sync will not write them.
        for (auto& [sector, versions] : node.dirty) {
            for (Version& version : versions)
                version.condemned |= version.stamp <= one.mark;
        }
        return -one.verdict.error;
    }
    make_durable(node, one);
    return 0;
}

void SimDisk::make_durable(Node& node, const InFlight& sync) {
    if (sync.size > node.durable.size()) node.durable.resize(sync.size);
    for (auto& [sector, versions] : node.dirty) {
        const auto later = std::ranges::find_if(
            versions, [&sync](const Version& one) { return one.stamp > sync.mark; });
        if (later == versions.begin() || std::prev(later)->condemned) continue;
        const std::uint64_t offset = sector * kSector;
        if (offset < node.durable.size()) {
            const auto length = std::min(kSector, node.durable.size() - offset);
            node.durable.write(offset, {std::prev(later)->octets.data(), length});
        }
        versions.erase(versions.begin(), later);
    }
    std::erase_if(node.dirty, [](const auto& entry) { return entry.second.empty(); });
}

// ---- Crashes

std::unique_ptr<SimDisk> SimDisk::empty_copy(std::uint64_t seed) const {
    auto copy = std::make_unique<SimDisk>(seed, pace_);
    copy->capacity_ = capacity_;
    copy->direct_allowed_ = direct_allowed_;
    copy->short_transfers_ = short_transfers_;
    copy->stamp_ = stamp_;
    copy->last_node_ = last_node_;
    return copy;
}

DiskImage SimDisk::lose_power(const Node& node, core::Prng& prng) {
    DiskImage image = node.durable;
    if (node.current.size() > image.size() && prng.below(2) == 0) {
        image.resize(node.current.size());
    }
    // Whatever was not synced: nothing, little, half, most or all of it; in any order.
    const std::uint64_t eighths = std::array<std::uint64_t, 5>{0, 1, 4, 7, 8}.at(prng.below(5));
    for (const auto& [sector, versions] : node.dirty) {
        if (prng.below(8) >= eighths || sector * kSector >= image.size()) continue;
        const std::size_t newest = versions.size() - 1;
        const Version& version =
            versions[prng.below(2) == 0 ? newest : prng.below(versions.size())];
        const auto length = std::min(kSector, image.size() - sector * kSector);
        image.write(sector * kSector, {version.octets.data(), length});
    }
    return image;
}

std::unique_ptr<SimDisk> SimDisk::after_power_loss(std::uint64_t seed) const {
    core::Prng prng(seed ^ 0x9017);
    auto left = empty_copy(seed);
    for (const auto& [path, directory] : directories_) {
        Names names = directory.durable;
        // The file system's journal keeps the order: a prefix of the changes.
        std::size_t kept = prng.below(directory.changes.size() + 1);
        if (prng.below(3) == 0) kept = prng.below(2) == 0 ? 0 : directory.changes.size();
        for (std::size_t i = 0; i < kept; ++i) {
            for (const auto& [name, node] : directory.changes[i].names) {
                if (node == 0) {
                    names.erase(name);
                } else {
                    names[name] = node;
                }
            }
        }
        const auto [parent, name] = split(path);
        const bool root = path == "." || path == "/";
        if (!root && (!left->directories_.contains(parent) ||
                      !left->directories_.at(parent).durable.contains(name))) {
            continue;  // parents come first in the order of paths
        }
        left->directories_[path] = {names, names, {}};
    }
    for (const auto& [id, node] : nodes_) {
        DiskImage image = lose_power(node, prng);
        for (const auto& [ticket, one] : in_flight_) {
            if (one.transfer.action != DiskAction::write ||
                handles_.at(one.transfer.handle).node != id) {
                continue;
            }
            const std::uint64_t size = image.size();
            survive(one.transfer.offset, one.octets, prng,
                    [&image](std::uint64_t offset, auto octets) { image.write(offset, octets); });
            if (prng.below(2) == 0 && image.size() > size) image.resize(size);
        }
        left->nodes_[id] = {image, image, {}};
    }
    left->drop_unnamed();
    return left;
}

std::unique_ptr<SimDisk> SimDisk::after_kill(std::uint64_t seed) const {
    core::Prng prng(seed ^ 0x9111);
    auto left = empty_copy(seed);
    left->directories_ = directories_;
    left->nodes_ = nodes_;
    for (const auto& [ticket, one] : in_flight_) {
        const NodeId id = handles_.at(one.transfer.handle).node;
        if (one.transfer.action != DiskAction::write || id == 0) continue;
        survive(one.transfer.offset, one.octets, prng, [&](std::uint64_t offset, auto octets) {
            left->write_part(left->nodes_.at(id), offset, octets, false);
        });
    }
    left->drop_unnamed();
    return left;
}

}  // namespace sim
