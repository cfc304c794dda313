#include "relay/events/event_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "core/base/ascii.h"
#include "core/base/assert.h"
#include "core/base/json_text.h"
#include "relay/events/json_text.h"
#include "relay/message/tenant_policy.h"

namespace relay {
namespace {

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

// A string for one, an array for several.
void append_recipients(std::string& out, const EventRecipients& recipients) {
    out += R"(,"recipient":)";
    if (recipients.size() == 1) return core::append_json_string(out, cut(recipients[0]));
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        out += i == 0 ? '[' : ',';
        core::append_json_string(out, recipients[i]);
    }
    out += ']';
}

// "campaign:tenant@domain" with the parts that there are.
void append_queue(std::string& out, const Event& event) {
    if (event.domain.empty()) {
        out += R"(,"queue":null)";
        return;
    }
    std::string queue;
    const bool has_tenant = !event.tenant.empty() && event.tenant != kDefaultTenant;
    if (!event.campaign.empty()) queue.append(event.campaign).append(":");
    if (has_tenant) queue += event.tenant;
    if (!queue.empty()) queue += '@';
    queue += core::to_lower(event.domain);
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

std::string_view name_of(EventType type) {
    constexpr std::array<std::string_view, 7> kNames = {
        "Reception",  "Delivery",    "TransientFailure", "Bounce",
        "Expiration", "AdminBounce", "Rejection"};
    return kNames[static_cast<std::size_t>(type)];
}

void append_bounce(std::string& out, const BounceVerdict& bounce, bool local) {
    if (bounce.name.empty()) {
        out += R"(,"bounce_classification":null,"bounce":null)";
        return;
    }
    append_text(out, R"(,"bounce_classification":)", bounce.name);
    append_text(out, R"(,"bounce":{"kind":)", to_string(bounce.kind));
    out += local ? R"(,"source":"local","suppress":)" : R"(,"source":"remote","suppress":)";
    out += bounce.suppress ? "true}" : "false}";
}

void append_source(std::string& out, const EventEgress& egress, std::string_view address) {
    append_text(out, R"(,"egress_pool":)", egress.pool);
    append_text(out, R"(,"egress_source":)", egress.source);
    if (address.empty()) {
        out += R"(,"source_address":null)";
        return;
    }
    append_text(out, R"(,"source_address":{"address":)", address);
    out += '}';
}

}  // namespace

void append_event(std::string& lines, const Event& event) {
    const bool rejection = event.type == EventType::rejection;
    const bool incoming = rejection || event.type == EventType::reception;
    lines += R"({"type":")";
    lines += name_of(event.type);
    lines += R"(","id":")";
    if (!rejection) lines += event.id.to_string();
    append_text(lines, R"(","sender":)", cut(event.sender));
    append_recipients(lines, event.recipients);
    append_queue(lines, event);
    append_text_or_null(lines, R"(,"site":)", cut(event.site));
    append_count(lines, R"(,"size":)", event.size);
    append_response(lines, event.response);
    append_peer(lines, event.peer);
    append_times(lines, event.created, event.time);
    append_count(lines, R"(,"num_attempts":)", event.attempts);
    append_bounce(lines, event.bounce, event.local);
    if (incoming) {
        lines += R"(,"egress_pool":null,"egress_source":null,"source_address":null)";
    } else {
        append_source(lines, event.egress, event.source_address);
    }
    append_text_or_null(lines, R"(,"tenant":)", event.tenant);
    append_text_or_null(lines, R"(,"campaign":)", event.campaign);
    append_text_or_null(lines, incoming ? R"(,"reception_protocol":)" : R"(,"delivery_protocol":)",
                        event.protocol);
    append_text_or_null(lines, R"(,"session_id":)", event.session_id);
    append_text_or_null(lines, R"(,"tls_cipher":)", event.tls_cipher);
    append_text_or_null(lines, R"(,"tls_protocol_version":)", event.tls_protocol);
    lines += R"(,"meta":{}})"
             "\n";
}

}  // namespace relay
