// ServerDialogue: the receiving side of RFC 5321 for one session, without I/O. feed() takes octets
// of the client and stops at an event; the session answers the event (awaiting whatever it must),
// then feeds the rest. Replies collect in output(), in order, so that a pipelined group is answered
// by one write (RFC 2920 section 3.2). Pure; owned by one session.
//
// A transaction: event mail → accept_mail() · RCPT … · event content → begin_content(where the
// content goes) · event message → accept_message(). Each can be refused instead. A refusal that
// begins with 421 ends the session. A recipient who is named again is accepted again and sent to
// once (envelope.h). After event closed the output is the last; further input is ignored. Nothing
// depends on how the input was cut. Limits: kMaxErrors, kMaxJunk, CommandLine::kMaxLine, those of
// options.
//
// TLS and AUTH have their verbs and their place in execute(); until they exist they are not offered
// and answer 502. A TLS layer calls secured() once the handshake is done (RFC 3207 section 4.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/message/content.h"
#include "relay/message/recipient_rules.h"
#include "relay/smtp/chunk.h"
#include "relay/smtp/command.h"
#include "relay/smtp/command_line.h"
#include "relay/smtp/content_decoder.h"
#include "relay/smtp/envelope.h"
#include "relay/smtp/rejection.h"

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

class ServerDialogue {
  public:
    static constexpr std::size_t kMaxErrors = 20;  // since the last accepted message
    static constexpr std::size_t kMaxJunk = 100;   // commands that lead nowhere, since then

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
    bool free_some(std::size_t recipients) { return envelope_.free_some(recipients); }
    // A TLS handshake was done: what was said before is forgotten, and REQUIRETLS is offered.
    void secured();

    const Envelope& envelope() const { return envelope_.envelope(); }
    Envelope& envelope() { return envelope_.envelope(); }
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
    bool needs_smtputf8() const { return envelope().utf8_address || decoder_.header().has_utf8(); }

  private:
    enum class Place : std::uint8_t { command, data, chunk, closed };

    std::size_t take_line(std::string_view input);
    std::size_t take_data(std::string_view input);
    std::size_t take_chunk(std::string_view input);
    void obey(std::string_view line);
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
    void reset_transaction();
    void take_answer(ServerEvent to);

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

    std::size_t errors_ = 0;
    std::size_t junk_ = 0;
    CommandLine line_;
    Chunk chunk_;
    std::string_view command_;  // the latest of MAIL, RCPT, DATA, BDAT
    std::string client_name_;
    std::string output_;
    EnvelopeBuilder envelope_;
    Rejection rejection_;
    ContentDecoder decoder_;
};

}  // namespace relay
