// EventWriter: one shard's end of the event log. It classifies failures (relay/bounce), formats
// events into a buffer of its own and hands the buffer to the sink once it holds kFlushAt octets,
// or kFlushAfter after the first event in it: so an idle shard needs no timer and a busy one hands
// over seldom. One per shard, used on its thread only. Before the shard ends call close(): it hands
// over what is left; nothing may be added after. Limit: the buffer is at most kFlushAt and one
// record; what the sink does when it is full is its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/runtime/reactor.h"
#include "core/runtime/timer_set.h"
#include "relay/bounce/classifier.h"
#include "relay/events/event.h"
#include "relay/events/event_sink.h"

namespace relay {

class EventWriter {
  public:
    static constexpr std::size_t kFlushAt = 64 * 1024;
    static constexpr core::Duration kFlushAfter = std::chrono::milliseconds(200);

    EventWriter(EventSink& sink, core::Reactor& reactor,
                std::shared_ptr<const BounceRules> rules = BounceRules::built_in());
    EventWriter(const EventWriter&) = delete;
    EventWriter& operator=(const EventWriter&) = delete;
    ~EventWriter();  // closed, or nothing left to hand over

    void reception(const Message& message, const EventPeer& client, const EventResponse& response);
    // One record of it, for recipients from this one on; returns the first of the next one. For
    // messages for so many that the caller lets others run in between.
    std::size_t reception_record(const Message& message, std::size_t first, const EventPeer& client,
                                 const EventResponse& response);
    void outcome(const Recipient& recipient, std::string_view site);
    void rejection(const EventRejection& rejection);

    // What a failure means: asked before it is settled, remembered until it is written.
    BounceVerdict classify(const Disposition& done) { return classifier_.classify(done); }
    // What failures are classified by from now on: a reload.
    void use(std::shared_ptr<const BounceRules> rules) { classifier_.use(std::move(rules)); }

    void flush();
    void close();

  private:
    class FlushTimer final : public core::Timer {
      public:
        explicit FlushTimer(EventWriter& writer) : writer_(writer) {}
        void expire() override { writer_.flush(); }

      private:
        EventWriter& writer_;
    };

    void added(std::size_t records);

    EventSink& sink_;
    core::Reactor& reactor_;
    FlushTimer timer_{*this};
    EventBatch batch_;
    BounceClassifier classifier_;
    bool closed_ = false;
};

}  // namespace relay
