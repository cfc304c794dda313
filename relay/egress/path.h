// Path: one destination as this node serves it: a site with its limits, the recipients that are
// ready for it, and its pool of connections. Lives on the site's home shard, so that none of its
// limits needs a lock. It decides how many connections there are: one for every
// kBacklogPerConnection ready recipients, within connection_limit and max_connection_rate. A site
// that cannot be reached defers everything that waits for it at once (one timer for the site, not a
// timeout per message: RFC 5321 section 4.5.4.1) and is probed by one connection after a pause that
// doubles from first_pause to longest_pause; while it worked lately a connection that fails is no
// reason for either (outage.h). A host that other paths found dead is not asked again meanwhile
// (host_memory.h). How its servers are talked to is learned (manners.h).
// What one host lacks an extension for (SIZE, 8BITMIME, SMTPUTF8) makes a detour: a connection to
// hosts that may have it; the refusal is final when none does. So does a 5yz with x.7.z to MAIL,
// once: to the other family of addresses, as policies are often about the address we come from.
// Whatever is queued, a step of the loop handles core::kSlice recipients at most.
// Limits: those of [shaping]; recipients older than max_age, or beyond the time of BY (RFC 2852),
// leave as expired when their turn comes. Contents that left memory are fetched by the origin
// shortly before their turn, kMostFetching recipients and kMostFetchingOctets at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/intrusive_list.h"
#include "core/runtime/slices.h"
#include "core/runtime/task_group.h"
#include "relay/config/check.h"
#include "relay/egress/delivery.h"
#include "relay/egress/egress_context.h"
#include "relay/egress/manners.h"
#include "relay/egress/outage.h"
#include "relay/egress/ready_walk.h"
#include "relay/queue/ready_queue.h"
#include "relay/routing/site.h"
#include "relay/shaping/token_bucket.h"

namespace relay {

class Connection;

class Path {
  public:
    static constexpr std::size_t kBacklogPerConnection = 8;
    static constexpr std::size_t kMostFetching = 64;
    static constexpr std::size_t kMostFetchingOctets = 64 << 20;
    static constexpr core::Duration kBelieveOffersFor = std::chrono::minutes{10};
    static constexpr core::Duration kAskFamilyAgain = std::chrono::minutes{1};
    static constexpr std::size_t kMostDetours = dns::kMaxMxHosts;  // of a recipient, in an attempt
    static constexpr std::size_t kMostWaitingDomains = 16;
    static constexpr std::size_t kMostLookedThrough = 1000;  // recipients, for these domains

    Path(EgressContext& context, const SiteFacts& site);
    ~Path();

    void add(Recipient& recipient);
    // A reload: limits, TLS and login as they are now, for what comes next. Connections that are
    // open keep what they have; those above a lower connection_limit, and all of them when TLS or
    // login changed, end behind what they have begun.
    void adopt(const CheckedConfig& checked);
    // No new transactions, ready recipients go home untried. Connections that are only being opened
    // end at once; awaits the others, which finish what is in flight. At the deadline they are cut
    // off.
    core::Task<void> close(core::Instant deadline);

    bool unused_since(core::Instant instant) const;
    // Nothing waits and nothing is under way: there is nothing to close.
    bool at_rest() { return ready() == 0 && connections_.empty() && tasks_.running() == 0; }
    const SiteFacts& site() const { return site_; }
    std::size_t connections() const { return connections_.size(); }
    std::size_t ready() { return backlog() + detours_.size() + fetching_ + leaving_.size(); }
    // What waits here, and what was deferred since the last call.
    std::uint64_t take_backlog() { return ready() + std::exchange(deferred_, 0); }

