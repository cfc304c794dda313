// Segment: one file of a journal and what is known of it. Owned by its SegmentStore; one shard. The
// live messages that it holds are on its list. A segment with live messages or reads under way
// stays; only the oldest of a journal is ever given up (relay/spool/segment_store.h says why).
#pragma once

#include <cstdint>

#include "core/base/intrusive_list.h"
#include "core/io/io_backend.h"
#include "relay/message/message.h"
#include "relay/spool/segment_format.h"

namespace relay {

class Journal;

class Segment {
  public:
    Segment(Journal& owner, SegmentName segment_name) : journal(&owner), name(segment_name) {}

    Journal* journal;
    SegmentName name;
    core::Handle reader = core::kNoHandle;  // through the page cache; opened when first needed
    core::Handle writer = core::kNoHandle;  // of the active segment
    std::uint64_t salt = 0;
    std::uint32_t seed = 0;  // of its checksums
    std::uint64_t size = 0;  // octets of the file
    std::uint64_t used = 0;  // octets up to the end of the last batch, written or under way
    std::uint64_t batches = 0;
    Seal seal;            // of what it holds: kept up with each batch, or what recovery found
    bool sealed = false;  // the header of the next one, or the chain, knows the seal
    core::IntrusiveList<Message, MessageListTag> live;  // messages that are not final, as written
    std::uint64_t live_octets = 0;                      // what their records take
    std::uint32_t readers = 0;                          // reads under way
    bool damaged = false;  // something in it could not be read: the file is kept
    bool scanned = true;   // false: of an earlier run, and recovery has not come to it yet

    bool dead() { return scanned && readers == 0 && live.empty(); }
    void keep(Message& message);
    void drop(Message& message);
};

}  // namespace relay
