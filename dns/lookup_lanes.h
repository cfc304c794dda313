// LookupLanes: who may ask the name servers now, so that silent ones keep nobody else waiting.
//
//   fast lane   each lookup begins here, with one short try. At most `places` are young, the others
//               wait in order: those for MX after all others but for each kMxTurn-th place (a
//               domain that is half known is finished before the next one is begun, or the first
//               mail of a list of many would wait for the MX of the last). A lookup that takes
//               longer than kYoung lingers: it leaves its place to the next; at most `lingering`
//               do.
//   slow lane   what got no answer there, or got none lately, with the patience that DNS asks for.
//               At most `slow` at a time, and `slow_waiting` wait; further ones are refused.
//
// So two thousand silent names delay the next one by about a second, and for as long as they like
// nobody but themselves. Owned by the CachedResolver, on its shard. Every take that was granted is
// followed by the leave of the same lane. stop() refuses whoever waits, and everybody after it.
// Limits: those above; `waiting` in the fast lane, further ones are refused.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "core/base/intrusive_list.h"
#include "core/runtime/event.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "dns/wire/record.h"

namespace dns {

struct LaneLimits {
    std::size_t places = 128;
    std::size_t lingering = 2048;
    std::size_t waiting = 65'536;
    std::size_t slow = 512;
    std::size_t slow_waiting = 512;
};

class LookupLanes {
  public:
    static constexpr core::Duration kYoung = std::chrono::milliseconds{50};
    static constexpr std::size_t kMxTurn = 4;

    struct SeatTag;
    // One lookup in the fast lane; lives as long as it is there.
    class Seat final : public core::Timer, public core::ListLink<SeatTag> {
      public:
        explicit Seat(LookupLanes& lanes) : lanes_(lanes) {}
        void expire() override { lanes_.grow_old(*this); }

      private:
        friend class LookupLanes;
        LookupLanes& lanes_;
        bool lingers_ = false;
    };

    LookupLanes(core::Reactor& reactor, LaneLimits limits);
    ~LookupLanes();

    // False: refused.
    core::Task<bool> take_fast(Seat* seat, RecordType type);
    void leave_fast(Seat& seat);
    core::Task<bool> take_slow();
    void leave_slow();
    void stop();

    std::uint64_t delayed() const { return delayed_; }  // waited, in either lane
    bool stopped() const { return stopped_; }

  private:
    struct WaiterTag;
    struct Waiter final : core::ListLink<WaiterTag> {
        explicit Waiter(core::Reactor& owner) : come(owner) {}
        core::Event come;
        bool granted = false;
    };
    using Waiters = core::IntrusiveList<Waiter, WaiterTag>;

    core::Task<bool> wait_in(Waiters* line);
    void begin_young(Seat& seat);
    void grow_old(Seat& seat);
    void let_linger(Seat& seat);
    // A young place is free: the next one has it.
    void hand_on();
    static void grant(Waiters& line);
    static void refuse_all(Waiters& line);

    core::Reactor& reactor_;
    const LaneLimits limits_;
    std::size_t young_ = 0;
    std::size_t lingering_ = 0;
    core::IntrusiveList<Seat, SeatTag> overdue_;  // not young any more; too many linger
    Waiters line_;
    Waiters line_for_mx_;
    std::size_t waiting_ = 0;  // in both
    std::size_t handed_on_ = 0;
    std::size_t slow_ = 0;
    Waiters slow_line_;
    std::size_t slow_waiting_ = 0;
    std::uint64_t delayed_ = 0;
    bool stopped_ = false;
};

}  // namespace dns
