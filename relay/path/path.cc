// The connections of a Path: when they open, and what becomes of them. Its recipients are in
// path_recipients.cc, what a reload changes in path_reload.cc.
#include "relay/path/path.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "relay/delivery/connection.h"

namespace relay {

namespace {

Outage::Failure failure_of(NotOpened::Because because) {
    switch (because) {
        case NotOpened::Because::refused:
        case NotOpened::Because::unreachable:
            return Outage::Failure::not_opened;
        case NotOpened::Because::hopeless:
        case NotOpened::Because::resting:
        case NotOpened::Because::no_source:
            break;
    }
    return Outage::Failure::hopeless;
}

}  // namespace

GateLimits Path::gate_limits(const ShapingLimits& limits) {
    return {limits.max_message_rate, limits.max_connection_rate, limits.connection_limit};
}

Path::Path(EgressContext& context, const SiteFacts& site, Role role)
    : context_(context),
      site_(site),
      role_(role),
      window_(site.limits.connection_limit),
      places_(role == Role::home ? site.limits.connection_limit : 0),
      limit_(site.limits.connection_limit),
      waiting_(context.tenants),
      tenant_rates_(*this, context.rates, context.tenants),
      detours_(site_),
      gate_(gate_limits(site.limits), context.options.pauses()),
      provider_(role == Role::home && context.providers != nullptr
                    ? context.providers->share_of(site.path)
                    : nullptr),
      manners_(most_pipelining(), context.options.chunking, insists_on_next()),
      last_used_(context.shard.now()),
      timer_(*this),
      leaving_(context.shard.reactor(), [this] { maintain(); }),
      tasks_(context.shard.reactor()) {
    if (provider_ != nullptr) provider_->limit_by(site.limits);
    restore_window();
    if (context.reactions != nullptr) rules_ = context.reactions->rules_for(site_.scope());
    show_window();
}

Path::~Path() {
    if (provider_ != nullptr) provider_->leave(*this);
    context_.metrics.window(site_.destination, -static_cast<std::int64_t>(shown_window_));
    PH_ASSERT(pool_.empty() && ready() == 0);
    if (timer_.armed()) context_.shard.reactor().timers().disarm(timer_);
}

PipelineMode Path::most_pipelining() const {
    PipelineMode most = context_.options.pipelining;
    if (site_.limits.pipeline_next == PipelineNext::off)
        most = std::min(most, PipelineMode::message);
    return site_.limits.enable_pipelining ? most : PipelineMode::lock_step;
}

bool Path::insists_on_next() const {
    return site_.limits.pipeline_next == PipelineNext::on;
}

// ---- how many

void Path::maintain() {
    if (gate_.closing()) return;
    expire_old();
    if (!passes(gate_.pass())) return;
    open_detour();
    if (backlog() == 0) return;
    if (pool_.idle() > 0 && passes(may_wake())) pool_.wake_for(backlog());
    open_connections();
}

void Path::open_connections() {
    while (pool_.lacks(backlog(), places_)) {
        const core::Instant now = context_.shard.now();
        if (!may_widen(now) || !finds_place()) return;
        if (!passes(gate_.open_connection(now, pool_.size(), pool_.opening()))) return;
        open(std::nullopt);
    }
}

// One at a time, within the limits of the path.
void Path::open_detour() {
    if (!detours_.wants_connection() || gate_.closing() || gate_.suspended()) return;
    if (pool_.size() >= places_) {
        pool_.retire_idle();  // or one that is busy ends: ended() comes
        return;
    }
    if (!finds_place() || !passes(gate_.open_detour(context_.shard.now()))) return;
    open(detours_.begin(moment()));
}

void Path::open(std::optional<Detour> detour) {
    auto connection = std::make_unique<Connection>(context_, *this, std::move(detour));
    pool_.add(*connection);
    if (provider_ != nullptr) provider_->take_place();
    tasks_.spawn(run(std::move(connection)));
}

core::Task<void> Path::run(std::unique_ptr<Connection> connection) {
    co_await connection->run();
}

bool Path::passes(const Gate::Answer& answer) {
    if (answer.why == Gate::Why::message_rate) {
        context_.metrics.throttled(metrics::Throttle::message_rate);
    } else if (answer.why == Gate::Why::connection_rate) {
        context_.metrics.throttled(metrics::Throttle::connection_rate);
    } else if (answer.why == Gate::Why::provider_rate) {
        context_.metrics.throttled(metrics::Throttle::provider_message_rate);
    }
    if (!answer.go() && answer.until != core::kNever) wake_at(answer.until);
    return answer.go();
}

void Path::wake_at(core::Instant instant) {
    core::TimerSet& timers = context_.shard.reactor().timers();
    if (timer_.armed()) {
        if (timer_.deadline() <= instant) return;
        timers.disarm(timer_);
    }
    timers.arm(timer_, instant);
}

// One of those that all paths of the provider have; and no further one for the rate's sake.
bool Path::finds_place() {
    if (provider_ == nullptr) return true;
    if (const Gate::Answer rate = by_provider(); !pool_.empty() && !rate.go()) {
        wake_at(rate.until);
        return false;
    }
    if (provider_->has_place()) return true;
    context_.metrics.throttled(metrics::Throttle::provider_connection_limit);
    provider_->wait(*this);
    return false;
}

// The rate of the provider goes before that of the path, whose buckets are not touched in vain.
Gate::Answer Path::by_provider() const {
    if (provider_ == nullptr || provider_->next_message() <= context_.shard.now()) return {};
    return {Gate::Why::provider_rate, provider_->next_message()};
}

Gate::Answer Path::may_wake() const {
    const Gate::Answer rate = by_provider();
    return rate.go() ? gate_.wake(context_.shard.now()) : rate;
}

Gate::Answer Path::may_begin() {
    if (const Gate::Answer rate = by_provider(); !rate.go()) return rate;
    const core::Instant now = context_.shard.now();
    const Gate::Answer answer = gate_.begin_transaction(now);
    if (provider_ != nullptr && answer.go()) provider_->take_message(now);
    return answer;
}

void Path::becomes_idle(Worker& worker) {
    pool_.becomes_idle(worker);
    if (provider_ != nullptr) provider_->has_idle(*this);
}

// A detour that waits for a place takes that of a connection without work.
bool Path::keeps_idle() const {
    if (gate_.suspended() || (provider_ != nullptr && provider_->is_short())) return false;
    const bool full = pool_.size() >= places_;
    return !gate_.closing() && !(full && detours_.wants_connection());
}

// ---- what became of them

void Path::established(Worker& worker, const Extensions& offered) {
    pool_.established(worker);
    detours_.note_offer(worker.endpoint(), offered, context_.shard.now());
    note_opened();
    maintain();
}

// While another connection works, or may yet, what is ready can still be delivered.
bool Path::is_last_hope() const {
    return pool_.size() <= 1 && others_ == 0;
}

void Path::not_opened(Worker& worker, const NotOpened& end) {
    if (end.because == NotOpened::Because::no_source) return send_all_home(end.why);
    if (end.because != NotOpened::Because::resting) react(end.why, subject_of(nullptr));
    if (worker.detour() != nullptr) return detour_failed(*worker.detour(), end);
    if (end.because == NotOpened::Because::resting) {
        gate_.hosts_rest(end.ask_again);
        if (!end.brief && is_last_hope()) send_all_home(end.why);
        return;
    }
    const Outage::Finding finding =
        gate_.outage().failed(failure_of(end.because), context_.shard.now());
    const bool defers = finding == Outage::Finding::outage && is_last_hope();
    if (end.because != NotOpened::Because::hopeless) note_refused();
    if (defers) window_.restart();
    context_.log->note(core::LogLevel::kInfo,
                       defers ? "site cannot be reached, its mail is deferred"
                              : "connection to a site failed, others go on",
                       site_.name, fmt::format("{} {}", end.why.reply.code, end.why.reply.text));
    if (defers) send_all_home(end.why);
}

void Path::ended(Worker& worker, SessionEnd how) {
    pool_.remove(worker);
    left_over_.reset();
    const bool detour = worker.detour() != nullptr;
    if (detour) detours_.ended();
    if (how == SessionEnd::fruitless && !detour) {
        if (!gate_.closing()) {
            gate_.outage().failed(Outage::Failure::fruitless, context_.shard.now());
            note_ended(true);
        }
    } else if (how != SessionEnd::never_open) {
        gate_.hosts_answer();  // its place is free
        note_ended(false);
    }
    last_used_ = context_.shard.now();
    if (provider_ != nullptr) provider_->give_back();
    maintain();
}

// ---- the end

bool Path::unused_since(core::Instant instant) const {
    return sharing_ == Sharing::apart && pool_.empty() && detours_.size() == 0 &&
           preparation_.away() == 0 && leaving_.empty() && tasks_.running() == 0 &&
           std::max(last_used_, gate_.outage().paused_until()) < instant;
}

core::Task<void> Path::close(core::Instant deadline) {
    gate_.close();
    tenant_rates_.clear();
    // Millions that a failed site defers take longer than there is time: nothing is said of those
    // that are left, and the next run tries them.
    leaving_.handle_all([this](Recipient& recipient) {
        recipient.clear_disposition();
        send_home(recipient);
    });
    send_all_home({});
    pool_.wake_all();
    if (timer_.armed()) context_.shard.reactor().timers().disarm(timer_);
    // Nothing of theirs is in flight, and they would get nothing any more.
    pool_.abort_opening();
    core::Event never(context_.shard.reactor());
    while (!pool_.empty() && context_.shard.now() < deadline) {
        const core::Instant step = context_.shard.now() + std::chrono::milliseconds{50};
        co_await never.wait(std::min(step, deadline));
    }
    pool_.abort_all();
    co_await tasks_.close();
    send_all_home({});
    co_await leaving_.finish();
}

}  // namespace relay
