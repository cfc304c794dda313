// RejectionLog: what is recorded of what one listener refuses on one shard: Rejection events, and
// lines of the log. Both are bounded, whatever a client sends: within an interval a stranger has
// kStrangerEvents events and a client in `allow` kClientEvents; what goes beyond is counted, and at
// the end of the interval one event for each address says how many more there were and what the
// last one was. An IPv6 address stands for its network of 64 bits. Counters in the metrics have
// them all. Owned by an ingress, on its shard. Call close() before the EventWriter is closed;
// nothing may be noted after. Limits: kStrangers and kClients addresses an interval; the refusals
// of further ones are summed up in one event without an address.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/runtime/reactor.h"
#include "core/runtime/shard_log.h"
#include "core/runtime/timer_set.h"
#include "relay/events/event_writer.h"

namespace relay {

class RejectionLog {
  public:
    static constexpr core::Duration kInterval = std::chrono::minutes(1);
    static constexpr std::size_t kStrangerEvents = 1;
    static constexpr std::size_t kClientEvents = 10'000;
    static constexpr std::size_t kStrangers = 100;
    static constexpr std::size_t kClients = 1000;

    RejectionLog(core::Reactor& reactor, EventWriter& events)
        : reactor_(reactor), events_(events), log_(reactor) {}
    RejectionLog(const RejectionLog&) = delete;
    RejectionLog& operator=(const RejectionLog&) = delete;
    ~RejectionLog();

    void note(const core::IpAddress& client, bool stranger, const EventRejection& rejection);
    // A connection or a request that came to no mail: a line of the log, no event.
    void note_turned_away(const core::IpAddress& client, std::string_view why);
    // Writes what was counted and not written yet.
    void close();

  private:
    struct Key {
        bool stranger = false;
        bool other = false;  // of those for whom there was no place
        core::IpAddress network{};
        auto operator<=>(const Key&) const = default;
    };
    struct Refusals {
        std::size_t written = 0;
        std::uint64_t more = 0;
        Reply reply;  // to the last one that was only counted
        std::string command;
        std::string protocol;
    };
    class SweepTimer final : public core::Timer {
      public:
        explicit SweepTimer(RejectionLog& log) : log_(log) {}
        void expire() override { log_.sweep(); }

      private:
        RejectionLog& log_;
    };

    Refusals& refusals_of(const core::IpAddress& client, bool stranger);
    void write_sum(const Key& key, const Refusals& refusals);
    void sweep();

    core::Reactor& reactor_;
    EventWriter& events_;
    core::ShardLog log_;
    SweepTimer timer_{*this};
    std::map<Key, Refusals> refusals_;  // of this interval
    std::size_t strangers_ = 0;         // among them
};

}  // namespace relay
