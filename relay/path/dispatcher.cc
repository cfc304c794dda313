#include "relay/path/dispatcher.h"

#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/runtime/slices.h"
#include "relay/path/largest_sites.h"

namespace relay {

namespace {

constexpr std::size_t kMostLearnedHosts = 1000;  // those that were used last

}  // namespace

Dispatcher::Dispatcher(EgressContext context)
    : rates_(context.shard,
             [&all = context.exchange](std::size_t shard) -> SharedRates& {
                 return all.paths(shard).rates();
             }),
      context_(context),
      renewals_(context.shard.reactor()) {
    context_.log = &log_.emplace(context_.shard.reactor());
    context_.providers = &providers_;
    context_.rates = &rates_;
    arm(sweep_, context_.shard.now() + kSweepEvery);
    if (context_.reactions == nullptr) return;
    context_.reactions->on_change([this] {
        acted_ = true;
        unheeded_ = Paths::kStripes;  // from where it is, so that frequent changes reach all
        if (!closed_ && !heeding_.armed()) heed_actions(heeding_);
    });
}

Dispatcher::~Dispatcher() {
    PH_ASSERT(!sweep_.armed() && !adoption_.armed() && !heeding_.armed() && !obedience_.armed());
    PH_ASSERT(!renewal_.armed());
}

void Dispatcher::arm(Walk& walk, core::Instant when) {
    core::TimerSet& timers = context_.shard.reactor().timers();
    if (walk.armed()) timers.disarm(walk);
    timers.arm(walk, when);
}

// False: it was on its way while the paths were closed, and goes home.
bool Dispatcher::accepts(Recipient& recipient) {
    PH_ASSERT(recipient.site != nullptr);
    if (!closed_) return true;
    context_.metrics.left(metrics::Queue::ready);
    recipient.clear_disposition();
    context_.exchange.to_origin(context_.shard, recipient);
    return false;
}

void Dispatcher::prepared(Recipient& recipient) {
    if (!accepts(recipient)) return;
    auto* const found = paths_.find(recipient.site->facts.path);
    PH_ASSERT(found != nullptr);  // a path is kept while it waits for one
    found->second->prepared(recipient);
}

void Dispatcher::take(Recipient& recipient) {
    if (!accepts(recipient)) return;
    const bool home = recipient.site->home == context_.shard.id();
    Path& path = path_of(recipient.site->facts, home ? Path::Role::home : Path::Role::lane);
    path.add(recipient);
    if (!home || path.wants_sharing()) join(path);
}

Path& Dispatcher::path_of(const SiteFacts& site, Path::Role role) {
    auto& path = paths_.add(site.path).first->second;
    if (path == nullptr) {
        path = std::make_unique<Path>(context_, site, role);
        const bool outdated = checked_ != nullptr && site.generation < checked_->generation;
        // The site may come from a lane, which knows it as actions changed it.
        const bool acted =
            acted_ || (context_.reactions != nullptr && !context_.reactions->actions().empty());
        if (outdated || acted) path->adopt(*checked_);
    }
    PH_ASSERT(path->role() == role);
    return *path;
}

// ---- lanes

bool Dispatcher::take_by_lane(Recipient& recipient) {
    const Site& site = *recipient.site;
    if (closed_ || !may_be_shared(site.facts.limits, context_.exchange.shards())) return false;
    if (auto* const found = paths_.find(site.facts.path);
        found != nullptr && found->second->serves()) {
        found->second->add(recipient);
        return true;
    }
    if (site.traffic.count(context_.shard.now())) {
        Path& lane = path_of(site.facts, Path::Role::lane);
        lane.expects_mail();
        join(lane);
    }
    return false;
}

LaneTerms Dispatcher::renew(const SiteFacts& site, std::size_t shard, const LaneReport& report) {
    if (closed_) return {};
    Path& path = path_of(site, Path::Role::home);
    LaneTerms terms = path.terms_for(shard, report);
    join(path);
    if (terms.places < report.wants) {
        for (const std::size_t lane : path.lanes_to_recall()) {
            if (lane == shard) continue;
            context_.shard.tell_owning(lane, [end = &context_.exchange.paths(lane),
                                              key = site.path] { end->recall(key); });
        }
    }
    return terms;
}

void Dispatcher::recall(const PathKey& path) {
    if (closed_) return;
    if (auto* const found = paths_.find(path);
        found != nullptr && found->second->sharing() != Path::Sharing::apart) {
        begin_renewal(*found->second);
    }
}

void Dispatcher::join(Path& path) {
    if (path.sharing() != Path::Sharing::apart) return;
    path.move_to(Path::Sharing::sharing);
    sharing_.push_back(&path);
    if (!renewal_.armed()) {
        context_.shard.reactor().timers().arm(renewal_, context_.shard.now() + kRenewEvery);
    }
    begin_renewal(path);
}

// A round through those that share, some in each turn. A path whose renewal is under way stays: it
// has not got its terms.
void Dispatcher::renew_some() {
    core::TimerSet& timers = context_.shard.reactor().timers();
    const bool all = renewal_round_ % kRenewSeldom == 0;
    for (std::size_t seen = 0; seen < kRenewedAtOnce && renewed_ < sharing_.size(); ++seen) {
        Path& path = *sharing_[renewed_];
        if (path.sharing() != Path::Sharing::reporting && path.is_alone()) {
            path.end_sharing();
            sharing_[renewed_] = sharing_.back();
            sharing_.pop_back();
            continue;
        }
        ++renewed_;
        if (all || path.role() == Path::Role::home || path.is_urgent()) begin_renewal(path);
    }
    if (renewed_ < sharing_.size()) return timers.arm(renewal_, core::kAtOnce);
    renewed_ = 0;
    ++renewal_round_;
    if (!sharing_.empty()) timers.arm(renewal_, context_.shard.now() + kRenewEvery);
}

void Dispatcher::begin_renewal(Path& path) {
    if (path.role() == Path::Role::home) return path.renew_own();
    if (path.sharing() == Path::Sharing::reporting || renewals_.closing()) return;
    path.move_to(Path::Sharing::reporting);
    renewals_.spawn(renew_lane(&path));
}

core::Task<void> Dispatcher::renew_lane(Path* path) {
    const std::size_t home = home_of(path->site().path, context_.exchange.shards());
    const std::size_t self = context_.shard.id();
    PathEnd* const end = &context_.exchange.paths(home);
    // The home reads a copy: ours may change meanwhile.
    auto terms = co_await context_.shard.ask(
        home, [end, self, site = path->site(), report = path->report()] {
            return end->renew(site, self, report);
        });
    path->move_to(Path::Sharing::sharing);
    path->take_terms(terms ? *terms : LaneTerms{});
}

// Another one may come in the middle: it begins with the first path again.
void Dispatcher::use(std::shared_ptr<const CheckedConfig> checked) {
    checked_ = std::move(checked);
    context_.tenants = checked_->tenants;
    adoption_.stripe = 0;
    adopt(adoption_);
}

void Dispatcher::adopt(Walk& walk) {
    std::vector<Path*> some;  // what they send home may come back by a new path
    while (walk.stripe < Paths::kStripes && some.size() < kAdoptedAtOnce) {
        for (const auto& [key, path] : paths_.stripe(walk.stripe++))
            some.push_back(path.get());
    }
    if (walk.stripe < Paths::kStripes) arm(walk, core::kAtOnce);
    for (Path* path : some)
        path->adopt(*checked_);
}

// What is added to a path meanwhile is asked by the path itself.
void Dispatcher::use_orders(std::shared_ptr<const OrderSet> orders) {
    context_.orders = orders->empty() ? nullptr : std::move(orders);
    if (closed_ || context_.orders == nullptr) return;
    obedience_.stripe = 0;
    obey(obedience_);
}

void Dispatcher::obey(Walk& walk) {
    std::vector<Path*> some;
    while (walk.stripe < Paths::kStripes && some.size() < kAdoptedAtOnce) {
        for (const auto& [key, path] : paths_.stripe(walk.stripe++))
            some.push_back(path.get());
    }
    if (walk.stripe < Paths::kStripes) arm(walk, core::kAtOnce);
    for (Path* path : some)
        path->obey_orders();
}

// Actions of automation began, changed or ended; few paths mind.
void Dispatcher::heed_actions(Walk& walk) {
    std::vector<Path*> some;
    for (std::size_t seen = 0; unheeded_ > 0 && seen < core::kSlice && some.size() < kAdoptedAtOnce;
         --unheeded_) {
        const auto& stripe = paths_.stripe(walk.stripe);
        walk.stripe = (walk.stripe + 1) % Paths::kStripes;
        seen += 1 + stripe.size();
        for (const auto& [key, path] : stripe) {
            if (path->minds_actions()) some.push_back(path.get());
        }
    }
    if (unheeded_ > 0) arm(walk, core::kAtOnce);
    for (Path* path : some)
        path->adopt(*checked_);
}

core::Task<PathsView> Dispatcher::view(std::size_t most) {
    PathsView view;
    for (std::size_t stripe = 0; stripe < Paths::kStripes; ++stripe) {
        std::size_t seen = 1;
        for (const auto& [key, path] : paths_.stripe(stripe)) {
            ++seen;
            if (path->ready() > 0 || path->connections() > 0) view.paths.push_back(path->view());
        }
        if (view.paths.size() > 4 * most) view.cut(most);
        if (stripe % kStripesAtOnce == 0 || seen > kAdoptedAtOnce) {
            co_await core::NextTurn{context_.shard.reactor()};
        }
    }
    view.cut(most);
    co_return view;
}

PathsView Dispatcher::view_of(const std::vector<PathKey>& keys) {
    PathsView view;
    for (const PathKey& key : keys) {
        auto* const found = paths_.find(key);
        if (found != nullptr) view.paths.push_back(found->second->view());
    }
    return view;
}

void Dispatcher::sweep(Walk& walk) {
    const core::Instant now = context_.shard.now();
    const core::Duration keep =
        paths_.size() > context_.options.many_paths ? kForgetSoon : kForgetAfter;
    for (std::size_t seen = 0; walk.stripe < Paths::kStripes && seen < core::kSlice;) {
        seen += 1 + paths_.stripe(walk.stripe).size();
        for (auto& [key, path] : paths_.stripe(walk.stripe)) {
            path->expire_waiting();
            if (context_.largest == nullptr) continue;
            context_.largest->offer(path->site().name, path->take_backlog());
        }
        paths_.erase_if(walk.stripe++, [&](const auto& entry) {
            return entry.second->ready() == 0 && entry.second->unused_since(now - keep);
        });
    }
    if (walk.stripe < Paths::kStripes) return arm(walk, core::kAtOnce);
    walk.stripe = 0;
    if (context_.largest != nullptr) context_.largest->publish();
    rates_.sweep();
    arm(walk, now + kSweepEvery);
}

core::Task<std::optional<std::string>> Dispatcher::learned() {
    Learned learned(Learned::kMostLearned / context_.exchange.shards());
    core::Slices slices(context_.shard.reactor());
    context_.hosts.add_learned(learned, kMostLearnedHosts, context_.shard.now(),
                               context_.shard.wall());
    for (std::size_t i = 0; i < Paths::kStripes && !closed_ && !learned.is_full(); ++i) {
        for (const auto& [key, path] : paths_.stripe(i))
            path->add_learned(learned);
        co_await slices.next();
    }
    if (closed_) co_return std::nullopt;
    co_return learned.take_text();
}

core::Task<void> Dispatcher::close(core::Instant deadline) {
    for (Walk* walk : {&sweep_, &adoption_, &heeding_, &obedience_}) {
        if (walk->armed()) context_.shard.reactor().timers().disarm(*walk);
    }
    closed_ = true;  // from now on: a path that is made while others close would not be closed
    if (renewal_.armed()) context_.shard.reactor().timers().disarm(renewal_);
    co_await renewals_.close();
    // All paths at once: each has until the same deadline.
    core::TaskGroup closing(context_.shard.reactor());
    core::Slices slices(context_.shard.reactor());
    for (std::size_t i = 0; i < Paths::kStripes; ++i) {
        for (auto& [key, path] : paths_.stripe(i)) {
            if (!path->at_rest()) closing.spawn(path->close(deadline));
            co_await slices.next();
        }
    }
    co_await closing.close();
    // Lanes give their places back.
    for (Path* path : sharing_) {
        if (path->role() == Path::Role::home) continue;
        path->move_to(Path::Sharing::reporting);
        co_await renew_lane(path);
    }
    sharing_.clear();
    co_await rates_.close();
    for (std::size_t i = 0; i < Paths::kStripes; ++i) {
        paths_.erase_if(i, [](const auto&) { return true; });
        co_await slices.next();
    }
    log_.reset();
}

}  // namespace relay
