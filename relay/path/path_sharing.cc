// Path: how its limits and its mail are shared with other shards.
#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "relay/path/path.h"

namespace relay {

namespace {

constexpr std::size_t kMuch = 256;      // recipients: more than one shard should keep for itself
constexpr std::size_t kMaxInVain = 20;  // terms without a place; then its mail goes to the home
constexpr core::Duration kKeepsPlace = std::chrono::seconds{1};  // a lane that has no mail

}  // namespace

bool Path::may_be_shared() const {
    return relay::may_be_shared(site_.limits, context_.exchange.shards());
}

void Path::expects_mail() {
    last_used_ = context_.shard.now();
}

bool Path::is_up() const {
    return !gate_.closing() && !gate_.suspended() &&
           gate_.outage().paused_until() <= context_.shard.now();
}

bool Path::serves() const {
    return role_ == Role::lane && places_ > 0 && is_up();
}

bool Path::wants_sharing() const {
    return !gate_.closing() && backlog() >= kMuch && may_be_shared();
}

std::size_t Path::wanted() const {
    const bool lately = role_ == Role::lane && context_.shard.now() - last_used_ < kKeepsPlace;
    const std::size_t least = backlog() > 0 || lately ? 1 : 0;
    return std::max({least, pool_.size(), pool_.wanted(backlog())});
}

// Not while the site is down: one shard asks whether it is back. Nor where the window has less than
// a connection for each shard.
bool Path::may_lend() const {
    const bool enough = role_ == Role::lane || window_.sure() >= context_.exchange.shards();
    return is_up() && may_be_shared() && enough;
}

std::vector<std::size_t> Path::lanes_to_recall() const {
    if (ledger_ == nullptr) return {};
    std::vector<std::size_t> lanes = ledger_->above_their_share();
    std::erase(lanes, context_.shard.id());
    return lanes;
}

bool Path::is_urgent() const {
    const bool lacks = pool_.idle() == 0 && wanted() > places_;
    return lacks || waiting_.size() >= kMuch || (wanted() == 0 && places_ > 0) ||
           pool_.size() > places_;
}

LaneReport Path::what_it_has() {
    return {.has = pool_.size(),
            .wants = wanted(),
            .backlog = backlog(),
            .worked = gate_.outage().last_worked(),
            .open = pool_.size() - pool_.opening(),
            .seen = std::exchange(seen_, {}),
            .flows = waiting_.backlogs(FlowBacklog::kMaxReported)};
}

LaneReport Path::report() {
    PH_ASSERT(role_ == Role::lane);
    use_places(pool_.size(), limit_);
    LaneReport report = what_it_has();
    if (!may_lend()) report.wants = 0;
    return report;
}

void Path::take_terms(const LaneTerms& terms) {
    if (gate_.closing()) return;
    accept(terms);
    in_vain_ = places_ == 0 && backlog() > 0 && pool_.empty() ? in_vain_ + 1 : 0;
    if (in_vain_ > kMaxInVain) {  // by way of the origin, as nobody here will send it
        in_vain_ = 0;
        return send_all_home({});
    }
    if (may_lend()) hand_over(terms);
    maintain();
}

void Path::accept(const LaneTerms& terms) {
    use_places(terms.places, terms.limit == 0 ? limit_ : terms.limit);
    others_ = terms.others;
    trial_ = terms.trial;
    gate_.outage().worked_elsewhere(terms.worked);
}

LaneTerms Path::terms_for(std::size_t shard, const LaneReport& report) {
    PH_ASSERT(role_ == Role::home && shard != context_.shard.id());
    LaneReport asked = report;
    if (!may_lend()) asked.wants = 0;
    if (ledger_ == nullptr) {
        if ((asked.has == 0 && asked.wants == 0) || !may_begin_sharing()) return {};
        begin_sharing();
    }
    renew_own();
    const LaneTerms terms = ledger_->renew(shard, asked, context_.shard.now());
    show_window();
    return terms;
}

// After a reload that lowered the limit some connections still have to end.
bool Path::may_begin_sharing() const {
    return pool_.size() <= site_.limits.connection_limit;
}

// What it has is its own when the ledger is opened.
void Path::begin_sharing() {
    ledger_ =
        std::make_unique<LaneLedger>(window_, site_.limits.connection_limit,
                                     context_.exchange.shards(), context_.shard.id(), pool_.size());
}

void Path::renew_own() {
    PH_ASSERT(role_ == Role::home);
    if (gate_.closing()) return;
    if (ledger_ == nullptr) {
        if (!wants_sharing() || !may_begin_sharing()) return;
        begin_sharing();
    }
    const LaneTerms terms =
        ledger_->renew(context_.shard.id(), what_it_has(), context_.shard.now());
    show_window();
    accept(terms);
    if (may_lend()) hand_over(terms);
    maintain();
}

bool Path::is_alone() const {
    if (gate_.closing()) return true;
    if (role_ == Role::lane) return pool_.empty() && backlog() == 0 && at_rest() && places_ == 0;
    if (ledger_ == nullptr) return true;
    return !ledger_->shared_by_others_than(context_.shard.id()) && backlog() < kMuch / 2;
}

void Path::end_sharing() {
    move_to(Sharing::apart);
    if (gate_.closing() || ledger_ == nullptr) return;
    ledger_.reset();
    others_ = 0;
    seen_ = {};
    trial_ = false;
    use_places(site_.limits.connection_limit, site_.limits.connection_limit);
    maintain();
}

void Path::move_to(Sharing next) {
    PH_ASSERT(sharing_ != next);
    PH_ASSERT(sharing_ == Sharing::sharing || next == Sharing::sharing);
    sharing_ = next;
}

void Path::use_places(std::size_t places, std::size_t limit) {
    limit_ = limit;
    places_ = places;
    if (places_ > 0) gate_.share({std::min(places_, limit), limit}, context_.shard.now());
    pool_.retire_beyond(places_);
}

// Those at the front have waited longest, and go at once where there is less to do. Each flow is
// spread by itself, so that each lane has mail of every tenant and gives each its share.
void Path::hand_over(const LaneTerms& terms) {
    for (const FlowShares& share : terms.flows) {
        const FlowBacklog& flow = share.flow;
        const std::size_t mine = waiting_.backlog(flow.tenant, flow.priority);
        for (const Move& move : spread(share.backlogs, context_.shard.id(), mine, kFlowSlack)) {
            hand_to(move, [&] { return &waiting_.pop_front_of(flow.tenant, flow.priority); });
        }
    }
    if (!terms.flows.empty() && terms.flows.size() < FlowBacklog::kMaxReported) return;
    for (const Move& move : spread(terms.backlogs, context_.shard.id(), waiting_.size()))
        hand_to(move, [&] { return &waiting_.pop_front(); });
}

template <typename Next>
void Path::hand_to(const Move& move, Next next) {
    for (std::size_t left = move.recipients; left > 0;) {
        const std::size_t some = std::min(left, Exchange::kMaxGathered);
        std::vector<Recipient*> recipients;
        recipients.reserve(some);
        while (recipients.size() < some)
            recipients.push_back(next());
        left -= some;
        context_.exchange.to_lane(context_.shard, move.shard, std::move(recipients));
    }
}

}  // namespace relay
