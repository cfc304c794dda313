#include "relay/spool/record.h"

#include <algorithm>
#include <optional>

#include "core/base/assert.h"
#include "relay/spool/octets.h"

namespace relay {

namespace {

// Flags of a message record.
constexpr std::uint8_t kEightBit = 1;
constexpr std::uint8_t kUtf8 = 2;
constexpr std::uint8_t kMoved = 4;
constexpr std::uint8_t kVerp = 8;
constexpr std::uint8_t kOurs = 16;
constexpr std::uint8_t kBounceByMail = 32;
constexpr std::uint8_t kBounceBothWays = 64;
constexpr std::uint8_t kKnownFlags =
    kEightBit | kUtf8 | kMoved | kVerp | kOurs | kBounceByMail | kBounceBothWays;

// Flags of a recipient.
constexpr std::uint8_t kHasReply = 1;
constexpr std::uint8_t kHasDsn = 2;
constexpr std::uint8_t kDelayTold = 4;

// Optional fields after the fixed part: tag, length, octets. Unknown tags are an error: a spool is
// read by the version that wrote it or a later one.
enum class Field : std::uint8_t {
    tenant = 1,
    campaign = 2,
    envelope_id = 3,
    returned = 4,
    tls = 5,
    deliver_by = 6,
    expires = 7,
    priority = 8,
};

constexpr std::string_view kTlsWaived = "No";            // the header field TLS-Required
constexpr std::string_view kTlsRequired = "REQUIRETLS";  // the parameter

constexpr std::size_t kLeastRecipient = 4 + 2 + 2 + 8 + 1;  // octets of a recipient without a text
constexpr std::size_t kMostText = 512;

std::uint64_t nanoseconds(core::WallTime time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

core::WallTime time_of(std::uint64_t nanoseconds_since_epoch) {
    return core::WallTime{std::chrono::duration_cast<core::WallTime::duration>(
        std::chrono::nanoseconds{static_cast<std::int64_t>(nanoseconds_since_epoch)})};
}

void put_id(std::string& out, const MessageId& id) {
    put(out, id.high);
    put(out, id.low);
}

MessageId get_id(Reader& reader) {
    MessageId id;
    id.high = reader.number<std::uint64_t>();
    id.low = reader.number<std::uint64_t>();
    return id;
}

void put_reply(std::string& out, const ReplyView& reply, std::string_view command, bool local) {
    put(out, reply.code);
    put(out, reply.enhanced.klass);
    put(out, reply.enhanced.subject);
    put(out, reply.enhanced.detail);
    put(out, static_cast<std::uint8_t>(local));
    put_text(out, reply.text.substr(0, kMostText));
    put_text(out, command.substr(0, kMostText));
}

template <typename Record>
void get_reply(Reader& reader, Record& record) {
    record.reply.code = reader.number<std::uint16_t>();
    record.reply.enhanced.klass = reader.number<std::uint8_t>();
    record.reply.enhanced.subject = reader.number<std::uint16_t>();
    record.reply.enhanced.detail = reader.number<std::uint16_t>();
    record.local = reader.number<std::uint8_t>() != 0;
    record.reply.text = reader.counted_text();
    record.command = reader.counted_text();
}

void put_field(std::string& out, Field tag, std::string_view text) {
    if (text.empty()) return;
    put(out, static_cast<std::uint8_t>(tag));
    put_text(out, text);
}

// The time, then "R" or "N", then "T" or nothing.
void put_deliver_by(std::string& out, const DeliverBy& by) {
    std::string text;
    put(text, nanoseconds(by.deadline));
    text += by.returns ? "R" : "N";
    if (by.traces) text += "T";
    put_field(out, Field::deliver_by, text);
}

std::optional<DeliverBy> deliver_by_of(std::string_view text) {
    Reader reader(text);
    DeliverBy by;
    by.deadline = time_of(reader.number<std::uint64_t>());
    if (!reader.ok() || !by.asked()) return std::nullopt;
    const std::string_view mode = text.substr(sizeof(std::uint64_t));
    by.returns = mode.starts_with('R');
    by.traces = mode.ends_with('T');
    if (mode != "R" && mode != "RT" && mode != "N" && mode != "NT") return std::nullopt;
    return by;
}

void put_recipient(std::string& out, const Recipient& recipient) {
    put(out, recipient.index);
    put_text(out, recipient.address);
    put(out, recipient.attempts);
    put(out, nanoseconds(recipient.next_attempt));
    const LastReply* reply = recipient.last_reply;
    const bool dsn = recipient.notify.said() || !recipient.original().empty();
    const int flags = (reply != nullptr ? kHasReply : 0) | (dsn ? kHasDsn : 0) |
                      (recipient.delay_told ? kDelayTold : 0);
    put(out, static_cast<std::uint8_t>(flags));
    if (dsn) {
        put(out, recipient.notify.bits());
        put_text(out, recipient.original());
    }
    if (reply != nullptr) put_reply(out, view_of(reply->reply), reply->command, reply->local);
}

}  // namespace

MessageEncoder::MessageEncoder(const Message& message, bool moved, std::string& out)
    : message_(message), out_(out) {
    put_id(out, message.id);
    put(out, nanoseconds(message.created));
    const int flags = (message.eight_bit ? kEightBit : 0) | (message.utf8 ? kUtf8 : 0) |
                      (moved ? kMoved : 0) | (message.verp ? kVerp : 0) |
                      (message.ours ? kOurs : 0) |
                      (message.bounces == BouncePolicy::mail ? kBounceByMail : 0) |
                      (message.bounces == BouncePolicy::both ? kBounceBothWays : 0);
    put(out, static_cast<std::uint8_t>(flags));
    put(out, message.content.leading_dots());
    put_text(out, message.sender);
    count_at_ = out.size();
    put(out, std::uint32_t{0});
}

bool MessageEncoder::advance(std::size_t recipients) {
    for (; recipients > 0 && next_ < message_.recipients.size(); --recipients, ++next_) {
        const Recipient& recipient = *message_.recipients[next_];
        if (recipient.settled) continue;
        ++count_;
        put_recipient(out_, recipient);
    }
    if (next_ < message_.recipients.size()) return true;
    finish();
    return false;
}

void MessageEncoder::finish() {
    put_at(out_.data() + count_at_, count_);
    put_field(out_, Field::tenant, message_.labels().tenant->name);
    put_field(out_, Field::campaign, message_.labels().campaign);
    put_field(out_, Field::envelope_id, message_.dsn().envelope_id);
    if (message_.dsn().content != ReturnContent::unsaid) {
        put_field(out_, Field::returned, message_.dsn().content == ReturnContent::full ? "F" : "H");
    }
    if (message_.deliver_by().asked()) put_deliver_by(out_, message_.deliver_by());
    if (message_.expires() != core::WallTime{}) {
        std::string time;
        put(time, nanoseconds(message_.expires()));
        put_field(out_, Field::expires, time);
    }
    if (message_.priority != Priority::normal) {
        put_field(out_, Field::priority, to_string(message_.priority));
    }
    if (message_.tls == TlsRequest::waived) put_field(out_, Field::tls, kTlsWaived);
    if (message_.tls == TlsRequest::required) put_field(out_, Field::tls, kTlsRequired);
}

void encode_message(const Message& message, bool moved, std::string& out) {
    MessageEncoder(message, moved, out).advance(message.recipients.size());
}

core::Result<MessageRecord> decode_message(std::string_view octets) {
    Reader reader(octets);
    MessageRecord record;
    record.id = get_id(reader);
    record.created = time_of(reader.number<std::uint64_t>());
    const auto flags = reader.number<std::uint8_t>();
    record.leading_dots = reader.number<std::uint32_t>();
    record.sender = reader.counted_text();
    const auto count = reader.number<std::uint32_t>();
    if (!reader.ok()) return core::failure("a message record ends in its fixed part");
    if ((flags & ~kKnownFlags) != 0) return core::failure("a message record has unknown flags");
    record.eight_bit = (flags & kEightBit) != 0;
    record.utf8 = (flags & kUtf8) != 0;
    record.moved = (flags & kMoved) != 0;
    record.verp = (flags & kVerp) != 0;
    record.ours = (flags & kOurs) != 0;
    if ((flags & kBounceByMail) != 0) record.bounces = BouncePolicy::mail;
    if ((flags & kBounceBothWays) != 0) record.bounces = BouncePolicy::both;
    if (count > reader.left() / kLeastRecipient) {
        return core::failure("a message record counts more recipients than it can hold");
    }
    record.recipients.resize(count);
    for (RecipientRecord& recipient : record.recipients) {
        recipient.index = reader.number<std::uint32_t>();
        recipient.address = reader.counted_text();
        recipient.attempts = reader.number<std::uint16_t>();
        recipient.next_attempt = time_of(reader.number<std::uint64_t>());
        const auto own_flags = reader.number<std::uint8_t>();
        if (own_flags > (kHasReply | kHasDsn | kDelayTold)) {
            return core::failure("a recipient has unknown flags");
        }
        recipient.has_reply = (own_flags & kHasReply) != 0;
        recipient.delay_told = (own_flags & kDelayTold) != 0;
        if ((own_flags & kHasDsn) != 0) {
            recipient.notify = Notify(reader.number<std::uint8_t>());
            recipient.original = reader.counted_text();
        }
        if (recipient.has_reply) get_reply(reader, recipient);
    }
    while (reader.ok() && !reader.at_end()) {
        const auto tag = static_cast<Field>(reader.number<std::uint8_t>());
        const std::string_view text = reader.counted_text();
        if (tag == Field::tenant) {
            record.tenant = text;
        } else if (tag == Field::campaign) {
            record.campaign = text;
        } else if (tag == Field::envelope_id) {
            record.envelope_id = text;
        } else if (tag == Field::returned) {
            record.returned = text == "F" ? ReturnContent::full : ReturnContent::headers;
        } else if (tag == Field::deliver_by) {
            const auto by = deliver_by_of(text);
            if (!by) return core::failure("a message record has a malformed BY");
            record.by = *by;
        } else if (tag == Field::expires) {
            Reader time(text);
            record.expires = time_of(time.number<std::uint64_t>());
            if (!time.ok() || text.size() != sizeof(std::uint64_t) ||
                record.expires == core::WallTime{}) {
                return core::failure("a message record has a malformed time of expiry");
            }
        } else if (tag == Field::priority) {
            const auto priority = priority_named(text);
            if (!priority) return core::failure("a message record has an unknown priority");
            record.priority = *priority;
        } else if (tag == Field::tls) {
            if (text != kTlsWaived && text != kTlsRequired) {
                return core::failure("a message record asks for TLS in an unknown way");
            }
            record.tls = text == kTlsWaived ? TlsRequest::waived : TlsRequest::required;
        } else {
            return core::failure("a message record has an unknown field");
        }
    }
    if (!reader.ok()) return core::failure("a message record ends too early");
    return record;
}

void encode_outcome(const OutcomeRecord& record, std::string& out) {
    put_id(out, record.id);
    put(out, record.index);
    put(out, static_cast<std::uint8_t>(record.outcome));
    put(out, record.attempts);
    if (record.outcome != Outcome::deferred) return;
    put(out, nanoseconds(record.next_attempt));
    put(out, static_cast<std::uint8_t>(record.delay_told));
    put_reply(out, record.reply, record.command, record.local);
}

core::Result<OutcomeRecord> decode_outcome(std::string_view octets) {
    Reader reader(octets);
    OutcomeRecord record;
    record.id = get_id(reader);
    record.index = reader.number<std::uint32_t>();
    const auto outcome = reader.number<std::uint8_t>();
    if (outcome > static_cast<std::uint8_t>(Outcome::expired)) {
        return core::failure("an outcome record has an unknown outcome");
    }
    record.outcome = static_cast<Outcome>(outcome);
    record.attempts = reader.number<std::uint16_t>();
    if (record.outcome == Outcome::deferred) {
        record.next_attempt = time_of(reader.number<std::uint64_t>());
        record.delay_told = reader.number<std::uint8_t>() != 0;
        get_reply(reader, record);
    }
    if (!reader.ok()) return core::failure("an outcome record ends too early");
    if (!reader.at_end()) return core::failure("an outcome record goes on after its end");
    return record;
}

}  // namespace relay
