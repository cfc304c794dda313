#include "metrics/exposition.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "core/base/assert.h"
#include "metrics/catalogue.h"
#include "metrics/process.h"

namespace metrics {
namespace {

using Family = prometheus::MetricFamily;
using Shards = std::span<const ShardMetrics* const>;

prometheus::MetricType to_prometheus(Kind kind) {
    switch (kind) {
        case Kind::counter:
            return prometheus::MetricType::Counter;
        case Kind::gauge:
            return prometheus::MetricType::Gauge;
        case Kind::histogram:
            return prometheus::MetricType::Histogram;
    }
    PH_ASSERT(false && "a kind of metric");
    std::unreachable();
}

// Builds the families one after the other, in the order of the calls.
class Page {
  public:
    void family(const Metric& metric) {
        metric_ = &metric;
        Family family;
        family.name = metric.name;
        family.help = metric.help;
        family.type = to_prometheus(metric.kind);
        families_.push_back(std::move(family));
    }

    void sample(double value, std::initializer_list<std::string_view> labels = {}) {
        prometheus::ClientMetric& sample = add(labels);
        if (metric_->kind == Kind::counter) {
            sample.counter.value = value;
        } else {
            sample.gauge.value = value;
        }
    }

    template <typename Integer>
        requires std::is_integral_v<Integer>
    void sample(Integer value, std::initializer_list<std::string_view> labels = {}) {
        sample(static_cast<double>(value), labels);
    }

    prometheus::ClientMetric& add(std::initializer_list<std::string_view> labels) {
        prometheus::ClientMetric sample;
        std::size_t i = 0;
        for (const std::string_view value : labels) {
            PH_ASSERT(i < metric_->labels.size() && !metric_->labels[i].empty());
            sample.label.push_back({std::string(metric_->labels[i]), std::string(value)});
            ++i;
        }
        PH_ASSERT(i == metric_->labels.size() || metric_->labels[i].empty());
        return families_.back().metric.emplace_back(std::move(sample));
    }

    std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

