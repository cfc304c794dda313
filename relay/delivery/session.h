// Session: one SMTP session over a stream that is connected, from the greeting to QUIT. open()
// greets, encrypts and logs in, as far as where mail may begin; serve() takes transactions from the
// work source until there are none for idle_timeout, max_deliveries_per_connection is reached, or
// the server ends it, or would (it says so by LIMITS, or did twice). The dialogue
// (relay/smtp/client_dialogue.h) decides what is written and what a reply means; this class moves
// the octets, keeps the time, and remembers what the server showed: HostMemory, TlsMemory, Manners.
// Owned by its connection; one shard. close() must be awaited before it dies.
// Limits: the time limits of its path (relay/smtp/time_limits.h) and those of session_clock.h.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/net/byte_stream.h"
#include "core/runtime/task.h"
#include "relay/delivery/egress_context.h"
#include "relay/delivery/host_walk.h"
#include "relay/delivery/session_clock.h"
#include "relay/delivery/session_openings.h"
#include "relay/delivery/work_source.h"

namespace relay {

// How an address is spoken to.
struct Approach {
    enum class Hello : std::uint8_t {
        ehlo,
        ehlo_or_helo,  // HELO over a new connection, where EHLO is refused
        helo,
    };
    HostTarget target;
    Hello hello = Hello::ehlo;
    bool may_go_clear = false;  // over a new connection, where TLS is broken
};

// What a session belongs to; outlives it.
struct SessionParts {
    EgressContext& context;
    WorkSource& source;
    Worker& worker;
    SessionOpenings& openings;
    const TimeLimits& times;
    const std::string& id;
};

class Session {
  public:
    // Closing so soon after a message is about the message.
    static constexpr core::Duration kAtOnce = std::chrono::seconds{2};
    static constexpr core::Duration kLastWords = std::chrono::seconds{5};  // after a failed write
    static constexpr core::Duration kTellEvery = std::chrono::seconds{5};  // that the host works

    // Whether another connection to the same address is to do better.
    enum class Again : std::uint8_t { no, in_clear_text, by_helo };
    struct Refusal {
        Disposition why;
        HostWalk::Failed how = HostWalk::Failed::this_try;
        Again again = Again::no;
    };

    Session(const SessionParts& parts, Approach approach, std::unique_ptr<core::ByteStream> stream);
    ~Session();

    // Up to where mail may begin. Otherwise the session is of no further use.
    core::Task<std::expected<void, Refusal>> open();
    // After open(), once.
    core::Task<SessionEnd> serve();
    core::Task<void> close();

    void wake();    // it is idle and there is work
    void retire();  // it ends after what it has begun
    void abort();   // at once

    const std::string& endpoint() const { return endpoint_; }
    // The words of the server that ended it. Null: they did not.
    const Disposition* turned_away_by() const {
        const Disposition& why = dialogue_.ending();
        return why.outcome == Outcome::none || why.local ? nullptr : &why;
    }
    std::size_t completed() const { return dialogue_.completed(); }

  private:
    enum class Step : std::uint8_t {
        opening,
        tls_due,  // the next octets are TLS
        serving,
        idle,  // nothing is under way
        over,  // the dialogue ended
        lost,  // the connection ended without our doing
    };
    enum class Encryption : std::uint8_t {
        none,
        untrusted,  // it failed for the certificate
        on,
    };

    void move_to(Step next);
    bool is_over() const { return step_ >= Step::over; }
    void end(Step how);

    // ---- opening (session_opening.cc)
    core::Task<bool> greet();
    core::Task<bool> secure();
    Refusal refusal();
    bool refuses_ehlo(const Disposition& why) const;
    void count_tls(metrics::TlsResult result, SessionOpenings::Fault fault = {});
    void note_clear_text();
    void note_opening_over_tls();

    // ---- serving
    core::Task<void> converse();
    core::Task<void> wait_idle();
    void take_work();
    void keep_to_limits();
    WorkSource::Allowance allowance() const;
    void note_domain(const Delivery& delivery);
    void time_transaction();
    core::Task<bool> write();
    core::Task<bool> read();
    core::Task<void> hear_last_words(std::string reason);
    core::Duration idle_for() const;
    void note_lost(const std::error_code& error);
    bool take_events(std::string_view input);
    void settle_finished();
    void settle(Delivery& delivery);
    void note_ambiguous_end(const Delivery& delivery) const;

    // ---- what the server showed (session_lessons.cc)
    void note_broken_tls(TlsMemory::Fault fault);
    void note_silent_close();
    void note_success();
    void learn_from(bool replied);
    void note_refused_parameters();

    EgressContext& context_;
    WorkSource& source_;
    Worker& worker_;
    SessionOpenings& openings_;
    const TimeLimits& times_;
    const std::string& id_;
    const SiteFacts& site_;
    Approach approach_;
    const std::string endpoint_;  // host:port
    // By which HostMemory knows the host, by name:port and address:port.
    const std::string learned_endpoint_;
    const std::string learned_peer_;
    const std::string peer_address_;
    const std::string source_address_;
    std::unique_ptr<core::ByteStream> stream_;
    Manners::Choice began_;  // how the session was to be talked to
    ClientDialogue dialogue_;
    std::shared_ptr<const Login> login_;
    std::array<Delivery, ClientDialogue::kMaxOpenTransactions> deliveries_;
    std::uint32_t deliveries_left_;
    std::size_t taken_ = 0;  // transactions
    std::vector<iovec> parts_;
    SessionClock clock_;
    Step step_ = Step::opening;
    Encryption encryption_ = Encryption::none;
    Again again_ = Again::no;
    bool aborted_ = false;
    bool spares_parameters_ = false;  // as is known of the host
    std::string_view tls_protocol_;   // empty: clear text
    std::string_view tls_cipher_;
    std::vector<std::string> domains_;       // of this session, when their number is limited
    std::optional<core::Instant> answered_;  // it took a message, as HostMemory was told last
    core::Instant last_message_{};
    core::Instant established_at_{};
};

}  // namespace relay
