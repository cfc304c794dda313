#include "relay/admin/queue_report.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"

namespace relay {

namespace {

struct Named {
    std::string_view name;
    std::uint64_t count = 0;
};

// ", held back by message_rate (3), connection_limit (1)": those that there are.
void append_counts(std::string& line, std::string_view start, std::initializer_list<Named> counts) {
    std::string_view before = start;
    for (const Named& each : counts) {
        if (each.count == 0) continue;
        line += fmt::format("{}{} ({})", before, each.name, each.count);
        before = ", ";
    }
}

constexpr std::size_t kSiteText = 100;  // octets; a site with many hosts has a long name

// "; most for one.example (300), two.example (2)": of all shards; lanes of a site add up.
void append_sites(std::string& line, std::span<const LargestSites* const> shards) {
    std::vector<SiteBacklog> all;
    for (const LargestSites* shard : shards)
        std::ranges::move(shard->get(), std::back_inserter(all));
    std::ranges::sort(all, {}, &SiteBacklog::site);
    std::vector<SiteBacklog> sums;
    for (SiteBacklog& each : all) {
        if (!sums.empty() && sums.back().site == each.site) {
            sums.back().recipients += each.recipients;
        } else {
            sums.push_back(std::move(each));
        }
    }
    all = std::move(sums);
    std::ranges::sort(all, std::greater<>{}, &SiteBacklog::recipients);
    if (all.size() > LargestSites::kMost) all.resize(LargestSites::kMost);
    std::string_view before = "; most for ";
    for (const SiteBacklog& each : all) {
        line +=
            fmt::format("{}{} ({})", before, core::escaped(each.site, kSiteText), each.recipients);
        before = ", ";
    }
}

std::string age_text(core::Duration age) {
    using std::chrono::duration_cast;
    const auto minutes = duration_cast<std::chrono::minutes>(age).count();
    if (minutes < 120) return fmt::format("{} min", minutes);
    return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

}  // namespace

QueueReport::Totals QueueReport::read(std::span<const metrics::ShardMetrics* const> shards) {
    using metrics::Connect;
    using metrics::DnsResult;
    using metrics::Outcome;
    using metrics::Queue;
    using metrics::Throttle;
    Totals totals;
    for (const metrics::ShardMetrics* shard : shards) {
        totals.scheduled += shard->queue(Queue::scheduled).value();
        totals.suspended += shard->orders().suspended.value();
        totals.ready += shard->queue(Queue::ready).value();
        totals.in_flight += shard->queue(Queue::in_flight).value();
        const core::WallTime oldest = shard->oldest();
        if (oldest != core::WallTime{}) {
            totals.oldest =
                totals.oldest == core::WallTime{} ? oldest : std::min(totals.oldest, oldest);
        }
        for (std::size_t i = 0; i < shard->destinations(); ++i) {
            const metrics::DestinationCounters& one = shard->destination(i);
            const auto outcomes = [&](Outcome outcome) {
                return one.deliveries[static_cast<std::size_t>(outcome)].value();
            };
            totals.delivered += outcomes(Outcome::delivered);
            totals.deferred += outcomes(Outcome::deferred);
            totals.bounced += outcomes(Outcome::bounced);
            totals.expired += outcomes(Outcome::expired);
            for (std::size_t c = 0; c < metrics::kConnects; ++c) {
                if (c != static_cast<std::size_t>(Connect::ready)) {
                    totals.connects_failed += one.connects[c].value();
                }
            }
        }
        for (const auto& results : shard->dns().lookups) {
            for (const DnsResult result : {DnsResult::failed, DnsResult::timeout})
                totals.lookups_failed += results[static_cast<std::size_t>(result)].value();
        }
        totals.by_message_rate += shard->throttled_count(Throttle::message_rate).value();
        totals.by_connection_rate += shard->throttled_count(Throttle::connection_rate).value();
        totals.by_connection_limit += shard->throttled_count(Throttle::connection_limit).value();
    }
    return totals;
}

std::optional<std::string> QueueReport::line(std::span<const metrics::ShardMetrics* const> shards,
                                             std::span<const LargestSites* const> largest,
                                             core::WallTime now) {
    const Totals totals = read(shards);
    const Totals before = std::exchange(before_, totals);
    const core::Duration age =
        totals.oldest == core::WallTime{} ? core::Duration{} : now - totals.oldest;
    const bool waits = totals.scheduled > 0 || totals.ready > 0 || totals.in_flight > 0;
    if (!waits || (totals.scheduled <= 0 && age < kReportQueueEvery)) return std::nullopt;
    std::string text = fmt::format(
        "queue: {} wait for a later attempt, {} for a connection, {} for a reply; the oldest for "
        "{}; "
        "since the last line {} delivered, {} deferred, {} bounced, {} expired",
        std::max<std::int64_t>(totals.scheduled, 0), std::max<std::int64_t>(totals.ready, 0),
        std::max<std::int64_t>(totals.in_flight, 0), age_text(age),
        totals.delivered - before.delivered, totals.deferred - before.deferred,
        totals.bounced - before.bounced, totals.expired - before.expired);
    if (totals.suspended > 0) text += fmt::format("; suspended {}", totals.suspended);
    append_sites(text, largest);
    append_counts(text, "; failed: ",
                  {{"connections", totals.connects_failed - before.connects_failed},
                   {"DNS lookups", totals.lookups_failed - before.lookups_failed}});
    append_counts(text, "; held back by ",
                  {{"max_message_rate", totals.by_message_rate - before.by_message_rate},
                   {"max_connection_rate", totals.by_connection_rate - before.by_connection_rate},
                   {"connection_limit", totals.by_connection_limit - before.by_connection_limit}});
    return text;
}

core::Task<void> report_queue(std::span<const metrics::ShardMetrics* const> shards,
                              std::span<const LargestSites* const> largest, core::Shard* shard,
                              core::Event* stop) {
    QueueReport report;
    while (!co_await stop->wait(shard->now() + kReportQueueEvery)) {
        if (const auto line = report.line(shards, largest, shard->wall()))
            core::log_info("{}", *line);
    }
}

}  // namespace relay
