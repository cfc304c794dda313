// SimDisk: a core::Disk that loses power. It keeps, per file, what is durable and, per sector of
// 512 octets, what was written since and not synced; per directory, the names that are durable and
// the changes since. SimBackend's reads, writes and syncs go through begin() and finish(), which
// take virtual time drawn from the seed. after_power_loss() and after_kill() give the disk that the
// next process finds; any number of them may be taken at any moment, and the original goes on.
// Owned by the test, outlives the worlds that use it; one thread. Durable is only what
// core/file/disk.h and core/io/io_backend.h promise: a synced write (alone, not what was written
// before it), what was complete before a sync of its file began, and names once their directory was
// synced. A torn sector ends at any octet. Faults come from a hook. Misuse (unaligned direct
// writes, memory that changes while it is written, closing a busy handle) fails or is asserted.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/prng.h"
#include "core/base/time.h"
#include "core/file/disk.h"
#include "tests/sim/disk_image.h"

namespace sim {

enum class DiskAction : std::uint8_t { read, write, sync, create, allocate, rename, remove, open };

struct DiskRequest {
    DiskAction action = DiskAction::read;
    std::string path;
    std::uint64_t offset = 0;
    std::uint64_t octets = 0;
    bool synced = false;
    std::uint64_t ordinal = 0;  // of its action, from 1
};

struct DiskVerdict {
    int error = 0;                  // errno; 0: it is done
    std::uint64_t at_most = ~0ULL;  // a short read or write
    core::Duration delay{};         // in addition
};

// What happens to the disk, as a listener hears it. A crash point is any of them.
struct DiskEvent {
    enum class Phase : std::uint8_t {
        started,  // the program asked for it; the disk has not heard of it
        begun,    // under way
        done,     // it had its effect, of which the program has not heard
    };
    Phase phase = Phase::done;
    DiskAction action = DiskAction::read;
    std::string path;
    std::uint64_t offset = 0;
    std::uint64_t octets = 0;
    bool synced = false;
};

// How long an operation takes; drawn evenly between the two.
struct DiskPace {
    core::Duration least = std::chrono::microseconds{50};
    core::Duration most = std::chrono::microseconds{400};
};

class SimDisk final : public core::Disk {
  public:
    static constexpr core::Handle kFirstHandle = 1'000'000'000;

    explicit SimDisk(std::uint64_t seed, DiskPace pace = {}) : prng_(seed ^ 0xd15c), pace_(pace) {}
    ~SimDisk() override = default;

    // What is left when the machine loses power now: everything durable, and of the rest what the
    // seed draws. When only the process is killed, complete writes and names stay, but are as
    // little durable as before.
    std::unique_ptr<SimDisk> after_power_loss(std::uint64_t seed) const;
    std::unique_ptr<SimDisk> after_kill(std::uint64_t seed) const;

    // Faults: asked before every operation takes effect.
    using Hook = std::function<DiskVerdict(const DiskRequest&)>;
    void set_faults(Hook hook) { faults_ = std::move(hook); }
    void set_capacity(std::uint64_t octets) { capacity_ = octets; }  // of all files
    void set_direct_allowed(bool allowed) { direct_allowed_ = allowed; }
    // Handles, the spool's and whoever else's; EMFILE beyond.
    void set_most_handles(std::size_t most) { most_handles_ = most; }
    void set_pace(DiskPace pace) { pace_ = pace; }
    void set_short_transfers(bool some) { short_transfers_ = some; }  // one in four
    // Told of everything but reads. It may take copies of the disk, but not use it.
    using Listener = std::function<void(const DiskEvent&)>;
    void set_listener(Listener listener) { listener_ = std::move(listener); }
    std::uint64_t changes() const { return changes_; }  // events begun and done

    // core::Disk
    core::IoResult<core::FileFacts> facts(const std::string& path) override;
    core::IoResult<std::string> read_start(const std::string& path, std::size_t most) override;
    core::IoResult<core::Handle> open(const std::string& path, core::Access access) override;
    void close(core::Handle file) override;
    core::IoResult<std::uint64_t> size(core::Handle file) override;
    core::IoResult<void> allocate(core::Handle file, std::uint64_t octets) override;
    core::IoResult<std::vector<std::string>> list(const std::string& directory) override;
    core::IoResult<void> make_directory(const std::string& path) override;
    core::IoResult<void> rename(const std::string& from, const std::string& to) override;
    core::IoResult<void> remove(const std::string& path) override;
    core::IoResult<void> sync_directory(const std::string& path) override;
    core::IoResult<core::DiskSpace> space(const std::string& path) override;
    core::IoResult<core::Handle> lock(const std::string& path) override;