  private:
    const Metric* metric_ = nullptr;
    std::vector<Family> families_;
};

// read(const ShardMetrics&) is a Counter or Gauge.
template <typename Read>
auto sum(Shards shards, Read read) {
    decltype(read(*shards.front()).value()) total{};
    for (const ShardMetrics* each : shards)
        total += read(*each).value();
    return total;
}

void injection(Page& page, Shards shards) {
    page.family(kMessagesReceived);
    for (std::size_t p = 0; p < kProtocols; ++p) {
        page.sample(sum(shards,
                        [&](const ShardMetrics& s) -> auto& {
                            return s.received_count(static_cast<Protocol>(p));
                        }),
                    {kProtocolWords[p], kOnlyTenant});
    }
    page.family(kMessagesRejected);
    for (std::size_t p = 0; p < kProtocols; ++p) {
        for (std::size_t r = 0; r < kRejections; ++r) {
            page.sample(sum(shards,
                            [&](const ShardMetrics& s) -> auto& {
                                return s.rejected_count(static_cast<Protocol>(p),
                                                        static_cast<Rejection>(r));
                            }),
                        {kProtocolWords[p], kRejectionWords[r]});
        }
    }
    page.family(kSessions);
    for (std::size_t p = 0; p < kProtocols; ++p) {
        page.sample(sum(shards,
                        [&](const ShardMetrics& s) -> auto& {
                            return s.session_count(static_cast<Protocol>(p));
                        }),
                    {kProtocolWords[p]});
    }
    page.family(kSessionsOpen);
    for (std::size_t p = 0; p < kProtocols; ++p) {
        page.sample(sum(shards,
                        [&](const ShardMetrics& s) -> auto& {
                            return s.sessions_open(static_cast<Protocol>(p));
                        }),
                    {kProtocolWords[p]});
    }
}

// of: which histogram of a shard.
template <typename Of>
void histogram(Page& page, Shards shards, const Metric& metric, Of of) {
    page.family(metric);
    auto& sample = page.add({}).histogram;
    const auto& bounds = of(*shards.front()).bounds();
    std::uint64_t cumulative = 0;
    for (std::size_t b = 0; b <= bounds.size(); ++b) {
        for (const ShardMetrics* each : shards)
            cumulative += of(*each).count(b);
        const double bound = b < bounds.size() ? std::chrono::duration<double>(bounds[b]).count()
                                               : std::numeric_limits<double>::infinity();
        sample.bucket.push_back({cumulative, bound});
    }
    sample.sample_count = cumulative;
    for (const ShardMetrics* each : shards)
        sample.sample_sum += of(*each).sum_seconds();
}

// Of those tenants that have a number; the last label is there once others have had mail.
void tenants(Page& page, Shards shards, const std::vector<std::string>& names) {
    page.family(kTenantMessages);
    constexpr std::size_t kOthers = kMostTenantLabels - 1;
    for (std::size_t t = 0; t < kMostTenantLabels; ++t) {
        if (t < kOthers && t >= names.size()) continue;
        for (std::size_t o = 0; o < kOutcomes; ++o) {
            const auto count = sum(shards, [&](const ShardMetrics& s) -> auto& {
                return s.tenants().of(t, static_cast<Outcome>(o));
            });
            if (t == kOthers && count == 0) continue;
            page.sample(count,
                        {t == kOthers ? "other" : std::string_view(names[t]), kOutcomeWords[o]});
        }
    }
}

void delivery(Page& page, Shards shards, const std::vector<std::string>& names,
              const std::vector<std::string>& tenant_names) {
    const std::size_t destinations = std::min(names.size(), shards.front()->destinations());
    page.family(kDeliveries);
    for (std::size_t p = 0; p < destinations; ++p) {
        for (std::size_t o = 0; o < kOutcomes; ++o) {
            page.sample(
                sum(shards,
                    [&](const ShardMetrics& s) -> auto& { return s.destination(p).deliveries[o]; }),
                {names[p], kOutcomeWords[o]});
        }
    }
    tenants(page, shards, tenant_names);
    histogram(page, shards, kDeliverySeconds,
              [](const ShardMetrics& s) -> auto& { return s.delivery_seconds(); });
    page.family(kConnectionsOpen);
    for (std::size_t p = 0; p < destinations; ++p) {
        page.sample(
            sum(shards,
                [&](const ShardMetrics& s) -> auto& { return s.destination(p).connections_open; }),
            {names[p]});
    }
    page.family(kConnections);
    for (std::size_t p = 0; p < destinations; ++p) {
        for (std::size_t c = 0; c < kConnects; ++c) {
            page.sample(
                sum(shards,
                    [&](const ShardMetrics& s) -> auto& { return s.destination(p).connects[c]; }),
                {names[p], kConnectWords[c]});
        }
    }
    page.family(kPathWindow);
    for (std::size_t p = 0; p < destinations; ++p) {
        page.sample(
            sum(shards, [&](const ShardMetrics& s) -> auto& { return s.destination(p).window; }),
            {names[p]});
    }
}

void spool_count(Page& page, Shards shards, const Metric& metric,
                 Counter SpoolCounters::* counter) {
    page.family(metric);
    page.sample(sum(shards, [&](const ShardMetrics& s) -> auto& { return s.spool().*counter; }));
}

void spool(Page& page, Shards shards, const NodeFacts& node) {
    histogram(page, shards, kCommitSeconds,
              [](const ShardMetrics& s) -> auto& { return s.spool().commit_seconds; });
    page.family(kSpoolBytes);
    page.sample(node.spool_bytes);
    page.family(kSpoolFreeBytes);
    page.sample(node.spool_free_bytes);
    page.family(kSpoolState);
    for (std::size_t state = 0; state < kSpoolStateWords.size(); ++state) {
        page.sample(state == static_cast<std::size_t>(node.spool_state), {kSpoolStateWords[state]});
    }
    spool_count(page, shards, kSpoolBatches, &SpoolCounters::batches);
    spool_count(page, shards, kSpoolWritten, &SpoolCounters::octets);
    spool_count(page, shards, kSpoolMoved, &SpoolCounters::moved_octets);
    spool_count(page, shards, kSpoolOutcomes, &SpoolCounters::outcomes);
    spool_count(page, shards, kSpoolOutcomesDropped, &SpoolCounters::outcomes_dropped);
    spool_count(page, shards, kSpoolRecovered, &SpoolCounters::recovered);
    spool_count(page, shards, kSpoolDamaged, &SpoolCounters::damaged);
    page.family(kSpoolHeld);
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.spool().suspects; }),
                {kHeldWords[0]});
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.spool().set_aside; }),
                {kHeldWords[1]});
    spool_count(page, shards, kSpoolUnnoted, &SpoolCounters::unnoted);
    spool_count(page, shards, kContentsEvicted, &SpoolCounters::contents_evicted);
    spool_count(page, shards, kContentsReadBack, &SpoolCounters::contents_read_back);
}

