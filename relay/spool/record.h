// Records: what the journal is made of, as octets (docs/spool-format.md). Pure: encoding appends to
// a string, decoding yields views into the octets given and an error in words for anything that is
// not exactly as specified. Limits: kMostRecipients in one record, kMostField octets in one text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "relay/message/message.h"

namespace relay {

enum class RecordType : std::uint8_t { message = 1, outcome = 2 };

// ---- message: envelope and state of one message; its content stands after it

struct RecipientRecord {
    std::uint32_t index = 0;  // its number in the message, the same in every copy
    std::string_view address;
    Notify notify;              // RFC 3461
    std::string_view original;  // ORCPT
    bool delay_told = false;
    std::uint16_t attempts = 0;
    core::WallTime next_attempt{};  // the epoch: was never deferred
    bool has_reply = false;         // the last reply, if it was deferred
    ReplyView reply;
    std::string_view command;  // what it answered
    bool local = false;
};

struct MessageRecord {
    MessageId id;
    core::WallTime created{};
    bool eight_bit = false;
    bool utf8 = false;
    bool verp = false;
    bool ours = false;  // a notification made here
    TlsRequest tls = TlsRequest::unsaid;
    Priority priority = Priority::normal;
    DeliverBy by;
    core::WallTime expires{};  // the epoch: as schedules say
    bool moved = false;  // a copy by compaction; the record it was copied from comes before it
    BouncePolicy bounces = BouncePolicy::record;
    std::uint32_t leading_dots = 0;
    ReturnContent returned = ReturnContent::unsaid;
    std::string_view envelope_id;
    std::string_view sender;
    std::string_view tenant;
    std::string_view campaign;
    std::vector<RecipientRecord> recipients;  // those that were not final
};

// Encodes a message and its recipients that are not settled, in steps: advance() does so many
// recipients, and answers true while there are more.
class MessageEncoder {
  public:
    MessageEncoder(const Message& message, bool moved, std::string& out);
    bool advance(std::size_t recipients);

  private:
    void finish();

    const Message& message_;
    std::string& out_;
    std::size_t count_at_ = 0;  // in out_
    std::size_t next_ = 0;      // recipient
    std::uint32_t count_ = 0;
};
// In one step.
void encode_message(const Message& message, bool moved, std::string& out);
core::Result<MessageRecord> decode_message(std::string_view octets);

// ---- outcome: what became of one recipient of a message

struct OutcomeRecord {
    MessageId id;
    std::uint32_t index = 0;  // of the recipient
    Outcome outcome = Outcome::none;
    std::uint16_t attempts = 0;
    core::WallTime next_attempt{};  // deferred only
    bool delay_told = false;        // deferred only
    ReplyView reply;                // deferred only
    std::string_view command;       // what it answered
    bool local = false;
};

void encode_outcome(const OutcomeRecord& record, std::string& out);
core::Result<OutcomeRecord> decode_outcome(std::string_view octets);

}  // namespace relay
