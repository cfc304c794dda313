#include "relay/events/event_writer.h"

#include <utility>

#include "core/base/assert.h"

namespace relay {

EventWriter::EventWriter(EventSink& sink, core::Reactor& reactor,
                         std::shared_ptr<const BounceRules> rules)
    : sink_(sink), reactor_(reactor), classifier_(std::move(rules)) {}

EventWriter::~EventWriter() {
    PH_ASSERT(batch_.records == 0);
}

void EventWriter::reception(const Message& message, const EventPeer& client,
                            const EventResponse& response) {
    added(append_reception(batch_.lines, message, client, response, reactor_.wall()));
}

std::size_t EventWriter::reception_record(const Message& message, std::size_t first,
                                          const EventPeer& client, const EventResponse& response) {
    const std::size_t next =
        append_reception_record(batch_.lines, message, first, client, response, reactor_.wall());
    added(1);
    return next;
}

void EventWriter::outcome(const Recipient& recipient, std::string_view site) {
    const Disposition& done = recipient.disposition();
    const BounceVerdict bounce =
        done.outcome == Outcome::delivered ? BounceVerdict{} : classifier_.classify(done);
    append_outcome(batch_.lines, recipient, site, bounce, reactor_.wall());
    added(1);
}

void EventWriter::rejection(const EventRejection& rejection) {
    append_rejection(batch_.lines, rejection, reactor_.wall());
    added(1);
}

void EventWriter::added(std::size_t records) {
    PH_ASSERT(!closed_);
    batch_.records += records;
    if (batch_.lines.size() >= kFlushAt) {
        flush();
    } else if (!timer_.armed()) {
        reactor_.timers().arm(timer_, reactor_.now() + kFlushAfter);
    }
}

void EventWriter::flush() {
    if (timer_.armed()) reactor_.timers().disarm(timer_);
    if (batch_.records == 0) return;
    const bool full = batch_.lines.size() >= kFlushAt;
    sink_.take(std::exchange(batch_, {}));
    if (full) batch_.lines.reserve(kFlushAt + 2048);  // busy: the next will fill up as well
}

void EventWriter::close() {
    flush();
    closed_ = true;
}

}  // namespace relay
