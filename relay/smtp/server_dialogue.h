// ServerDialogue: the receiving side of RFC 5321 for one session, without I/O. feed() takes octets
// of the client and stops at an event; the session answers the event (awaiting whatever it must),
// then feeds the rest. Replies collect in output(), in order, so that a pipelined group is answered
// by one write (RFC 2920 section 3.2). Pure; owned by one session.
//
// A transaction: event mail → accept_mail() · RCPT … · event content → begin_content(where the
// content goes) · event message → accept_message(). Each can be refused instead. A refusal that
// begins with 421 ends the session. A recipient who is named again is accepted again and sent to
// once; NOTIFY and ORCPT of the first count. After event closed the output is the last; further
// input is ignored. Nothing depends on how the input was cut. Limits: kMaxLine, kMaxErrors,
// kMaxJunk, those of options.
//
// TLS and AUTH have their verbs and their place in execute(); until they exist they are not offered
// and answer 502. A TLS layer calls secured() once the handshake is done (RFC 3207 section 4.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/message/content.h"
#include "relay/message/recipient_rules.h"
#include "relay/message/recipient_set.h"
#include "relay/smtp/command.h"
#include "relay/smtp/content_decoder.h"

namespace relay {

struct ServerDialogueOptions {
    std::string hostname;
    std::uint64_t max_message_size = 50ULL << 20;
    std::size_t max_recipients = 1000;
    BareEndings bare_endings = BareEndings::reject;
    std::uint64_t seed = 0;  // for RecipientSet
};

enum class ServerEvent : std::uint8_t {
    none,        // the input is used up
    mail,        // MAIL is well formed: accept_mail() or refuse()
    content,     // content comes next: begin_content() or refuse()
    message,     // content is complete and sound: accept_message() or refuse()
    rejected,    // something was refused, see rejection(); nothing to answer
    turnaround,  // the client has to wait for the replies so far (RFC 2920 section 3.1)
    closed,      // write the output, then close
};

enum class RejectReason : std::uint8_t {
    address,
    relaying_denied,
    too_many_recipients,
    too_big,
    bare_line_ending,
    loop,
    bad_content,
    memory_full,
    draining,
    spool_full,
    spool_failed,
    too_many_errors,
};
std::string_view to_string(RejectReason reason);

// What was refused. Bounded by the line limit.
struct Rejection {
    RejectReason reason{};
    std::string reply;
    std::string sender;
    std::string recipient;     // of RCPT; empty when all were concerned
    std::string_view command;  // MAIL, RCPT, DATA, BDAT or nothing
};

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

class ServerDialogue {
  public:
    static constexpr std::size_t kMaxLine = 2048;  // with CRLF
    static constexpr std::size_t kMaxErrors = 20;  // since the last accepted message
    static constexpr std::size_t kMaxJunk = 100;   // commands that lead nowhere, since then
    // So many are compared one by one, and their memory is kept for the next transaction.
    static constexpr std::size_t kFewRecipients = 16;
    // More are not freed in one step, when their transaction is over, but by free_some().
    static constexpr std::size_t kManyRecipients = 1000;

    struct Step {
        std::size_t used;  // octets
        ServerEvent event;
    };

    // options and rules outlive the dialogue; rules null: any recipient is taken. may_relay: the
    // client is in an allowed network. client: its address, to be told to whom may not.
    ServerDialogue(const ServerDialogueOptions& options, bool may_relay,
                   const RecipientRules* rules = nullptr, std::string client = {});

    void greet();
    // Call again, even with nothing, until the event is none or closed.
    Step feed(std::string_view input);
    std::string& output() { return output_; }

    void accept_mail();
    void begin_content(Content& content);
    void accept_message(ReplyLine reply);
    // Answers the event at hand with a 4yz or 5yz reply.
    void refuse(ReplyLine reply, RejectReason reason);

