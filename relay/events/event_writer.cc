#include "relay/events/event_writer.h"

#include "core/base/assert.h"

namespace relay {

void EventWriter::reception(const Message& message, const EventPeer& client,
                            const EventResponse& response) {
    for (std::size_t next = 0; next < message.recipients.size();)
        next = reception_record(message, next, client, response);
}

std::size_t EventWriter::reception_record(const Message& message, std::size_t first,
                                          const EventPeer& client, const EventResponse& response) {
    const Event event = reception_event(message, first, client, response, reactor_.wall());
    record(event);
    return first + event.recipients.size();
}

void EventWriter::outcome(const Recipient& recipient, std::string_view site,
                          const BounceVerdict& verdict, const EventEgress& egress) {
    record(outcome_event(recipient, site, verdict, reactor_.wall(), egress));
}

void EventWriter::rejection(const EventRejection& rejection) {
    record(rejection_event(rejection, reactor_.wall()));
}

void EventWriter::record(Event event) {
    PH_ASSERT(!closed_);
    ++last_.sequence;
    event.position = last_;
    sink_.take(event);
}

void EventWriter::close() {
    sink_.flush();
    closed_ = true;
}

}  // namespace relay
