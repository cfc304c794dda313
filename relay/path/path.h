// Path: one destination as this node serves it: a site with its limits, the recipients that wait
// for it, and its connections. Lives on the site's home shard, which has all its limits, or is a
// lane on another one, which has a part of them (sharing.h): so none of them needs a lock. It
// coordinates: FairQueue says whose turn it is, Preparation reads contents back ahead of it, Gate
// whether a transaction may begin and a connection open, ConnectionPool how many there are, Detours
// what goes to another host, Manners how its servers are spoken to. A site that cannot be reached
// defers everything that waits for it at once (one timer for the site, not a timeout per message:
// RFC 5321 section 4.5.4.1) and is probed by one connection after a pause. A host that other paths
// found dead is not asked again meanwhile (host_memory.h). Whatever is queued, a step of the loop
// handles core::kSlice recipients at most. Limits: those of [shaping]; recipients older than
// max_age, or beyond the time of BY (RFC 2852), leave as expired when their turn comes;
// waiting_domains() looks at kMaxLookedThrough recipients.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/task_group.h"
#include "relay/automation/reactions.h"
#include "relay/config/check.h"
#include "relay/control/views.h"
#include "relay/delivery/egress_context.h"
#include "relay/delivery/work_source.h"
#include "relay/limits/window.h"
#include "relay/path/connection_pool.h"
#include "relay/path/detours.h"
#include "relay/path/fair_queue.h"
#include "relay/path/gate.h"
#include "relay/path/preparation.h"
#include "relay/path/provider_limits.h"
#include "relay/path/ready_walk.h"
#include "relay/path/sharing.h"
#include "relay/path/tenant_rates.h"
#include "relay/routing/site.h"

namespace relay {

class Connection;

class Path final : public WorkSource, private ProviderShare::Member, private TenantRates::Mail {
  public:
    static constexpr std::size_t kMaxWaitingDomains = 16;
    static constexpr std::size_t kMaxLookedThrough = 1000;  // recipients, for these domains

    // home: all limits are its own until it shares them. lane: it has none of them yet.
    enum class Role : std::uint8_t { home, lane };

    Path(EgressContext& context, const SiteFacts& site, Role role = Role::home);
    ~Path();

    void add(Recipient& recipient);
    // One that was sent to be prepared is back.
    void prepared(Recipient& recipient);
    // A reload: limits, TLS and login as they are now, for what comes next. Connections that are
    // open keep what they have; those above a lower connection_limit, and all of them when TLS or
    // login changed, end after what they have begun.
    void adopt(const CheckedConfig& checked);
    // Orders changed (relay/control): what they suspend or bounce goes home untried, in slices;
    // what is in flight ends as it would.
    void obey_orders();
    // Actions of automation changed: whether that is of any matter to this path.
    bool minds_actions() const;
    // No new transactions, ready recipients go home untried. Connections that are only being opened
    // end at once; awaits the others, which finish what is in flight. At the deadline they are cut
    // off.
    core::Task<void> close(core::Instant deadline);

    bool unused_since(core::Instant instant) const;
    // Nothing waits and nothing is under way: there is nothing to close.
    bool at_rest() const { return ready() == 0 && pool_.empty() && tasks_.running() == 0; }
    std::size_t connections() const { return pool_.size(); }
    std::size_t ready() const {
        return backlog() + waiting_.aside() + detours_.size() + preparation_.away() +
               leaving_.size();
    }
    // What waits here, and what was deferred since the last call.
    std::uint64_t take_backlog() { return ready() + std::exchange(deferred_, 0); }
    // ---- how it is shared with other shards (sharing.h); the Dispatcher carries the letters
    Role role() const { return role_; }
    // A lane: mail comes for it, though none is here yet.
    void expects_mail();
    // A lane that may send now.
    bool serves() const;
    // So much mail waits, or other shards have so much, that it pays to share.
    bool wants_sharing() const;
    // A lane: what it tells its home. Until take_terms() it opens no connection.
    LaneReport report();
    void take_terms(const LaneTerms& terms);
    // The home: what a lane of that shard may have.
    LaneTerms terms_for(std::size_t shard, const LaneReport& report);
    // The home: lanes that have more than their share, as others wait for it.
    std::vector<std::size_t> lanes_to_recall() const;
    // The home: what it has itself.
    void renew_own();
    // A lane: it has something to say before long.
    bool is_urgent() const;
    // Where it stands with the Dispatcher, which moves it: apart <-> sharing <-> reporting.
    enum class Sharing : std::uint8_t {
        apart,
        sharing,
        reporting,  // a lane, whose report is on its way
    };
    Sharing sharing() const { return sharing_; }
    void move_to(Sharing next);
    // What of it outlives the process; of a home.
    void add_learned(Learned& learned) const;
    // Nothing is left to share.
    bool is_alone() const;
    // A home has all of its limits again.
    void end_sharing();

    // What an operator sees of it (path_view.cc).
    LivePath view();

    // Recipients at the front whose time is over leave, though no connection takes any.
    void expire_waiting();

    // ---- for its connections
    const SiteFacts& site() const override { return site_; }
    Manners& manners() override { return manners_; }
    void not_opened(Worker& worker, const NotOpened& end) override;
    void established(Worker& worker, const Extensions& offered) override;
    std::vector<std::string> waiting_domains() override;
    Taken take_work(Worker& worker, Delivery& delivery, const Allowance& allowance) override;
    void settle(Worker& worker, Delivery& delivery) override;
    bool keeps_idle() const override;
    void becomes_idle(Worker& worker) override;
    void becomes_busy(Worker& worker) override { pool_.becomes_busy(worker); }
    bool carries_more(const std::string& endpoint, std::size_t messages) const override {
        return pool_.carries_more(endpoint, messages);
    }
    void turned_away(Worker& worker, const Disposition& why) override;
    void ended(Worker& worker, SessionEnd how) override;

