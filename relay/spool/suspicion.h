// Suspicion: finds the message that kills the process, from what was in hand at this end and at
// those before it (docs/decisions/0022). Guilty mail is in hand at every end; innocent mail is in
// hand at many, since thousands are. A message that was in hand at kRow early ends in a row is a
// suspect and waits. A suspect is tried alone, by a process that has proved that it lives without
// it. Only a message that was on trial, alone, at kDeaths ends is set aside. Kills of young
// processes never set anything aside. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "relay/message/message_id.h"

namespace relay {

inline constexpr std::uint32_t kRow = 3;
inline constexpr std::uint32_t kDeaths = 2;

// How the last run ended.
enum class LastEnd : std::uint8_t {
    unknown,  // nothing ran, it never began, or the machine was started since
    orderly,
    early,  // it died, and had not lived for a minute
    late,   // it died later
};

struct Noted {
    MessageId id;
    bool on_trial = false;
};

// What is remembered of a message from one run to the next.
struct Known {
    MessageId id;
    std::uint32_t ends = 0;    // early ones in a row, with it in hand
    std::uint32_t deaths = 0;  // on trial
    bool found = false;        // the last run held it back: it is in the spool
    bool suspect() const { return ends >= kRow; }
    bool operator==(const Known&) const = default;
};

struct LastRun {
    LastEnd how = LastEnd::unknown;
    std::vector<Noted> in_hand;
    std::vector<Known> known;
};

struct Judgement {
    std::vector<Known> known;  // suspects first; then who was in hand most often
    std::vector<MessageId> set_aside;
};

Judgement judge(const LastRun& last);

}  // namespace relay