    // ---- for its connections
    // What one session may still be given (RFC 9422, and [shaping]).
    struct Allowance {
        std::size_t recipients = 100;                       // in a transaction
        const std::vector<std::string>* domains = nullptr;  // nothing but these; null: any
    };
    enum class Taken : std::uint8_t {
        taken,
        nothing,       // nothing is ready, or the rate allows none now; wake() comes then
        other_domain,  // what is next is not for this session
    };
    Taken take_transaction(Delivery& delivery, const Allowance& allowance);
    // The same for a connection that makes a detour.
    Taken take_detour(Delivery& delivery, const Allowance& allowance, const Detour& detour);
    // Every recipient of the delivery goes home with its result, or back to the front untouched.
    void settle(Delivery& delivery, const Connection& connection);
    void established(Connection& connection);
    void unreachable(const Disposition& why, Outage::Failure failure);
    // Of what is ready, as written: the first kMostWaitingDomains.
    std::vector<std::string> waiting_domains();
    // None of the hosts that were left for its detour could be tried.
    void detour_failed(const Connection& connection, const Disposition& why);
    // Nothing was tried, as all hosts that were left failed lately: wait until then. What is ready
    // waits too, unless there is a reason to send it home.
    void rest(core::Instant until, const Disposition* why);
    // fruitless: it tried transactions and completed none.
    void ended(Connection& connection, bool fruitless);
    void becomes_idle(Connection& connection);
    void becomes_busy(Connection& connection);
    Manners::Choice choose_manners() { return manners_.choose(context_.shard.now()); }
    // How the site was served in a session; what later ones are told.
    std::optional<Manners::Learned> learn(const Manners::Ending& session);
    // Another session with this host took more messages than so many.
    bool carries_more(const std::string& endpoint, std::size_t messages) const;
    bool closing() const { return closing_; }
    // Until the message expires.
    core::Duration time_left(const Message& message) const;
    // Recipients at the front whose time is over leave, though no connection takes any.
    void expire_waiting();
    // A detour waits for a connection to end.
    bool wants_place() const {
        return detours_.size() > 0 && !detouring_ &&
               connections_.size() >= site_.limits.connection_limit;
    }

  private:
    class WakeTimer final : public core::Timer {
      public:
        explicit WakeTimer(Path& path) : path_(path) {}
        void expire() override { path_.maintain(); }

      private:
        Path& path_;
    };

    struct Offer {  // of a host of this site
        std::string endpoint;
        Extensions extensions;
        core::Instant when{};
    };

    static TokenBucket connection_bucket(const ShapingLimits& limits);
    static core::Task<void> run(std::unique_ptr<Connection> connection);
    std::size_t backlog() const { return ready_.size() + fetched_.size(); }
    std::vector<std::string> endpoints() const;
    // Known not to take it: by what they offered lately.
    std::vector<std::string> unfit_hosts(Recipient& recipient) const;
    bool another_host_may(Recipient& recipient) const;
    bool another_family_may(const Disposition& refusal, const Connection& connection);
    void keep_to_one_family(core::Duration span, const Disposition& why);
    void make_detour(Recipient& recipient, Disposition refusal);
    Detour detour_of(Recipient& recipient) const;
    void open_detour();
    void fetch_ahead();
    // Whether the first of ready_ can be sent now; its content is held then.
    bool hold_front();
    void put_back(Recipient& recipient);
    void maintain();
    void wake_idle();
    void open_connections();
    void retire_all();
    void secure_by(TlsPolicy tls, std::shared_ptr<const Smarthost> smarthost);
    void limit_by(const ShapingLimits& limits);
    void retire_surplus();
    void expire_old();
    // False: some of it are left whose time is over.
    bool expire_front(ReadyQueue& queue, core::WallTime now, core::SliceCount& slice);
    Taken wait_for_expiry();
    core::Duration max_age() const;
    PipelineMode most_pipelining() const;
    void note_ambiguous_end(const Delivery& delivery, const Connection& connection);
    void wake_at(core::Instant instant);
    bool is_last_hope() const;
    void log_outcome(const Recipient& recipient) const;
    void send_home(Recipient& recipient);
    void send_all_home(const Disposition& why);

    EgressContext& context_;
    SiteFacts site_;
    ReadyQueue ready_;
    ReadyQueue fetched_;      // their contents are in memory and held; they go first
    ReadyQueue detours_;      // refused where another host or family may not; contents are held
    bool detouring_ = false;  // a connection for the first of them is there
    core::Instant one_family_until_{};  // the other one is no better
    std::vector<Offer> offers_;
    std::size_t fetching_ = 0;  // at their origin, for their contents
    std::size_t fetching_octets_ = 0;
    TokenBucket message_rate_;
    TokenBucket connection_rate_;
    Manners manners_;
    std::vector<Connection*> connections_;  // opening, idle and busy
    std::vector<Connection*> idle_;         // last used last; woken from the back
    std::size_t woken_ = 0;                 // of idle_ taken out, not running yet
    std::size_t established_ = 0;
    Outage outage_;
    core::Instant hosts_rest_until_{};
    core::Instant last_used_{};
    std::uint64_t deferred_ = 0;  // since take_backlog()
    WakeTimer timer_;
    ReadyWalk leaving_;      // given up, on their way home
    bool expiring_ = false;  // so many at once that they leave in slices, and nothing else does
    bool closing_ = false;
    core::TaskGroup tasks_;
};

}  // namespace relay
