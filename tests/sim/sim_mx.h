// SimMx: a scripted SMTP server in a simulation, on the world's outside() shard. It keeps a ledger
// of every recipient it took, what a test needs to judge the client (how many connections were open
// at once, when they came, when messages came), and a list of the client's violations of RFC 5321,
// 2920 and 3030. Behaviour: options for what is static, a script that is asked before every reply
// for what is not. One object per address; start() it, and stop() it before the world ends. Limits:
// content of a message is kept whole; meant for small messages.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/listener.h"
#include "core/net/tls_stream.h"
#include "core/runtime/task_group.h"
#include "tests/sim/sim_world.h"

namespace sim {

enum class Stage : std::uint8_t {
    greeting,
    hello,
    starttls,
    auth,
    mail,
    rcpt,
    data,
    content,
    rset,
    quit
};

struct Verdict {
    enum class Ending : std::uint8_t {
        none,
        close,         // after the reply
        drop,          // close instead of the reply
        reset,         // RST instead of the reply
        stall,         // never reply
        stop_reading,  // after the reply: take nothing any more, until the client gives up
    };
    std::string reply{};  // without CRLF; empty: what a friendly server says
    Ending ending = Ending::none;
    core::Duration delay{};
    core::Duration drip{};  // between the octets of the reply
    bool took_it = false;   // content: it was taken although the ending swallows the reply
};

struct Moment {
    Stage stage;
    std::string_view argument;  // of the command; the mailbox for mail and rcpt
    std::string_view line;      // the command
    std::uint64_t session;      // counts from 1 for each server
    std::size_t messages;       // taken in this session so far
    std::size_t recipients;     // accepted in this transaction so far
    core::Instant now;
};

using Script = std::function<Verdict(const Moment&)>;

// What comes instead of a handshake.
enum class Handshake : std::uint8_t { proper, stall, garbage, close, close_behind };

struct MxOptions {
    std::string name = "mx.example";
    bool pipelining = true;
    bool chunking = false;
    bool eight_bit = true;
    bool utf8 = true;
    bool dsn = false;
    std::vector<std::string> offers{};  // further lines of the reply to EHLO
    bool esmtp = true;                  // false: EHLO is unknown, HELO is not
    std::size_t size_limit = 0;         // 0: none stated
    // Commands that came after a final dot in one group get 503; the message is taken.
    bool forgets_group_behind_dot = false;
    // Replies to a chunk's envelope leave with that to the chunk, or not at all.
    bool holds_replies = false;
    core::Duration content_delay{};  // before the reply to the content
    std::size_t connection_cap = 0;  // 421 above it; 0: none
    std::size_t close_after = 0;     // messages; closes without a word; 0: never
    core::Duration idle_close{};     // closes without a word after such silence; 0: never
    core::Duration greylist_for{};   // 451 until so long after the first attempt
    // With a context STARTTLS is offered; the script's starttls stage may refuse it, or say more.
    core::TlsContext* tls = nullptr;
    bool implicit_tls = false;
    Handshake handshake = Handshake::proper;
    bool pipelining_in_tls = true;  // and `pipelining` before it
    // Mechanisms; credentials: what AUTH PLAIN must bring. In TLS only.
    std::string auth{};
    std::string credentials{};
    Script script{};
};

struct Taken {
    std::string sender;
    std::string recipient;
    std::string content;
    core::Instant when{};
    std::uint64_t session = 0;
    core::SocketAddress client;
    std::uint64_t reply_end = 0;  // octets of replies up to the end of the 250
    bool by_chunk = false;
    bool encrypted = false;
};

class SimMx {
  public:
    SimMx(SimWorld& world, core::SocketAddress address, MxOptions options);
    ~SimMx();

    void start();
    void stop();  // ends every session; the world must run on until idle()
    bool idle() const { return running_ == 0; }

    MxOptions& options() { return options_; }  // may be changed while it runs
    const std::vector<Taken>& ledger() const { return ledger_; }
    // The 250 came to the client's side: it has no reason to send again.
    bool reply_arrived(const Taken& taken) const;
    const std::vector<std::string>& violations() const { return violations_; }
    const std::vector<core::Instant>& session_times() const { return session_times_; }
    std::size_t sessions() const { return session_times_.size(); }
    std::size_t peak_sessions() const { return peak_; }
    // When contents came whole: the message rate as the server sees it.
    const std::vector<core::Instant>& content_times() const { return content_times_; }
    std::size_t transactions() const { return content_times_.size(); }
    std::size_t encrypted_sessions() const { return encrypted_; }
    std::size_t resumed_sessions() const { return resumed_; }
    std::size_t pipelined_groups() const { return groups_; }  // a MAIL after a dot in one read

  private:
    class Session;
    friend class Session;

    core::Task<void> serve();
    core::Task<void> one_session(std::unique_ptr<core::TcpStream> stream);
    void violation(const Session& session, std::string_view what);
    bool greylisted(const std::string& sender, const std::string& recipient);

    SimWorld& world_;
    core::Shard& shard_;
    core::SocketAddress address_;
    MxOptions options_;
    std::unique_ptr<core::Listener> listener_;
    core::TaskGroup tasks_;
    std::set<Session*> sessions_;  // only counted and aborted, in no order that matters
    std::size_t running_ = 0;
    std::size_t peak_ = 0;
    std::size_t groups_ = 0;
    std::size_t encrypted_ = 0;
    std::size_t resumed_ = 0;
    std::vector<core::Instant> session_times_;
    std::vector<core::Instant> content_times_;
    std::vector<Taken> ledger_;
    std::vector<std::string> violations_;
    std::map<std::string, core::Instant> greylist_;
};

}  // namespace sim
