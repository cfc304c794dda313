// HeldBack: mail that is kept apart because the process died with it in hand (docs/decisions/0022).
// Suspects wait until they are tried. What is set aside has an empty file of its name in "set-
// aside" in the spool, and goes again when a person removes that file; whoever puts one there holds
// a message back from the next start on. It judges at the start and logs the verdicts. Made and
// opened on the main thread before the shards, which share it: what they call is atomic or never
// changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/file/disk.h"
#include "relay/spool/in_hand.h"

namespace relay {

inline constexpr std::string_view kSetAsideFolder = "set-aside";  // below that of the spool
inline constexpr std::string_view kInHandFile = "in-hand";

std::string set_aside_path(const std::string& spool, const MessageId& id);
// As the names of the files say; other names are nobody's.
core::IoResult<std::vector<MessageId>> set_aside_in(core::Disk& disk, const std::string& spool);

class HeldBack {
  public:
    // A process that dies sooner died early; one that has lived so long tries suspects.
    static constexpr core::Duration kYouth = std::chrono::minutes{1};

    enum class Why : std::uint8_t { no, suspect, set_aside };

    // words: InHandTable::kWords of them, as the process before left them.
    HeldBack(core::Disk& disk, std::string spool, std::span<std::uint64_t> words)
        : disk_(disk), spool_(std::move(spool)), table_(words) {}

    // Blocks. boot: of this start of the machine.
    core::Result<void> open(std::string_view boot, std::size_t shards);
    // From now on a death counts.
    void begin() { table_.set_state(RunState::young); }
    void has_lived();
    bool lived() const { return lived_.load(); }
    // The start failed before anybody was served: it says nothing of any message.
    void never_began() { table_.set_state(RunState::counted); }
    // All shards have ended in order.
    void end() { table_.set_state(RunState::ended); }

    InHand& in_hand(std::size_t shard) { return table_.shard(shard); }

    // ---- for the shard that found the message in its spool
    Why why(const MessageId& id) const;
    // It holds this suspect: it is still there.
    void found(const MessageId& id);
    // False: there is one on trial already.
    bool begin_trial(const MessageId& id);
    // acquitted: it came to rest. It is one if it was in hand meanwhile.
    void end_trial(const MessageId& id, bool acquitted);
    // Its file is gone.
    bool released(const MessageId& id);

  private:
    struct IdHash {
        std::size_t operator()(const MessageId& id) const { return id.low * 31 + id.high; }
    };
    bool set_aside(const MessageId& id);
    void say() const;

    core::Disk& disk_;
    std::string spool_;
    InHandTable table_;
    std::unordered_map<MessageId, std::size_t, IdHash> suspects_;  // and their place in the table
    std::unordered_set<MessageId, IdHash> set_aside_;
    std::unordered_set<MessageId, IdHash> unwritten_;  // of these: their file could not be made
    std::atomic<bool> lived_ = false;
};

}  // namespace relay
