#include "relay/events/event.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "core/base/assert.h"

namespace relay {
namespace {

EventType type_of(const Disposition& done) {
    if (done.by_operator) return EventType::admin_bounce;
    switch (done.outcome) {
        case Outcome::delivered:
            return EventType::delivery;
        case Outcome::deferred:
            return EventType::transient_failure;
        case Outcome::bounced:
            return EventType::bounce;
        case Outcome::expired:
            return EventType::expiration;
        case Outcome::none:
            break;
    }
    PH_ASSERT(false && "an attempt without an outcome is no event");
}

// What all events of a message have.
Event event_of(const Message& message, EventType type, core::WallTime now) {
    const Labels& labels = message.labels();
    Event event;
    event.type = type;
    event.time = now;
    event.created = message.created;
    event.id = message.id;
    event.sender = message.sender;
    event.size = message.size();
    event.tenant = labels.tenant->name;
    event.campaign = labels.campaign;
    return event;
}

}  // namespace

Event reception_event(const Message& message, std::size_t first, const EventPeer& client,
                      const EventResponse& response, core::WallTime now) {
    const std::size_t count = std::min(message.recipients.size() - first, kMostRecipientsPerRecord);
    const auto named = std::span(message.recipients).subspan(first, count);
    PH_ASSERT(!named.empty());
    Event event = event_of(message, EventType::reception, now);
    event.recipients = EventRecipients(named);
    const std::string_view domain = named.front()->domain();
    const bool one_domain = std::ranges::all_of(named, [&](const auto& each) {
        return core::equals_ignoring_case(each->domain(), domain);
    });
    if (one_domain) event.domain = domain;
    event.response = response;
    event.peer = client;
    event.protocol = message.injection().protocol;
    event.session_id = message.injection().session_id;
    return event;
}

Event outcome_event(const Recipient& recipient, std::string_view site, const BounceVerdict& bounce,
                    core::WallTime now, const EventEgress& egress) {
    const Disposition& done = recipient.disposition();
    Event event = event_of(*recipient.message, type_of(done), now);
    event.recipients = EventRecipients(recipient.address);
    event.domain = recipient.domain();
    event.site = site;
    event.response = {view_of(done.reply), done.command};
    event.peer = {done.peer_name, done.peer_address};
    event.attempts = recipient.attempts;
    event.bounce = bounce;
    event.local = done.local;
    event.egress = egress;
    event.source_address = done.source_address;
    event.protocol = "ESMTP";
    event.session_id = done.session_id;
    event.tls_protocol = done.tls_protocol;
    event.tls_cipher = done.tls_cipher;
    return event;
}

Event rejection_event(const EventRejection& rejection, core::WallTime now) {
    Event event;
    event.type = EventType::rejection;
    event.time = event.created = now;
    event.sender = rejection.sender;
    event.recipients = EventRecipients(rejection.recipient);
    event.size = rejection.size;
    event.response = rejection.response;
    event.peer = rejection.peer;
    event.protocol = rejection.protocol;
    event.session_id = rejection.session_id;
    return event;
}

}  // namespace relay