// Most combinations never occur: only those that did have a series.
void tls(Page& page, Shards shards, const std::vector<std::string>& names) {
    page.family(kTlsSessions);
    const std::size_t destinations = std::min(names.size(), shards.front()->destinations());
    for (std::size_t p = 0; p < destinations; ++p) {
        for (std::size_t t = 0; t < kTlsPolicies; ++t) {
            for (std::size_t r = 0; r < kTlsResults; ++r) {
                const auto count = sum(shards, [&](const ShardMetrics& s) -> auto& {
                    return s.destination(p).tls_sessions[t][r];
                });
                if (count > 0 || p + t + r == 0) {
                    page.sample(count, {names[p], kTlsPolicyWords[t], kTlsResultWords[r]});
                }
            }
        }
    }
}

using QueueSizes = std::array<std::int64_t, kQueues>;

QueueSizes read_queues(Shards shards) {
    QueueSizes sizes{};
    for (std::size_t q = 0; q < kQueues; ++q) {
        sizes[q] = sum(
            shards, [&](const ShardMetrics& s) -> auto& { return s.queue(static_cast<Queue>(q)); });
    }
    return sizes;
}

// Recipients move from queue to queue while they are counted. Read one after the other, a queue may
// be seen before they came to it and the next one after they had left it: a scrape that shows an
// empty relay while all its mail waits. So the counts hold that two readings in a row agree on. A
// relay that is too busy for that has the last reading, which is off by what moved meanwhile.
QueueSizes queue_sizes(Shards shards) {
    constexpr int kMostReadings = 8;
    QueueSizes sizes = read_queues(shards);
    for (int reading = 1; reading < kMostReadings; ++reading) {
        const QueueSizes again = read_queues(shards);
        if (again == sizes) break;
        sizes = again;
    }
    return sizes;
}

void queue(Page& page, Shards shards, const NodeFacts& node, core::WallTime now) {
    page.family(kQueueRecipients);
    const QueueSizes sizes = queue_sizes(shards);
    for (std::size_t q = 0; q < kQueues; ++q) {
        // One that travels between shards may be counted on neither or both for a moment.
        page.sample(std::max<std::int64_t>(sizes[q], 0), {kQueueWords[q]});
    }
    core::Duration age{};
    for (const ShardMetrics* each : shards) {
        if (each->oldest() != core::WallTime{}) age = std::max(age, now - each->oldest());
    }
    page.family(kQueueOldest);
    page.sample(std::chrono::duration<double>(age).count());
    page.family(kSuspendedRecipients);
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.orders().suspended; }));
    page.family(kSuspensions);
    const std::int64_t paths =
        sum(shards, [](const ShardMetrics& s) -> auto& { return s.automation().suspended_paths; });
    for (std::size_t k = 0; k < kOrderKinds; ++k) {
        const std::int64_t orders =
            sum(shards, [&](const ShardMetrics& s) -> auto& { return s.orders().in_force[k]; });
        const bool of_paths = k == static_cast<std::size_t>(OrderKind::suspend_path);
        page.sample(orders + (of_paths ? paths : 0), {kOrderKindWords[k]});
    }
    page.family(kContentBytes);
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.content(); }));
    page.family(kMemoryLimitBytes);
    page.sample(node.memory_limit_bytes);
    spool(page, shards, node);
    page.family(kThrottled);
    for (std::size_t t = 0; t < kThrottles; ++t) {
        page.sample(sum(shards,
                        [&](const ShardMetrics& s) -> auto& {
                            return s.throttled_count(static_cast<Throttle>(t));
                        }),
                    {kThrottleWords[t]});
    }
    page.family(kAutomation);
    for (std::size_t a = 0; a < kAutomationActions; ++a) {
        page.sample(
            sum(shards, [&](const ShardMetrics& s) -> auto& { return s.automation().actions[a]; }),
            {kAutomationWords[a]});
    }
    page.family(kAmbiguousEod);
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.ambiguous_ends(); }));
    page.family(kReports);
    page.sample(
        sum(shards, [](const ShardMetrics& s) -> auto& { return s.reports().notifications; }));
    page.family(kTlsReports);
    for (std::size_t r = 0; r < kTlsReportResults; ++r) {
        page.sample(sum(shards, [&](const ShardMetrics& s) -> auto& { return s.reports().tls[r]; }),
                    {kTlsReportWords[r]});
    }
}

