// StopPhase: the steps in which the sides of a shard stop, in this order. In each of them sides
// stop in the order intake, control, origin, lookups, delivery; a side ignores a phase that is not
// its business. Shards wait for each other after close, settle and home (Node::arrive).
#pragma once

#include <cstdint>

namespace relay {

enum class StopPhase : std::uint8_t {
    leave,    // others accept from our sockets by now: clients finish what they have begun
    drain,    // nothing new begins: recovery, new mail, what is done now and then
    close,    // SMTP closes; content that is arriving may still be committed
    settle,   // nothing is committed any more; what is ready is delivered
    cut_off,  // HTTP closes; nobody is sent out; lookups end; connections finish what is in flight
    home,     // every recipient is home, from whichever shard
    end,      // reports, journals and what is left of tasks
};

}  // namespace relay
