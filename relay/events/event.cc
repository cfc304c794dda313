#include "relay/events/event.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "core/base/json_text.h"
#include "relay/events/json_text.h"

namespace relay {
namespace {

constexpr std::string_view kDefaultTenant = "default";
// Of the connection that a message came by: there is no TLS there in this version.
constexpr std::string_view kNoTls = R"(,"tls_cipher":null,"tls_protocol_version":null)";

template <typename Number>
void append_number(std::string& out, Number number) {
    std::array<char, 24> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    PH_ASSERT(error == std::errc{});
    out.append(digits.data(), end);
}

std::int64_t unix_seconds(core::WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string_view cut(std::string_view text) {
    if (text.size() <= kMostTextOctets) return text;
    std::size_t end = kMostTextOctets;
    // Not in the middle of a UTF-8 sequence.
    while (end > kMostTextOctets - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    return text.substr(0, end);
}

// The fields are named by literals of ours: `,"name":` is appended as it is.
void append_text(std::string& out, std::string_view key, std::string_view text) {
    out += key;
    core::append_json_string(out, text);
}

void append_text_or_null(std::string& out, std::string_view key, std::string_view text) {
    if (text.empty()) {
        out += key;
        out += "null";
        return;
    }
    append_text(out, key, text);
}

template <typename Number>
void append_count(std::string& out, std::string_view key, Number number) {
    out += key;
    append_number(out, number);
}

void append_response(std::string& out, const EventResponse& response) {
    append_count(out, R"(,"response":{"code":)", response.reply.code);
    if (response.reply.enhanced.klass == 0) {
        out += R"(,"enhanced_code":null)";
    } else {
        append_count(out, R"(,"enhanced_code":{"class":)", response.reply.enhanced.klass);
        append_count(out, R"(,"subject":)", response.reply.enhanced.subject);
        append_count(out, R"(,"detail":)", response.reply.enhanced.detail);
        out += '}';
    }
    append_text(out, R"(,"content":)", cut(response.reply.text));
    append_text_or_null(out, R"(,"command":)", cut(response.command));
    out += '}';
}

void append_peer(std::string& out, const EventPeer& peer) {
    if (peer.name.empty() && peer.address.empty()) {
        out += R"(,"peer_address":null)";
        return;
    }
    append_text(out, R"(,"peer_address":{"name":)", cut(peer.name));
    append_text(out, R"(,"addr":)", peer.address);
    out += '}';
}

// "campaign:tenant@domain" with the parts that there are.
void append_queue(std::string& out, const Message& message, std::string_view domain) {
    std::string queue;
    const Labels& labels = message.labels();
    const bool has_tenant = !labels.tenant.empty() && labels.tenant != kDefaultTenant;
    if (!labels.campaign.empty()) queue = labels.campaign + ":";
    if (has_tenant) queue += labels.tenant;
    if (!queue.empty()) queue += '@';
    queue += core::to_lower(domain);
    append_text(out, R"(,"queue":)", queue);
}

void append_times(std::string& out, core::WallTime created, core::WallTime now) {
    append_count(out, R"(,"timestamp":)", unix_seconds(now));
    out += R"(,"event_time":)";
    append_rfc3339_string(out, now);
    append_count(out, R"(,"created":)", unix_seconds(created));
    out += R"(,"created_time":)";
    append_rfc3339_string(out, created);
}

void append_tags(std::string& out, const Message& message) {
    append_text_or_null(out, R"(,"tenant":)", message.labels().tenant);
    append_text_or_null(out, R"(,"campaign":)", message.labels().campaign);
}

std::string_view record_type(Outcome outcome) {
    switch (outcome) {
        case Outcome::delivered:
            return "Delivery";
        case Outcome::deferred:
            return "TransientFailure";
        case Outcome::bounced:
            return "Bounce";
        case Outcome::expired:
            return "Expiration";
        case Outcome::none:
            break;
    }
    PH_ASSERT(false && "an attempt without an outcome is no event");
}

constexpr std::string_view kNoBounce = R"(,"bounce_classification":null,"bounce":null)";

void append_bounce(std::string& out, const BounceVerdict& bounce, bool local) {
    if (bounce.name.empty()) {
        out += kNoBounce;
        return;
    }
    append_text(out, R"(,"bounce_classification":)", bounce.name);
    append_text(out, R"(,"bounce":{"kind":)", to_string(bounce.kind));
    out += local ? R"(,"source":"local","suppress":)" : R"(,"source":"remote","suppress":)";
    out += bounce.suppress ? "true}" : "false}";
}

// One line for the recipients [first, last): a string for one, an array for several.
void append_reception_line(std::string& out, const Message& message, std::size_t first,
                           std::size_t last, const EventPeer& client, const EventResponse& response,
                           core::WallTime now) {
    const auto& recipients = message.recipients;
    out += R"({"type":"Reception","id":")";
    out += message.id.to_string();
    append_text(out, R"(","sender":)", message.sender);
    out += R"(,"recipient":)";
    if (last - first == 1) {
        core::append_json_string(out, recipients[first]->address);
    } else {
        for (std::size_t i = first; i < last; ++i) {
            out += i == first ? '[' : ',';
            core::append_json_string(out, recipients[i]->address);
        }
        out += ']';
    }
    const std::string_view domain = recipients[first]->domain();
    const bool one_queue = std::ranges::all_of(
        recipients.begin() + static_cast<std::ptrdiff_t>(first),
        recipients.begin() + static_cast<std::ptrdiff_t>(last),
        [&](const auto& each) { return core::equals_ignoring_case(each->domain(), domain); });
    if (one_queue) {
        append_queue(out, message, domain);
    } else {
        out += R"(,"queue":null)";
    }
    append_count(out, R"(,"site":null,"size":)", message.size());
    append_response(out, response);
    append_peer(out, client);
    append_times(out, message.created, now);
    out += R"(,"num_attempts":0)";
    out += kNoBounce;
    out += R"(,"egress_pool":null,"egress_source":null,"source_address":null)";
    append_tags(out, message);
    append_text_or_null(out, R"(,"reception_protocol":)", message.injection().protocol);
    append_text_or_null(out, R"(,"session_id":)", message.injection().session_id);
    out += kNoTls;
    out += R"(,"meta":{}})"
           "\n";
}

}  // namespace

std::size_t append_reception_record(std::string& lines, const Message& message, std::size_t first,
                                    const EventPeer& client, const EventResponse& response,
                                    core::WallTime now) {
    const std::size_t last = std::min(message.recipients.size(), first + kMostRecipientsPerRecord);
    append_reception_line(lines, message, first, last, client, response, now);
    return last;
}

std::size_t append_reception(std::string& lines, const Message& message, const EventPeer& client,
                             const EventResponse& response, core::WallTime now) {
    std::size_t records = 0;
    for (std::size_t next = 0; next < message.recipients.size(); ++records)
        next = append_reception_record(lines, message, next, client, response, now);
    return records;
}

void append_outcome(std::string& lines, const Recipient& recipient, std::string_view site,
                    const BounceVerdict& bounce, core::WallTime now) {
    const Message& message = *recipient.message;
    const Disposition& done = recipient.disposition();
    lines += R"({"type":")";
    lines += record_type(done.outcome);
    lines += R"(","id":")";
    lines += message.id.to_string();
    append_text(lines, R"(","sender":)", message.sender);
    append_text(lines, R"(,"recipient":)", recipient.address);
    append_queue(lines, message, recipient.domain());
    append_text_or_null(lines, R"(,"site":)", cut(site));
    append_count(lines, R"(,"size":)", message.size());
    append_response(lines, {view_of(done.reply), done.command});
    append_peer(lines, {done.peer_name, done.peer_address});
    append_times(lines, message.created, now);
    append_count(lines, R"(,"num_attempts":)", recipient.attempts);
    append_bounce(lines, bounce, done.local);
    // One source without a name of its own, as yet.
    lines += R"(,"egress_pool":"default","egress_source":"default")";
    if (done.source_address.empty()) {
        lines += R"(,"source_address":null)";
    } else {
        append_text(lines, R"(,"source_address":{"address":)", done.source_address);
        lines += '}';
    }
    append_tags(lines, message);
    lines += R"(,"delivery_protocol":"ESMTP")";
    append_text_or_null(lines, R"(,"session_id":)", done.session_id);
    append_text_or_null(lines, R"(,"tls_cipher":)", done.tls_cipher);
    append_text_or_null(lines, R"(,"tls_protocol_version":)", done.tls_protocol);
    lines += R"(,"meta":{}})"
             "\n";
}

void append_rejection(std::string& lines, const EventRejection& rejection, core::WallTime now) {
    append_text(lines, R"({"type":"Rejection","id":"","sender":)", cut(rejection.sender));
    append_text(lines, R"(,"recipient":)", cut(rejection.recipient));
    append_count(lines, R"(,"queue":null,"site":null,"size":)", rejection.size);
    append_response(lines, rejection.response);
    append_peer(lines, rejection.peer);
    append_times(lines, now, now);
    lines += R"(,"num_attempts":0)";
    lines += kNoBounce;
    lines += R"(,"egress_pool":null,"egress_source":null,"source_address":null)"
             R"(,"tenant":null,"campaign":null)";
    append_text_or_null(lines, R"(,"reception_protocol":)", rejection.protocol);
    append_text_or_null(lines, R"(,"session_id":)", rejection.session_id);
    lines += kNoTls;
    lines += R"(,"meta":{}})"
             "\n";
}

}  // namespace relay
