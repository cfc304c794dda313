// ClientDialogue: the sending half of SMTP (RFC 5321) as a state machine without I/O. Two cursors
// run over one list of commands: the sender's (compose() gathers all that may leave now, for one
// write) and the receiver's (each reply answers the oldest unanswered command, by count alone: RFC
// 2920 section 3.1). The driver begins transactions ahead of time, so that the next message's MAIL,
// RCPT and DATA can leave after the final dot of the one before.
//
//   dialogue.begin(transaction)   while can_begin()
//   dialogue.compose(parts)       write them all, and again until there are none; then
//   dialogue.receive(input)       until it answers need_input; finished() transactions are the
//                                 driver's again
//
// Modes (section 3.1 of RFC 2920 allows the third): lock_step, one command at a time; message, MAIL
// RCPT DATA in a group; next, that group after the previous message's final dot. With CHUNKING
// (RFC 3030) a transaction is MAIL RCPT BDAT-LAST in one flight, and the next waits for its result
// (RFC 4468 section 3.2). A site that cannot follow is served in the next simpler mode at once; the
// driver reads mode() and chunking() afterwards and remembers them.
// Pure; owned by one connection. Limits: kMaxOpenTransactions begun and unfinished; a compose()
// gives one slice of content (content_cursor.h) and the commands of one group.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "relay/message/content_cursor.h"
#include "relay/message/disposition.h"
#include "relay/smtp/client_command.h"
#include "relay/smtp/extensions.h"
#include "relay/smtp/login_secrets.h"
#include "relay/smtp/reply_parser.h"
#include "relay/smtp/sasl.h"
#include "relay/smtp/time_limits.h"
#include "relay/smtp/transaction.h"

namespace relay {

enum class PipelineMode : std::uint8_t { lock_step, message, next };

// What is wanted before anything else is said.
enum class TlsWish : std::uint8_t { none, if_offered, required };

class ClientDialogue {
  public:
    static constexpr std::size_t kMaxOpenTransactions = 2;
    static constexpr std::size_t kMaxCommandsKept = 64 * 1024;  // octets, of a buffer
    // For the reply to a MAIL after a final dot that is already answered: a simpler mode comes
    // next.
    static constexpr std::chrono::seconds kBehindDotPatience{10};

    enum class Event : std::uint8_t {
        need_input,  // all input was taken
        start_tls,   // the driver makes the stream secure now, then tells tls_started()
        ready,       // greeting, EHLO and what was wanted are done: transactions may begin
        finished,    // take_finished() has one
        fell_back,   // a simpler mode is in force; compose() goes on
        closing,     // the server ends the session (421, refusal, nonsense): see ending()
        closed,      // QUIT was answered
    };

    ClientDialogue(std::string ehlo_name, PipelineMode mode, bool chunking);

    // Before the greeting. With TLS: all that was learned is discarded and EHLO said again (RFC
    // 3207 section 4.2). A login is tried once there is nothing to wait for; it outlives the
    // dialogue.
    void want_tls(TlsWish wish) { tls_ = wish; }
    void log_in(const Login& login, std::string nonce);
    // All mail of this session says REQUIRETLS (RFC 8689); the driver sees to what that takes of
    // TLS. A server that does not offer it inside TLS is left with 5.7.30.
    void require_tls() { requires_tls_ = true; }
    // They outlive the dialogue; without: the defaults.
    void keep_to(const TimeLimits& limits) { time_limits_ = &limits; }
    // Parameters that can do without (SIZE, and those of DSN) are left out: the host offers them
    // and refuses them. Found out here too: then what was refused goes again at once.
    void spare_parameters() { sparing_ = true; }
    // The greeting is answered by HELO: the host does not take EHLO.
    void say_helo() { helo_only_ = true; }
    bool sparing_parameters() const { return sparing_; }
    // verified: the certificate was checked, so a password may be told. Also called before the
    // greeting when TLS comes first (RFC 8314 section 3).
    void tls_started(bool verified);
    void tls_failed(std::string_view reason);
    // Octets came after the reply to STARTTLS, outside of TLS: the session is over. Where they
    // read like a reply somebody put them there (CVE-2021-38371), otherwise the server is broken.
    void tls_injection(std::string_view behind);
    bool tls_injected() const { return tls_injected_; }
    bool tls_refused() const { return tls_refused_; }  // STARTTLS was offered and then refused
    bool tls_missing() const { return tls_missing_; }  // it was required and not offered
    // REQUIRETLS was required and not offered.
    bool requirement_missing() const { return requirement_missing_; }

    bool can_begin() const;
    void begin(Transaction& transaction);
    void quit();

    // Appends what may leave now, of content the next slice; empty if it is the server's turn.
    // Valid until the next call.
    void compose(std::vector<iovec>& parts);
    Event receive(std::string_view& input);
    Transaction* take_finished();