  private:
    class WakeTimer final : public core::Timer {
      public:
        explicit WakeTimer(Path& path) : path_(path) {}
        void expire() override { path_.maintain(); }

      private:
        Path& path_;
    };

    static GateLimits gate_limits(const ShapingLimits& limits);
    static core::Task<void> run(std::unique_ptr<Connection> connection);
    PipelineMode most_pipelining() const;
    bool insists_on_next() const;
    std::size_t backlog() const { return waiting_.size() + preparation_.size(); }
    Detours::Moment moment() const { return {context_.shard.now(), context_.shard.wall()}; }

    // ---- connections
    void maintain();
    void open_connections();
    bool may_widen(core::Instant now);
    void open_detour();
    void open(std::optional<Detour> detour);
    // What the gate says: "go", or why not, and the path looks again then.
    bool passes(const Gate::Answer& answer);
    void wake_at(core::Instant instant);
    bool is_last_hope() const;
    void secure_by(TlsPolicy tls, std::shared_ptr<const Smarthost> smarthost);
    void limit_by(const ShapingLimits& limits);
    void adopt_source(const std::shared_ptr<const EgressSource>& source);

    // ---- automation (path_automation.cc)
    void heed_actions(ShapingLimits& limits);
    void react(const Disposition& said, ReactionSubject subject);
    void react_to(const Worker& worker, const Delivery& delivery);
    ReactionSubject subject_of(const Recipient* recipient) const;

    // ---- what its connections teach the window (path_window.cc)
    bool shares() const { return role_ == Role::lane || ledger_ != nullptr; }
    std::size_t open_connections_of_all() const;
    void note_opened();
    void note_refused();
    void note_ended(bool fruitless);
    void note_completed(const Delivery& delivery);
    void show_window();
    std::string learned_name() const;
    void restore_window();

    // ---- what it shares with the paths of its provider
    bool finds_place();
    Gate::Answer by_provider() const;
    Gate::Answer may_wake() const;
    Gate::Answer may_begin();
    void place_is_free() override { maintain(); }
    bool give_up_idle() override { return pool_.retire_idle(); }

    // ---- rates of tenants (path_rates.cc)
    bool finds_tenant();
    void take_permit(const Delivery& delivery);
    void return_unused_permit(const Delivery& delivery);
    void rest(const Tenant& tenant);
    std::uint64_t waiting_of(TenantId tenant) override;
    void may_go_again(TenantId tenant) override;

    // ---- sharing (path_sharing.cc)
    bool may_be_shared() const;
    bool is_up() const;
    bool may_lend() const;
    LaneReport what_it_has();
    bool may_begin_sharing() const;
    void accept(const LaneTerms& terms);
    void begin_sharing();
    std::size_t wanted() const;
    void use_places(std::size_t places, std::size_t limit);
    void hand_over(const LaneTerms& terms);
    template <typename Next>
    void hand_to(const Move& move, Next next);

    Gate::Answer why_waiting() const;

    // ---- recipients (path_recipients.cc)
    Taken take_waiting(Delivery& delivery, const Allowance& allowance);
    void begin(Delivery& delivery);
    void finish(Recipient& recipient, Disposition result, const Detour* made);
    void put_back(Recipient& recipient);
    void make_detour(Recipient& recipient, Disposition refusal);
    void expire_old();
    core::Duration max_age() const;
    core::WallTime end_of(const Message& message) const;
    void log_outcome(const Recipient& recipient) const;
    bool is_stopped(const Recipient& recipient) const;
    void send_home_untried(Recipient& recipient);
    void send_home(Recipient& recipient);
    void send_all_home(const Disposition& why);
    void detour_failed(const Detour& detour, const NotOpened& end);

    EgressContext& context_;
    SiteFacts site_;
    const Role role_;
    Window window_;                       // of a home
    std::size_t shown_window_ = 0;        // in the metrics
    std::size_t places_;                  // connections that this shard may have
    std::size_t limit_;                   // that all shards may have: rates are shared by it
    std::size_t others_ = 0;              // that the others may have now
    std::unique_ptr<LaneLedger> ledger_;  // of a home that shares; null: it has all
    Sharing sharing_ = Sharing::apart;
    std::size_t in_vain_ = 0;  // terms without a place, while mail waits
    LaneSeen seen_;            // while it shares: since the last report
    bool trial_ = false;       // by its terms
    unsigned refused_ = 0;     // in a row, while it shares
    FairQueue waiting_;
    TenantRates tenant_rates_;
    Preparation preparation_;
    Detours detours_;
    Gate gate_;
    ConnectionPool pool_;
    const std::shared_ptr<ProviderShare> provider_;  // null: it shares nothing with other paths
    Manners manners_;
    ReplyRules::Of rules_;   // of automation
    bool acted_on_ = false;  // by automation
    // Whose mail a session had that ended without a word about it.
    struct LeftOver {
        const Worker* worker;
        ReactionSubject subject;
    };
    std::unique_ptr<LeftOver> left_over_;
    core::Instant last_used_{};
    std::uint64_t deferred_ = 0;  // since take_backlog()
    WakeTimer timer_;
    ReadyWalk leaving_;  // given up, on their way home
    core::TaskGroup tasks_;
};

}  // namespace relay
