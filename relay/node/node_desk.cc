#include "relay/node/node_desk.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include <unistd.h>

#include "core/base/json_text.h"
#include "relay/config/path_report.h"
#include "relay/message/path_key.h"
#include "relay/node/order_desk.h"
#include "relay/node/relay_shard.h"
#include "relay/node/reload.h"

namespace relay {

namespace {

std::unexpected<ControlFault> shutting_down() {
    return std::unexpected(ControlFault{503, "shutting down"});
}

}  // namespace

core::Task<Controlled<Order>> NodeDesk::give(Order order) {
    auto given = co_await shard_.ask(
        0, [desk = node_.order_desk, order = std::move(order)] { return desk->give(order); });
    if (!given) co_return shutting_down();
    co_return std::move(*given);
}

core::Task<Controlled<Order>> NodeDesk::end(std::string id, OrderKind kind, std::string who) {
    auto ended =
        co_await shard_.ask(0, [desk = node_.order_desk, id = std::move(id), kind,
                                who = std::move(who)] { return desk->end(id, kind, who); });
    if (!ended) co_return shutting_down();
    co_return std::move(*ended);
}

core::Task<void> NodeDesk::note(AuditEntry entry) {
    co_await shard_.ask(0, [desk = node_.order_desk, entry = std::move(entry)] {
        return [](OrderDesk* at, AuditEntry what) -> core::Task<bool> {
            co_await at->note(std::move(what));
            co_return true;
        }(desk, entry);
    });
}

core::Task<Controlled<void>> NodeDesk::retry(Selection selection, std::string reason,
                                             std::string who) {
    for (RelayShard* relay : node_.relay_shards) {
        shard_.tell_owning(relay->id(), [relay, selection] { relay->retry_now(selection); });
    }
    co_await note({.who = std::move(who),
                   .action = "retry",
                   .what = selection.to_string(),
                   .reason = std::move(reason),
                   .result = "done"});
    co_return Controlled<void>{};
}

core::Task<Controlled<std::vector<std::string>>> NodeDesk::reload(std::string who) {
    auto reloaded = co_await shard_.ask(0, [node = &node_] {
        return relay::reload(node, &node->relay_shards.front()->shard(), node->config.file);
    });
    if (!reloaded) co_return shutting_down();
    const bool done = reloaded->problems.empty();
    co_await note({.who = std::move(who),
                   .action = "reload",
                   .what = node_.config.file,
                   .result = done ? "done" : reloaded->problems.front()});
    if (done) co_return std::move(reloaded->changes);
    std::string all;
    for (const std::string& problem : reloaded->problems)
        all += (all.empty() ? "" : "\n") + problem;
    co_return std::unexpected(ControlFault{422, std::move(all)});
}

core::Task<Controlled<void>> NodeDesk::drain(std::string who) {
    co_await note(
        {.who = std::move(who), .action = "drain", .what = "this relay", .result = "done"});
    ::kill(::getpid(), SIGTERM);  // shard 0 reads it as it does everybody's
    co_return Controlled<void>{};
}

// ---- views

StatusView NodeDesk::status() const {
    StatusView view{.version = std::string(kVersion),
                    .hostname = node_.config.node.hostname,
                    .draining = node_.draining(),
                    .shards = node_.shard_count};
    view.uptime_seconds =
        std::chrono::duration_cast<std::chrono::seconds>(shard_.wall() - node_.started).count();
    const core::WallTime now = shard_.wall();
    core::Duration age{};
    for (const metrics::ShardMetrics* one : node_.all_metrics) {
        view.scheduled += one->queue(metrics::Queue::scheduled).value();
        view.ready += one->queue(metrics::Queue::ready).value();
        view.in_flight += one->queue(metrics::Queue::in_flight).value();
        view.suspended += one->orders().suspended.value();
        if (one->oldest() != core::WallTime{}) age = std::max(age, now - one->oldest());
        for (const auto protocol : {metrics::Protocol::smtp, metrics::Protocol::http})
            view.received += one->received_count(protocol).value();
        for (std::size_t i = 0; i < one->destinations(); ++i) {
            const metrics::DestinationCounters& to = one->destination(i);
            view.connections += to.connections_open.value();
            const auto outcome = [&to](metrics::Outcome which) {
                return to.deliveries[static_cast<std::size_t>(which)].value();
            };
            view.delivered += outcome(metrics::Outcome::delivered);
            view.deferred += outcome(metrics::Outcome::deferred);
            view.bounced += outcome(metrics::Outcome::bounced);
            view.expired += outcome(metrics::Outcome::expired);
        }
    }
    for (std::int64_t* count : {&view.scheduled, &view.ready, &view.in_flight, &view.suspended})
        *count = std::max<std::int64_t>(*count, 0);
    view.oldest_seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
    view.bounces = orders_->count(OrderKind::bounce);
    view.suspensions = orders_->all().size() - view.bounces;
    return view;
}

core::Task<QueuesView> NodeDesk::queues(Selection selection, std::size_t most) {
    QueuesView all;
    for (RelayShard* relay : node_.relay_shards) {
        auto part = co_await shard_.ask(
            relay->id(), [relay, selection] { return relay->origin().count_queues(selection); });
        if (part) all.add(std::move(*part));
    }
    all.cut(most);
    co_return all;
}

core::Task<PathsView> NodeDesk::paths(std::size_t most) {
    PathsView all;
    for (RelayShard* relay : node_.relay_shards) {
        auto part = co_await shard_.ask(relay->id(),
                                        [relay, most] { return relay->dispatcher().view(most); });
        if (part) all.add(std::move(*part));
    }
    all.cut(most);
    co_return all;
}

// The first shard that knows where mail for the domain goes says it.
core::Task<Controlled<std::string>> NodeDesk::path(std::string domain) {
    std::optional<Router::KnownSite> site;
    for (RelayShard* relay : node_.relay_shards) {
        auto known = co_await shard_.ask(
            relay->id(), [relay, domain] { return relay->origin().router().known_site(domain); });
        if (known && *known) site = std::move(**known);
        if (site) break;
    }
    PathQuestion question{.domain = domain};
    PathsView live;
    if (site) {
        for (const dns::MxGroup& group : site->facts.plan.groups)
            question.mx.insert(question.mx.end(), group.hosts.begin(), group.hosts.end());
        for (RelayShard* relay : node_.relay_shards) {
            auto part = co_await shard_.ask(relay->id(), [relay, paths = site->paths] {
                return relay->dispatcher().view_of(paths);
            });
            if (part) live.add(std::move(*part));
        }
    }
    std::string body = "{\"domain\":";
    core::append_json_string(body, domain);
    body += ",\"site\":";
    core::append_json_string(body, site ? std::string_view(site->facts.name) : std::string_view());
    body += ",\"report\":";
    core::append_json_string(body,
                             path_report(node_.relay_shards[shard_.id()]->checked(), question));
    body += ",\"live\":" + to_json(live) + "}";
    co_return body;
}

core::Task<std::optional<MessageView>> NodeDesk::message(MessageId id) {
    for (RelayShard* relay : node_.relay_shards) {
        auto found = co_await shard_.ask(relay->id(),
                                         [relay, id] { return relay->origin().view_message(id); });
        if (found && *found) co_return std::move(**found);
    }
    co_return std::nullopt;
}

}  // namespace relay
