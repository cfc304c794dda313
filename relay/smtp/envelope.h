// Envelope: what a client said between MAIL and the content of one message. EnvelopeBuilder gathers
// it: a recipient who is named again is there once, and NOTIFY and ORCPT of the first count. Pure;
// owned by one ServerDialogue, whose options limit the number of recipients. clear() frees few
// recipients at once and leaves many to free_some(), so that no step of a loop frees a hundred
// thousand of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relay/message/recipient_set.h"
#include "relay/smtp/command.h"

namespace relay {

// NOTIFY and ORCPT of a recipient that has either.
struct EnvelopeDsn {
    std::size_t recipient = 0;  // its place among the recipients
    Notify notify;
    std::string original;
    bool operator==(const EnvelopeDsn&) const = default;
};

struct Envelope {
    std::string sender;  // without <>
    std::vector<std::string> recipients;
    DsnEnvelope dsn;
    std::vector<EnvelopeDsn> recipients_dsn;  // in order
    std::uint64_t declared_size = 0;          // 0: unknown
    bool eight_bit = false;                   // BODY=8BITMIME
    bool utf8 = false;                        // SMTPUTF8
    bool require_tls = false;                 // REQUIRETLS (RFC 8689)
    std::optional<ByTime> by;                 // BY (RFC 2852)
    bool utf8_address = false;                // an address, or an ORCPT, holds octets above 127
    std::size_t memory = 0;                   // octets that recipients take, about
};

class EnvelopeBuilder {
  public:
    // So many are compared one by one, and their memory is kept for the next transaction.
    static constexpr std::size_t kFewRecipients = 16;
    // More are not freed in one step by clear(), but by free_some().
    static constexpr std::size_t kManyRecipients = 1000;

    // The seed keeps chosen names from clashing (RecipientSet).
    explicit EnvelopeBuilder(std::uint64_t seed) : named_(seed) {}

    void set_sender(const PathView& path);
    void set_parameters(MailParameters parameters);
    void add_recipient(const AddressView& address, const RecipientDsn& dsn);
    // The transaction is over, and nothing of it stays for the next one.
    void clear();
    // Frees so many recipients of a transaction that is over; true: there are more.
    bool free_some(std::size_t recipients);

    const Envelope& envelope() const { return envelope_; }
    Envelope& envelope() { return envelope_; }

  private:
    bool named_before(const std::string& mailbox);

    Envelope envelope_;
    Envelope over_;       // recipients that are to be freed
    RecipientSet named_;  // the recipients, once they are more than kFewRecipients
};

}  // namespace relay