    // The next command gets 421 (RFC 5321 section 3.8).
    void drain() { draining_ = true; }
    // Says this last and closes: idle too long, out of step.
    void close(ReplyLine reply);
    void forget();
    // Frees so many recipients of a transaction that is over; true: there are more.
    bool free_some(std::size_t recipients);
    // A TLS handshake was done: what was said before is forgotten, and REQUIRETLS is offered.
    void secured();

    const Envelope& envelope() const { return envelope_; }
    Envelope& envelope() { return envelope_; }
    const Rejection& rejection() const { return rejection_; }
    const std::string& client_name() const { return client_name_; }
    std::string_view protocol() const;  // for Received's "with"
    bool may_relay() const { return may_relay_; }
    bool in_content() const { return place_ == Place::data || place_ == Place::chunk; }
    bool in_transaction() const { return in_transaction_; }
    bool closed() const { return place_ == Place::closed; }
    bool said_quit() const { return said_quit_; }
    // DATA was refused: a client that has sent content already is out of step.
    bool refused_data() const { return refused_data_; }
    // Of the content read last.
    const ContentDecoder& content() const { return decoder_; }
    bool needs_smtputf8() const { return envelope_.utf8_address || decoder_.header().has_utf8(); }

  private:
    enum class Place : std::uint8_t { command, data, chunk, closed };

    std::size_t take_line(std::string_view input);
    std::size_t take_data(std::string_view input);
    std::size_t take_chunk(std::string_view input);
    void finish_line(std::string_view line);
    void execute(const Command& command, std::string_view line);

    void ehlo(std::string_view name, bool extended);
    void mail(std::string_view argument);
    void rcpt(std::string_view argument);
    void data(std::string_view argument);
    void bdat(std::string_view argument);
    void rset(std::string_view argument);
    void quit(std::string_view argument);
    void unknown(std::string_view line);

    void end_chunk();
    void end_content();
    bool refuse_faulty_content();
    void discard_chunk(ReplyLine reply);
    void reset_transaction();
    bool is_client_name(std::string_view name) const;
    bool refuse_recipient(const AddressView& address);
    bool named_before(const std::string& mailbox);
    void add_recipient(std::string mailbox, RecipientDsn dsn);

    void reply(ReplyLine line);
    void error(ReplyLine line);
    void reject(ReplyLine line, RejectReason reason, std::string_view recipient = {});
    void note(ReplyLine line, RejectReason reason, std::string_view recipient);

    // Constant after construction.
    const ServerDialogueOptions& options_;
    const bool may_relay_;
    const RecipientRules* const rules_;
    const std::string denied_;
    LocalPart local_part() const { return may_relay_ ? LocalPart::loose : LocalPart::strict; }

    Place place_ = Place::command;
    ServerEvent asked_ = ServerEvent::none;  // waits for its answer
    bool asked_reported_ = false;
    bool rejected_ = false;    // to be reported
    bool turnaround_ = false;  // to be reported
    bool draining_ = false;
    bool secured_ = false;   // by TLS
    bool extended_ = false;  // EHLO rather than HELO
    bool in_transaction_ = false;
    bool chunks_begun_ = false;
    bool refused_data_ = false;
    bool said_quit_ = false;
    bool overlong_ = false;    // the line at hand is too long and not kept
    bool ends_in_cr_ = false;  // of an overlong line so far

    bool chunk_last_ = false;
    std::uint64_t chunk_size_ = 0;
    std::uint64_t chunk_left_ = 0;
    bool chunk_discarded_ = false;  // read and dropped, then answered with the refusal
    std::string chunk_refusal_;

    std::size_t errors_ = 0;
    std::size_t junk_ = 0;
    std::string line_;          // the beginning of a command whose end has not come
    std::string_view command_;  // the latest of MAIL, RCPT, DATA, BDAT
    std::string client_name_;
    std::string output_;
    Envelope envelope_;
    Envelope over_;       // recipients that are to be freed
    RecipientSet named_;  // the recipients, once they are more than kFewRecipients
    Rejection rejection_;
    ContentDecoder decoder_;
};

}  // namespace relay
