// SinkRules: what smtp_sink answers instead of yes, scripted on the command line. A rule is
//   STAGE[@domain]: part; part; ...
// STAGE: CONNECT EHLO STARTTLS MAIL RCPT DATA CONTENT DOT RSET NOOP QUIT, or ANY. DOT is the end
// of a message, by DATA or BDAT; CONTENT its first octets. domain: "example.com" or
// "*.example.com", matched with the recipient's (from DATA on: the first recipient's; at MAIL: the
// sender's). Parts that act: "451 4.7.1 text" (\n separates lines; 421 closes), "delay 2s", "close"
// (after the reply), "drop" (FIN, no reply), "reset" (RST), "stall" (silence), "greylist 60s" (at
// RCPT). Parts that choose: "every N", "first N", "after N" (the Nth match and so on), "chance P%",
// "from 5s" and "until 60s" since the start. The first rule that chooses the event decides.
// Shared by all shards: the text is immutable, the counts are atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace bench {

enum class Stage : std::uint8_t {
    connect,
    ehlo,
    starttls,
    mail,
    rcpt,
    data,
    content,
    dot,
    rset,
    noop,
    quit,
    any
};

enum class Ending : std::uint8_t { none, close, drop, reset, stall };

// What to do at one event. A default one means: as if there were no rule.
struct Verdict {
    std::string_view reply;  // whole lines with CRLF; empty: the usual reply
    core::Duration delay{0};
    Ending ending = Ending::none;
    bool refused() const { return !reply.empty() && reply[0] != '2' && reply[0] != '3'; }
};

// "451 4.7.1 one\ntwo" as reply lines with CRLF.
core::Result<std::string> reply_lines(std::string_view text);
std::string_view domain_of(std::string_view mailbox);

class SinkRules {
  public:
    // Adds one rule; the error names what was not understood.
    core::Result<void> add(std::string_view text);
    void start(core::Instant now) { started_ = now; }

    bool empty() const { return rules_.empty(); }
    bool has(Stage stage) const { return (stages_ >> static_cast<unsigned>(stage) & 1U) != 0; }
    // mailbox: whose domain decides, or empty; key: what greylisting remembers.
    Verdict judge(Stage stage, std::string_view mailbox, std::string_view key, core::Instant now);

  private:
    struct Rule {
        Stage stage = Stage::any;
        std::string domain;  // lower case; empty: every; a leading dot: any name below it
        std::string reply;
        core::Duration delay{0};
        Ending ending = Ending::none;
        core::Duration greylist{0};
        std::uint64_t every = 0;
        std::uint64_t first = 0;
        std::uint64_t after = 0;
        double chance = 1.0;
        core::Duration from{0};
        core::Duration until = core::Duration::max();
        std::atomic<std::uint64_t> matches{0};
        std::mutex guard;  // of the greylist
        std::unordered_map<std::string, core::Instant> seen;
    };
    static constexpr std::size_t kMaxGreylisted = 1'000'000;  // then new ones pass

    static core::Result<void> read_part(Rule& rule, std::string_view part);
    static core::Result<void> read_choice(Rule& rule, std::string_view word,
                                          std::string_view value);
    bool chooses(Rule& rule, std::string_view mailbox, std::string_view key, core::Instant now);

    std::vector<std::unique_ptr<Rule>> rules_;
    std::uint32_t stages_ = 0;
    core::Instant started_{};
};

}  // namespace bench