void dns(Page& page, Shards shards) {
    page.family(kDnsLookups);
    for (std::size_t t = 0; t < kDnsTypes; ++t) {
        for (std::size_t r = 0; r < kDnsResults; ++r) {
            page.sample(
                sum(shards, [&](const ShardMetrics& s) -> auto& { return s.dns().lookups[t][r]; }),
                {kDnsTypeWords[t], kDnsResultWords[r]});
        }
    }
    page.family(kDnsCache);
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.dns().cache_hits; }),
                {"hit"});
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.dns().cache_misses; }),
                {"miss"});
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.dns().shed; }), {"shed"});
    page.family(kDnsCacheEntries);
    page.sample(sum(shards, [](const ShardMetrics& s) -> auto& { return s.dns().cache_entries; }));
}

// One sample per shard; sums are left to whoever asks.
void per_shard(Page& page, Shards shards, const Metric& metric, Counter EngineCounters::* counter,
               double unit) {
    page.family(metric);
    for (std::size_t i = 0; i < shards.size(); ++i) {
        page.sample(static_cast<double>((shards[i]->engine().*counter).value()) * unit,
                    {std::to_string(i)});
    }
}

void turn_lengths(Page& page, Shards shards) {
    page.family(kLoopTurnSeconds);
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const EngineCounters& engine = shards[i]->engine();
        auto& sample = page.add({std::to_string(i)}).histogram;
        std::uint64_t cumulative = 0;
        for (std::size_t b = 0; b <= core::kTurnBounds.size(); ++b) {
            cumulative += engine.turns_by_length[b].value();
            const double bound = b < core::kTurnBounds.size()
                                     ? std::chrono::duration<double>(core::kTurnBounds[b]).count()
                                     : std::numeric_limits<double>::infinity();
            sample.bucket.push_back({cumulative, bound});
        }
        sample.sample_count = cumulative;
        sample.sample_sum = static_cast<double>(engine.busy_ns.value()) * 1e-9;
    }
}

void engine(Page& page, Shards shards) {
    per_shard(page, shards, kLoopTurns, &EngineCounters::turns, 1);
    turn_lengths(page, shards);
    per_shard(page, shards, kLetters, &EngineCounters::letters, 1);
    per_shard(page, shards, kTransactions, &EngineCounters::transactions, 1);
    per_shard(page, shards, kIoEnters, &EngineCounters::enters, 1);
    per_shard(page, shards, kIoSubmitted, &EngineCounters::submitted, 1);
    per_shard(page, shards, kIoCompleted, &EngineCounters::completed, 1);
    per_shard(page, shards, kIoSends, &EngineCounters::sends, 1);
    per_shard(page, shards, kIoReceives, &EngineCounters::receives, 1);
    per_shard(page, shards, kIoBuffersExhausted, &EngineCounters::buffers_exhausted, 1);
    per_shard(page, shards, kIoCopied, &EngineCounters::copied, 1);
    per_shard(page, shards, kIoHeldInput, &EngineCounters::held_input, 1);
    per_shard(page, shards, kIoOverflows, &EngineCounters::overflows, 1);
    per_shard(page, shards, kShardBusyRatio, &EngineCounters::busy_parts_per_million, 1e-6);
    per_shard(page, shards, kShardBusySeconds, &EngineCounters::busy_ns, 1e-9);
    per_shard(page, shards, kLongestTurn, &EngineCounters::longest_turn_ns, 1e-9);
}

void node_and_process(Page& page, const NodeFacts& node) {
    page.family(kIoBackendInfo);
    page.sample(1, {node.io_backend, node.io_backend_reason});
    page.family(kBuildInfo);
    page.sample(1, {node.version});
    const ProcessFacts process = process_facts(node.known_fds);
    page.family(kProcessCpu);
    page.sample(process.cpu_seconds);
    page.family(kProcessResident);
    page.sample(process.resident_bytes);
    page.family(kProcessVirtual);
    page.sample(process.virtual_bytes);
    page.family(kProcessOpenFds);
    page.sample(process.open_fds);
    page.family(kProcessMaxFds);
    page.sample(process.max_fds);
    page.family(kProcessStart);
    page.sample(process.start_time_seconds);
}

}  // namespace

std::string render(std::span<const ShardMetrics* const> shards,
                   const std::vector<std::string>& destination_names, const NodeFacts& node,
                   core::WallTime now) {
    PH_ASSERT(!shards.empty());
    Page page;
    injection(page, shards);
    delivery(page, shards, destination_names, node.tenant_names);
    tls(page, shards, destination_names);
    queue(page, shards, node, now);
    dns(page, shards);
    page.family(kEventsWritten);
    page.sample(node.events_written);
    page.family(kEventsDropped);
    page.sample(node.events_dropped);
    engine(page, shards);
    node_and_process(page, node);
    return page.text();
}

}  // namespace metrics
