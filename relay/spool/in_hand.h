// InHandTable: which messages are being prepared or sent, in memory that outlives the process (a
// mapped file, docs/spool-format.md), so that the next start can say what was in hand when this one
// died. A note costs two or three stores. Each shard has slots of its own and writes to them alone
// (InHand); the table is made before the shards and belongs to the process. Pure: the memory is
// given.
//
//   const InHand::Note note = in_hand.note(message.id);  // noted until it goes out of scope
//
// Limits: kSlots notes, an equal part of them for each shard; what comes when those are taken is
// not noted, and counted. kSlots messages are remembered, suspects first.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/message/message_id.h"
#include "relay/spool/suspicion.h"

namespace relay {

// Of the process that has the table.
enum class RunState : std::uint8_t {
    none,
    counted,  // the end before was judged; nothing has begun
    young,
    lived,  // for a minute
    ended,  // in order
};

// Whom the process tries now; noted as such wherever it is taken in hand.
struct Trial {
    std::atomic<bool> begun = false;
    std::atomic<std::uint64_t> high = 0;
    std::atomic<std::uint64_t> low = 0;
    std::atomic<bool> taken = false;  // in hand since it began
};

class InHand {
  public:
    class Note {
      public:
        Note() = default;
        Note(InHand* owner, std::uint32_t slot) : owner_(owner), slot_(slot) {}
        Note(Note&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)), slot_(other.slot_) {}
        Note& operator=(Note&& other) noexcept {
            std::swap(owner_, other.owner_);
            std::swap(slot_, other.slot_);
            Note(std::move(other)).end();
            return *this;
        }
        ~Note() { end(); }

      private:
        void end() {
            if (owner_ != nullptr) owner_->clear(slot_);
            owner_ = nullptr;
        }
        InHand* owner_ = nullptr;
        std::uint32_t slot_ = 0;
    };

    InHand(std::span<std::uint64_t> slots, Trial& trial);
    Note note(const MessageId& id);
    std::uint64_t unnoted() const { return unnoted_; }  // since the table was full

  private:
    void clear(std::uint32_t slot);

    std::span<std::uint64_t> slots_;
    Trial& trial_;
    std::vector<std::uint32_t> free_;
    std::uint64_t unnoted_ = 0;
};

class InHandTable {
  public:
    static constexpr std::size_t kSlots = 8192;
    static constexpr std::size_t kEntry = 3;  // words of a slot, and of what is known of a message
    static constexpr std::size_t kHeader = 512;
    static constexpr std::size_t kWords = kHeader + 3 * kSlots * kEntry;

    // Nothing is changed before begin_anew().
    explicit InHandTable(std::span<std::uint64_t> words) : words_(words) {}

    // boot: names this start of the machine. What another one left says nothing.
    LastRun last_run(std::string_view boot) const;
    // From here on the end before is judged, also if this process dies in the middle of it.
    void begin_anew(std::span<const Known> known, std::string_view boot, std::size_t shards);

    void set_state(RunState state);
    RunState state() const;
    // Of what begin_anew() was given, by its place there.
    void mark_found(std::size_t index);
    void acquit(std::size_t index);

    InHand& shard(std::size_t shard) { return *shards_[shard]; }
    Trial& trial() { return trial_; }

  private:
    std::span<std::uint64_t> known_area(std::uint64_t which) const;
    std::span<std::uint64_t> slots() const { return words_.last(kSlots * kEntry); }

    std::span<std::uint64_t> words_;
    Trial trial_;
    std::vector<std::unique_ptr<InHand>> shards_;
};

}  // namespace relay
