// SinkDialogue: the server's side of one SMTP connection of smtp_sink, without socket or clock.
// feed() takes input in pieces of any size and gathers the replies in out(); content is scanned
// where it lies and dropped. When a rule wants time or the end of the connection, feed() stops
// early and pause() says what: the session sends out(), waits, calls resume(), and goes on with the
// rest. Owned by its session. Limits: a command line of kMaxLine octets, then 500; recipients and
// size as in SinkOptions. What a client does wrong is counted as a violation and answered, never
// trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/dot_scanner.h"
#include "bench/load/sink_ledger.h"
#include "bench/load/sink_options.h"
#include "bench/load/sink_rules.h"
#include "core/base/time.h"

namespace bench {

// Receives whole messages for --capture; null when nobody wants them.
class SinkCapture {
  public:
    virtual ~SinkCapture() = default;
    virtual void store(std::string_view id, std::string_view sender,
                       const std::vector<std::string>& recipients, std::string_view content) = 0;
};

struct SinkContext {
    const SinkOptions& options;
    SinkRules& rules;
    SinkCounters& counters;
    SinkLedger& ledger;
    SinkCapture* capture = nullptr;
    std::string banner;  // whole reply lines
    std::string ehlo;
    std::string ehlo_in_clear;  // the same and STARTTLS, when it is offered
};

// Fills banner and ehlo.
void compose_greetings(SinkContext& context);

class SinkDialogue {
  public:
    static constexpr std::size_t kMaxLine = 4096;

    struct Pause {
        core::Duration delay{0};
        Ending ending = Ending::none;
    };

    SinkDialogue(SinkContext& context, std::string client)
        : context_(context), client_(std::move(client)) {}

    void greet(core::Instant now);
    // Octets used; less than all only when a pause is due.
    std::size_t feed(std::string_view input, core::Instant now, core::WallTime wall);
    const std::optional<Pause>& pause() const { return pause_; }
    void resume();
    std::string& out() { return out_; }
    // STARTTLS was accepted: feed() took nothing after it. Send out(), shake hands, say so; what
    // the client had sent after it must be dropped (CVE-2011-0411).
    bool wants_tls() const { return wants_tls_; }
    void secured();
    // Everything that had arrived was fed: what follows is another group.
    void group_ended() { in_group_ = after_dot_ = false; }

  private:
    enum class State : std::uint8_t { command, data, chunk };

    void command(std::string_view line);
    void hello(bool extended);
    void starttls(std::string_view argument);
    void mail(std::string_view argument);
    void rcpt(std::string_view argument);
    void data();
    void bdat(std::string_view argument);
    std::size_t take_line(std::string_view input);
    std::size_t take_content(std::string_view input);
    void content_begins();
    void keep(std::string_view octets);
    void message_ended(bool by_bdat);
    void accepted(bool acknowledged, bool by_bdat);
    void reset_transaction();
    bool answer(Stage stage, std::string_view mailbox, std::string_view usual);
    void violation(std::string_view reply);
    std::string load_id() const;
    std::string_view first_recipient() const;

    SinkContext& context_;
    std::string client_;
    std::string out_;
    std::string line_;      // an unfinished command line
    std::string withheld_;  // the reply that follows a pause
    std::optional<Pause> pause_;
    core::Instant now_{};
    core::WallTime wall_{};

    State state_ = State::command;
    bool wants_tls_ = false;
    bool secure_ = false;
    bool greeted_ = false;
    bool extended_ = false;
    bool in_group_ = false;   // the previous command came in the same piece of input
    bool after_dot_ = false;  // so did a final dot (SinkOptions::after_dot_503)
    bool line_too_long_ = false;

    bool in_transaction_ = false;
    std::string sender_;
    std::vector<std::string> recipients_;  // the first recipient_count_ are this message's
    std::size_t recipient_count_ = 0;
    bool content_begun_ = false;
    std::string head_;  // of the content, for its id
    std::string whole_;
    std::uint64_t content_octets_ = 0;
    DotScanner scanner_;
    std::uint64_t chunk_left_ = 0;
    bool chunk_last_ = false;
    bool chunk_refused_ = false;
    std::uint64_t messages_ = 0;
};

}  // namespace bench