    // ---- for tests
    std::uint64_t used() const;  // octets of files that have a name or a handle
    std::size_t open_handles() const { return handles_.size(); }
    std::vector<std::string> files() const;  // paths, ascending
    std::string contents(const std::string& path) const;
    void overwrite(const std::string& path, std::uint64_t offset, std::string_view octets);
    // As a person would with other tools: durable at once. The directory must be there.
    void put_file(const std::string& path, std::string_view octets);
    void drop_file(const std::string& path);

    // ---- for SimBackend
    static bool is_file(core::Handle handle) { return handle >= kFirstHandle; }
    struct Transfer {
        DiskAction action = DiskAction::read;
        core::Handle handle = core::kNoHandle;
        std::uint64_t offset = 0;
        std::span<char> target;        // of a read
        std::span<const char> source;  // of a write
        bool synced = false;
    };
    using Ticket = std::uint64_t;
    struct Begun {
        Ticket ticket;
        core::Duration takes;
    };
    void started(const Transfer& transfer);
    Begun begin(const Transfer& transfer);
    int finish(Ticket ticket);    // octets, or -errno
    bool abandon(Ticket ticket);  // cancelled: has no effect any more. False: too late

  private:
    using NodeId = std::uint64_t;
    using Names = std::map<std::string, NodeId>;

    struct Version {
        std::uint64_t stamp = 0;
        bool condemned = false;  // a sync of it failed: no later sync makes it durable
        std::array<char, DiskImage::kSector> octets{};
    };
    struct Node {
        DiskImage current;
        DiskImage durable;
        std::map<std::uint64_t, std::vector<Version>> dirty;  // by sector, oldest first
    };
    struct Change {
        std::uint64_t stamp = 0;
        std::vector<std::pair<std::string, NodeId>> names;  // node 0: the name goes
    };
    struct Directory {
        Names current;
        Names durable;
        std::vector<Change> changes;
    };
    struct Opened {
        NodeId node = 0;  // 0: a directory
        std::string path;
        bool direct = false;
        bool writes = false;
        bool locks = false;
        int busy = 0;
    };
    struct InFlight {
        Transfer transfer;
        DiskVerdict verdict;
        std::string octets;      // of a write, when it began
        std::uint64_t mark = 0;  // of a sync: what was complete when it began
        std::uint64_t size = 0;  // of the file then
    };
    struct Place {
        Directory* directory = nullptr;
        std::string name;
    };

    Opened& opened(core::Handle handle);
    core::Handle add_handle(Opened what);
    core::IoResult<Place> place(const std::string& path);
    NodeId node_of(const std::string& path) const;  // 0: there is none
    DiskVerdict judge(DiskAction action, const std::string& path,
                      const Transfer* transfer = nullptr);
    void tell(DiskEvent::Phase phase, const Transfer& transfer);
    void changed(DiskAction action, const std::string& path);
    void apply(DiskAction action, const std::string& path, Directory& directory,
               std::vector<std::pair<std::string, NodeId>> names);
    int check(const Opened& file, const Transfer& transfer) const;
    int finish_read(const InFlight& one);
    int finish_write(const InFlight& one);
    int finish_sync(const InFlight& one);
    std::uint64_t transferred(const InFlight& one, std::uint64_t possible);
    void write_part(Node& node, std::uint64_t offset, std::string_view octets, bool synced);
    static void make_durable(Node& node, const InFlight& sync);
    void fail_part(Node& node, const InFlight& one);
    static DiskImage lose_power(const Node& node, core::Prng& prng);
    std::unique_ptr<SimDisk> empty_copy(std::uint64_t seed) const;
    void drop_unnamed();

    core::Prng prng_;
    DiskPace pace_;
    Hook faults_;
    Listener listener_;
    std::uint64_t capacity_ = 1ULL << 40;
    std::size_t most_handles_ = ~std::size_t{0};
    bool direct_allowed_ = true;
    bool short_transfers_ = false;
    std::map<NodeId, Node> nodes_;
    std::map<std::string, Directory> directories_ = {{".", {}}, {"/", {}}};
    std::map<core::Handle, Opened> handles_;
    std::map<Ticket, InFlight> in_flight_;
    std::array<std::uint64_t, 8> ordinals_{};
    std::uint64_t stamp_ = 0;
    std::uint64_t changes_ = 0;
    NodeId last_node_ = 0;
    Ticket last_ticket_ = 0;
    core::Handle last_handle_ = kFirstHandle;
};

}  // namespace sim
