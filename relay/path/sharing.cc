#include "relay/path/sharing.h"

#include <algorithm>
#include <numeric>

#include "core/base/assert.h"
#include "relay/limits/token_bucket.h"

namespace relay {

namespace {

constexpr std::size_t kMaxShared = 100'000;  // places; a part of a rate is counted exactly
constexpr std::size_t kBurst = 8;            // messages at once, for each shard
constexpr std::size_t kMaxMoved = 2048;      // at a time

std::size_t sum_of(const std::vector<std::size_t>& all) {
    return std::accumulate(all.begin(), all.end(), std::size_t{0});
}

}  // namespace

bool may_be_shared(const ShapingLimits& limits, std::size_t shards) {
    if (limits.shares_with_provider()) return false;
    const std::size_t places =
        std::min<std::size_t>(limits.connection_limit, limits.max_connection_rate.count);
    return shards > 1 && places >= shards && limits.connection_limit <= kMaxShared &&
           TokenBucket::default_burst(limits.max_message_rate) >= kBurst * shards;
}

std::vector<Move> spread(const std::vector<std::size_t>& backlogs, std::size_t self,
                         std::size_t mine, std::size_t slack) {
    if (backlogs.size() < 2) return {};
    PH_ASSERT(self < backlogs.size());
    const std::size_t all = sum_of(backlogs) + mine - backlogs[self];
    const std::size_t mean = all / backlogs.size();
    if (mine <= mean + mean / 4 + slack) return {};
    std::size_t surplus = std::min(mine - mean, kMaxMoved);
    std::vector<Move> moves;
    for (std::size_t step = 1; step < backlogs.size() && surplus > 0; ++step) {
        const std::size_t shard = (self + step) % backlogs.size();
        if (backlogs[shard] >= mean) continue;
        const std::size_t moved = std::min(mean - backlogs[shard], surplus);
        moves.push_back({shard, moved});
        surplus -= moved;
    }
    return moves;
}

LaneLedger::LaneLedger(Window& window, std::size_t limit, std::size_t shards, std::size_t home,
                       std::size_t has)
    : window_(window),
      ledger_(limit),
      backlogs_(shards),
      has_(shards),
      open_(shards),
      flows_(shards) {
    ledger_.renew(home, 0, has);
    window_.reach(std::max(2 * shards, limit / 3));
}

std::size_t LaneLedger::open() const {
    return sum_of(open_);
}

void LaneLedger::learn(const LaneReport& report, core::Instant now) {
    const LaneSeen& seen = report.seen;
    if (seen.opened > 0) window_.opened(now, open(), seen.opened);
    // Several of one report are one fact.
    if (seen.refused > 0) window_.refused(now, open(), sum_of(has_) - open());
    for (std::size_t i = 0; i < std::min<std::size_t>(seen.fruitless, Window::kEnough); ++i)
        window_.ended(now, true, open());
    if (seen.served > 0) window_.ended(now, false, open());
}

LaneTerms LaneLedger::renew(std::size_t shard, const LaneReport& report, core::Instant now) {
    PH_ASSERT(shard < backlogs_.size() && report.open <= report.has);
    backlogs_[shard] = report.backlog;
    has_[shard] = report.has;
    open_[shard] = report.open;
    flows_[shard] = report.flows;
    learn(report, now);
    ledger_.limit_by(window_.most(now, ledger_.granted()));
    LaneTerms terms;
    terms.places = ledger_.renew(shard, report.has, report.wants);
    // Rates are shared by what may open for the time being, learned or in doubt.
    terms.limit = std::max(window_.sure(), ledger_.granted());
    terms.trial = window_.is_trying(ledger_.granted());
    terms.others = ledger_.granted() - ledger_.granted(shard);
    worked_ = std::max(worked_, report.worked);
    terms.worked = worked_;
    terms.backlogs = backlogs_;
    if (!is_one_flow()) terms.flows = flow_shares(shard);
    return terms;
}

bool LaneLedger::is_one_flow() const {
    const FlowBacklog* only = nullptr;
    for (const auto& flows : flows_) {
        if (flows.size() > 1) return false;
        if (flows.empty()) continue;
        if (only != nullptr && !only->is_of(flows.front())) return false;
        only = &flows.front();
    }
    return true;
}

std::vector<FlowShares> LaneLedger::flow_shares(std::size_t shard) const {
    std::vector<FlowShares> shares;
    shares.reserve(flows_[shard].size());
    for (const FlowBacklog& mine : flows_[shard]) {
        FlowShares& share = shares.emplace_back(mine, std::vector<std::size_t>(flows_.size()));
        for (std::size_t i = 0; i < flows_.size(); ++i) {
            const auto found = std::ranges::find_if(
                flows_[i], [&mine](const FlowBacklog& one) { return one.is_of(mine); });
            if (found != flows_[i].end()) share.backlogs[i] = found->recipients;
        }
    }
    return shares;
}

}  // namespace relay
