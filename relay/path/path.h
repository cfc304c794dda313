// Path: one destination as this node serves it: a site with its limits, the recipients that wait
// for it, and its connections. Lives on the site's home shard, so that none of its limits needs a
// lock. It coordinates: FairQueue says whose turn it is, Preparation reads contents back ahead of
// it, Gate whether a transaction may begin and a connection open, ConnectionPool how many there
// are, Detours what goes to another host, Manners how its servers are spoken to. A site that cannot
// be reached defers everything that waits for it at once (one timer for the site, not a timeout per
// message: RFC 5321 section 4.5.4.1) and is probed by one connection after a pause. A host that
// other paths found dead is not asked again meanwhile (host_memory.h). Whatever is queued, a step
// of the loop handles core::kSlice recipients at most. Limits: those of [shaping]; recipients older
// than max_age, or beyond the time of BY (RFC 2852), leave as expired when their turn comes;
// waiting_domains() looks at kMaxLookedThrough recipients.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/task_group.h"
#include "relay/config/check.h"
#include "relay/delivery/egress_context.h"
#include "relay/delivery/work_source.h"
#include "relay/path/connection_pool.h"
#include "relay/path/detours.h"
#include "relay/path/fair_queue.h"
#include "relay/path/gate.h"
#include "relay/path/preparation.h"
#include "relay/path/ready_walk.h"
#include "relay/routing/site.h"

namespace relay {

class Connection;

class Path final : public WorkSource {
  public:
    static constexpr std::size_t kMaxWaitingDomains = 16;
    static constexpr std::size_t kMaxLookedThrough = 1000;  // recipients, for these domains

    Path(EgressContext& context, const SiteFacts& site);
    ~Path();

    void add(Recipient& recipient);
    // One that was sent to be prepared is back.
    void prepared(Recipient& recipient);
    // A reload: limits, TLS and login as they are now, for what comes next. Connections that are
    // open keep what they have; those above a lower connection_limit, and all of them when TLS or
    // login changed, end after what they have begun.
    void adopt(const CheckedConfig& checked);
    // No new transactions, ready recipients go home untried. Connections that are only being opened
    // end at once; awaits the others, which finish what is in flight. At the deadline they are cut
    // off.
    core::Task<void> close(core::Instant deadline);

    bool unused_since(core::Instant instant) const;
    // Nothing waits and nothing is under way: there is nothing to close.
    bool at_rest() { return ready() == 0 && pool_.empty() && tasks_.running() == 0; }
    std::size_t connections() const { return pool_.size(); }
    std::size_t ready() {
        return backlog() + detours_.size() + preparation_.away() + leaving_.size();
    }
    // What waits here, and what was deferred since the last call.
    std::uint64_t take_backlog() { return ready() + std::exchange(deferred_, 0); }
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
    void becomes_idle(Worker& worker) override { pool_.becomes_idle(worker); }
    void becomes_busy(Worker& worker) override { pool_.becomes_busy(worker); }
    bool carries_more(const std::string& endpoint, std::size_t messages) const override {
        return pool_.carries_more(endpoint, messages);
    }
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
    void open_detour();
    void open(std::optional<Detour> detour);
    // What the gate says: "go", or why not, and the path looks again then.
    bool passes(const Gate::Answer& answer);
    void wake_at(core::Instant instant);
    bool is_last_hope() const;
    void secure_by(TlsPolicy tls, std::shared_ptr<const Smarthost> smarthost);
    void limit_by(const ShapingLimits& limits);

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
    void send_home(Recipient& recipient);
    void send_all_home(const Disposition& why);
    void detour_failed(const Detour& detour, const NotOpened& end);

    EgressContext& context_;
    SiteFacts site_;
    FairQueue waiting_;
    Preparation preparation_;
    Detours detours_;
    Gate gate_;
    ConnectionPool pool_;
    Manners manners_;
    core::Instant last_used_{};
    std::uint64_t deferred_ = 0;  // since take_backlog()
    WakeTimer timer_;
    ReadyWalk leaving_;  // given up, on their way home
    core::TaskGroup tasks_;
};

}  // namespace relay