    // The session is over without our doing (end of stream, timeout, error): every open transaction
    // is finished; what its recipients are owed is decided here (RFC 5321 section 3.8). Whether the
    // last write was done tells an ambiguous end of data from a message that was never complete.
    void connection_lost(std::string_view reason, bool last_write_done);
    // Nothing came within timeout(). A site that answers a final dot and then drops what came
    // after it (Courier does) is served one message at a time from now on; its next message is
    // untouched.
    void timed_out(std::string_view reason);

    // How long the server may take now (RFC 5321 section 4.5.3.2).
    core::Duration timeout() const;
    // Replies that came; the next one has this number.
    std::uint64_t replies() const { return replies_; }
    // The oldest transaction, while some of it is still to be sent; null: none is.
    const Transaction* uploading() const;
    std::uint64_t transactions_over() const { return transactions_over_; }
    bool idle() const { return greeted_ && unanswered_.empty() && open_.empty(); }
    std::string_view awaited() const;  // the oldest unanswered command, for messages
    // Between two messages: nothing of the next one is answered or on its way but its envelope.
    bool between_messages() const;
    const Extensions& extensions() const { return extensions_; }
    PipelineMode mode() const { return mode_; }
    bool chunking() const { return chunking_; }
    bool followed_dot() const { return followed_dot_; }   // a MAIL after a final dot was answered
    bool chunked() const { return chunked_; }             // a chunk was taken
    std::size_t completed() const { return completed_; }  // transactions that got their final reply
    const Disposition& ending() const { return ending_; }

  private:
    using Command = ClientCommand;
    struct Unanswered {
        Command command;
        Transaction* transaction;  // null: the answer no longer matters
        std::size_t recipient = 0;
    };

    Event on_reply(const Unanswered& asked, const Reply& reply);
    Event on_hello(const Unanswered& asked, const Reply& reply);
    Event on_mail(Transaction& transaction, const Reply& reply);
    Event on_rcpt(Transaction& transaction, std::size_t recipient, const Reply& reply);
    Event on_data(Transaction& transaction, const Reply& reply);
    Event on_result(Transaction& transaction, const Unanswered& asked, const Reply& reply);
    Event end_session(const Disposition& why, Transaction* answered = nullptr,
                      bool last_write_done = true);
    Event fall_back(Transaction& transaction);
    Event go_again(Transaction& transaction);
    Event finish(Transaction& transaction);
    void compose_opening();
    void start_content(const Transaction& transaction);
    bool compose_content(std::vector<iovec>& parts);
    Event after_hello();
    void say_auth(std::string line);
    void hide_secrets();
    Event on_starttls(const Reply& reply, std::string_view behind);
    Event on_auth(const Reply& reply);

    void send_envelope(Transaction& transaction);
    void send_reset();
    void send_mail(Transaction& transaction);
    void send_rcpt(Transaction& transaction, std::size_t recipient);
    void send_data(Transaction& transaction);
    void send_lock_step(Transaction& transaction);
    Event after_lock_step_reply(Transaction& transaction);
    bool awaits_reply_behind_dot() const;
    bool may_send_envelope(const Transaction& transaction) const;
    PipelineMode effective_mode() const {
        return extensions_.pipelining ? mode_ : PipelineMode::lock_step;
    }
    bool uses_chunking() const { return chunking_ && extensions_.chunking; }
    void expect(Command command, Transaction* transaction, std::size_t recipient = 0) {
        unanswered_.push_back({command, transaction, recipient});
    }

    std::string ehlo_name_;
    PipelineMode mode_;
    bool chunking_;
    Extensions extensions_;
    ReplyParser parser_;
    std::deque<Unanswered> unanswered_;
    std::deque<Transaction*> open_;  // begun, unfinished; oldest first
    std::deque<Transaction*> finished_;
    std::string commands_;  // what compose() gave last
    // The content that is leaving, until its last slice; its transaction is in Phase::result.
    std::optional<ContentCursor> content_;
    bool content_by_chunk_ = false;
    std::size_t completed_ = 0;
    std::uint64_t replies_ = 0;
    std::uint64_t transactions_over_ = 0;
    const TimeLimits* time_limits_ = &kTimeLimits;
    TlsWish tls_ = TlsWish::none;
    bool tls_refused_ = false;
    bool tls_missing_ = false;
    bool requires_tls_ = false;
    bool requirement_missing_ = false;
    bool verified_ = false;
    const Login* login_ = nullptr;
    std::string nonce_;
    std::optional<SaslClient> sasl_;
    LoginSecrets secrets_;   // what no text of the server's may quote
    std::string auth_line_;  // to be sent
    bool say_auth_ = false;
    bool say_starttls_ = false;
    bool greeted_ = false;
    bool say_hello_ = false;
    bool say_helo_ = false;
    bool helo_only_ = false;
    bool tls_injected_ = false;
    bool followed_dot_ = false;
    bool chunked_ = false;
    bool sparing_ = false;
    bool reset_needed_ = false;
    bool lone_dot_needed_ = false;
    bool quit_wanted_ = false;
    bool ended_ = false;
    Disposition ending_;
};

}  // namespace relay
