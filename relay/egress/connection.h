// Connection: one SMTP session of a path, from connecting to QUIT. Tries the site's hosts in order
// of preference (equals shuffled, RFC 5321 section 5.1; those of a service by priority and weight,
// RFC 2782) and their addresses, then serves
// transactions until there are none for idle_timeout, max_deliveries_per_connection is reached, or
// the server ends it, or would (it says so by LIMITS, or did twice). Hosts that failed lately are
// passed over (host_memory.h). The dialogue decides what is written and what a reply means; this
// class moves the octets. Owned by its task in the path's group, on the home shard. Limits:
// kMaxAddressesTried addresses per connecting, kMaxAddressesOfAHost of one host; the time
// limits of its path (relay/smtp/time_limits.h), and those of session_clock.h.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/net/byte_stream.h"
#include "core/net/connector.h"
#include "core/runtime/task.h"
#include "relay/egress/delivery.h"
#include "relay/egress/egress_context.h"
#include "relay/egress/outage.h"
#include "relay/egress/path.h"
#include "relay/egress/session_clock.h"
#include "relay/egress/session_openings.h"

namespace relay {

class Connection {
  public:
    static constexpr std::size_t kMaxAddressesTried = 10;
    static constexpr std::size_t kMaxAddressesOfAHost = 5;
    // Closing so soon behind a message is about the message.
    static constexpr core::Duration kAtOnce = std::chrono::seconds{2};
    static constexpr core::Duration kAskAgain = std::chrono::seconds{1};   // whether a host is back
    static constexpr core::Duration kLastWords = std::chrono::seconds{5};  // after a failed write
    static constexpr core::Duration kTellEvery = std::chrono::seconds{5};  // that the host works

    Connection(EgressContext& context, Path& path);
    // For what other hosts, or the other family of addresses, may take (see Path).
    Connection(EgressContext& context, Path& path, Detour detour);
    ~Connection();

    core::Task<void> run();
    void wake();    // idle and there is work
    void retire();  // its place is needed: ends behind what it has begun
    void abort();   // at once; what is in flight counts as lost connection

    bool was_established() const { return established_; }
    bool is_opening() const { return !established_; }
    std::size_t completed() const { return dialogue_ ? dialogue_->completed() : 0; }
    bool has_no_route() const { return no_route_ || unrouted_.has_value(); }
    const Detour* detour() const { return detour_ ? &*detour_ : nullptr; }
    const std::string& endpoint() const { return endpoint_; }
    const Extensions& offered() const { return dialogue_->extensions(); }
    // For dispositions and events.
    const std::string& peer_name() const { return peer_name_; }
    const std::string& peer_address() const { return peer_address_; }
    const std::string& source_address() const { return source_address_; }
    const std::string& session_id() const { return session_id_; }
    std::string_view tls_protocol() const { return tls_protocol_; }  // empty: clear text
    std::string_view tls_cipher() const { return tls_cipher_; }

  private:
    struct Candidate {
        std::string host;
        std::uint16_t port = 25;
        std::uint16_t preference = 0;
        std::optional<core::IpAddress> address{};
        // Of the service that named it (RFC 2782); empty: the configuration or MX records did.
        std::string service_domain{};
        bool authenticated = true;  // those SRV records are
    };

    core::Task<std::vector<Candidate>> candidates();
    core::Task<void> add_service(std::string service, std::vector<Candidate>& list);
    core::Task<bool> open();
    bool may_try(const core::SocketAddress& peer);
    void report_failure();
    bool goes_on_after_refusal(const Candidate& candidate, std::vector<Candidate>& list,
                               std::size_t at) const;
    Outage::Failure kind_of(const Disposition& why) const;
    void note_host_failed(const Disposition& why);
    core::Task<bool> try_address(Candidate candidate, core::IpAddress address, TlsDemand demand);
    core::Task<bool> try_once(Candidate candidate, core::IpAddress address, TlsDemand demand);
    void start_dialogue();
    void note_refused_opening();
    bool may_do_without_ehlo(const TlsDemand& demand) const;
    bool refuses_ehlo(const Disposition& why) const;
    void note_helo_only();
    void note_broken_tls(TlsMemory::Fault fault);
    core::Task<bool> greet();
    core::Task<bool> secure();
    void count_tls(metrics::TlsResult result, SessionOpenings::Fault fault = {});
    void note_clear_text();
    core::Task<void> converse();
    void time_transaction();
    core::Task<bool> write();
    core::Task<void> hear_last_words(std::string reason);
    core::Task<bool> read();
    void take_work();
    void keep_to_limits();
    Path::Allowance allowance() const;
    core::Duration idle_for() const;
    void note_domain(const Delivery& delivery);
    void note_silent_close();
    void note_success();
    void learn_from(bool replied);
    void note_refused_parameters();
    void settle_finished();
    bool take_events(std::string_view input);
    void note_failure(Disposition why);
    Disposition without_tls(Disposition why) const;
    void note_lost(const std::error_code& error);
    void end_dialogue();

    EgressContext& context_;
    Path& path_;
    const TimeLimits times_;
    std::unique_ptr<core::ByteStream> stream_;
    core::ConnectStop connecting_;
    std::optional<ClientDialogue> dialogue_;
    std::array<Delivery, ClientDialogue::kMaxOpenTransactions> deliveries_;
    std::uint32_t deliveries_left_;
    bool tried_ = false;  // it took a transaction
    std::vector<iovec> parts_;
    SessionClock clock_;
    TlsDemand demand_;
    std::shared_ptr<const Login> login_;
    SessionOpenings openings_;
    std::string endpoint_;                     // host:port
    std::string peer_;                         // address:port
    std::optional<core::Instant> answered_;    // it took a message, as HostMemory was told last
    std::optional<Disposition> unrouted_;      // of an address whose family has no way from here
    bool no_route_ = false;                    // from here to that family, or that network
    bool refused_ = false;                     // the host said 4yz when it was greeted
    std::optional<HostMemory::Rest> resting_;  // the host passed over that may be asked first
    std::vector<std::string> domains_;         // of this session, when their number is limited
    core::Instant last_message_{};
    core::Instant established_at_{};
    Manners::Choice began_;  // how the session was to be talked to
    bool sparing_noted_ = false;
    bool tls_due_ = false;    // STARTTLS was accepted
    bool untrusted_ = false;  // its certificate
    bool may_go_clear_ = false;
    bool may_say_helo_ = false;
    bool says_helo_ = false;
    bool goes_clear_ = false;  // this address is tried once more, so
    bool goes_helo_ = false;   // or so
    bool lost_ = false;        // the connection ended without our doing
    std::string_view tls_protocol_;
    std::string_view tls_cipher_;
    std::optional<Disposition> failure_;  // why it could not be opened
    std::string peer_name_;
    std::string peer_address_;
    std::string source_address_;
    std::string session_id_;
    std::optional<Detour> detour_;
    bool nowhere_ = false;  // a detour that leads to nobody
    bool established_ = false;
    bool waiting_idle_ = false;
    bool aborted_ = false;
    bool over_ = false;  // the dialogue ended
};

}  // namespace relay
