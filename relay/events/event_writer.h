// EventWriter: one shard's end of the event log. It makes events of what happened, gives each its
// time and its position, and hands it to the sink at once. One per shard, used on its thread only.
// Before the shard ends call close(): nothing may be recorded after. Limits: the sink's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/runtime/reactor.h"
#include "relay/events/event.h"
#include "relay/events/event_sink.h"

namespace relay {

class EventWriter {
  public:
    // last: the position that the shard gave last, in an earlier run too where the log kept it.
    EventWriter(EventSink& sink, core::Reactor& reactor, EventPosition last = {})
        : sink_(sink), reactor_(reactor), last_(last) {}
    EventWriter(const EventWriter&) = delete;
    EventWriter& operator=(const EventWriter&) = delete;

    void reception(const Message& message, const EventPeer& client, const EventResponse& response);
    // One event of it, for recipients from this one on; returns the first of the next one. For
    // messages for so many that the caller lets others run in between.
    std::size_t reception_record(const Message& message, std::size_t first, const EventPeer& client,
                                 const EventResponse& response);
    // verdict: what a failure means; nothing for a delivery.
    void outcome(const Recipient& recipient, std::string_view site, const BounceVerdict& verdict,
                 const EventEgress& egress = {});
    void rejection(const EventRejection& rejection);

    EventPosition last() const { return last_; }
    void flush() { sink_.flush(); }
    void close();

  private:
    void record(Event event);

    EventSink& sink_;
    core::Reactor& reactor_;
    EventPosition last_;
    bool closed_ = false;
};

}  // namespace relay
