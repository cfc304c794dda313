#include "relay/node/serve.h"

#include <csignal>
#include <cstdio>
#include <utility>

#include "core/base/log.h"
#include "core/io/descriptors.h"
#include "core/io/probe.h"
#include "core/io/runtime.h"
#include "relay/config/changes.h"
#include "relay/config/descriptor_demand.h"
#include "relay/events/event_room.h"
#include "relay/node/handover.h"
#include "relay/node/node.h"
#include "relay/node/order_desk.h"
#include "relay/node/relay_shard.h"
#include "relay/node/reload.h"

namespace relay {

namespace {

void stop_all(Node& node, core::Shard& shard) {
    node.start_draining();
    node.sockets.close();
    for (std::size_t i = 0; i < node.shard_count; ++i) {
        shard.tell(i, [event = node.stop_events[i]] { event->set(); });
    }
}

// One reload at a time; signals that come meanwhile bring one more, as the files may have changed
// since they were read.
struct Reloads {
    bool wanted = false;
    bool running = false;
};

core::Task<void> reload_while_wanted(Reloads* reloads, Node* node, core::Shard* shard,
                                     std::filesystem::path config_file) {
    reloads->running = true;
    while (std::exchange(reloads->wanted, false))
        co_await reload(node, shard, config_file);
    reloads->running = false;
}

core::Task<void> watch_signals(Node* node, core::Shard* shard, core::SignalSource* signals,
                               std::filesystem::path config_file) {
    Reloads reloads;
    core::TaskGroup reloading(shard->reactor());  // SIGTERM does not wait for a slow disk
    while (const int signal = co_await signals->next()) {
        if (signal == SIGHUP) {
            reloads.wanted = true;
            if (!reloads.running) {
                reloading.spawn(reload_while_wanted(&reloads, node, shard, config_file));
            }
            continue;
        }
        core::log_info("{}: draining", signal == SIGTERM ? "SIGTERM" : "SIGINT");
        // Every shard must be there to hear it; those that failed end by themselves.
        co_await node->until_serving(*shard);
        if (!node->failed()) stop_all(*node, *shard);
    }
    co_await reloading.close();
}

// A next process may have our sockets as soon as we listen.
core::Task<void> watch_handover(Node* node, core::Shard* shard, Handover* handover) {
    co_await node->until_serving(*shard);
    if (node->failed()) co_return;
    if (auto opened = handover->open(); !opened) core::log_warning("{}", opened.error());
    const bool handed_over = co_await handover->handed_over();
    if (!handed_over) co_return;
    core::log_info("the listening sockets were handed over to a next process: draining");
    stop_all(*node, *shard);
}

core::Task<void> shard_main(Node* node, core::Shard* shard, std::filesystem::path config_file) {
    if (shard->id() != 0) {
        co_await run_shard(node, shard);
        co_return;
    }
    core::SignalSource signals(*shard, {SIGTERM, SIGINT, SIGHUP});
    core::TaskGroup watching(shard->reactor());
    watching.spawn(watch_signals(node, shard, &signals, std::move(config_file)));
    Handover handover(*shard, node->config.node.data_dir, node->sockets);
    watching.spawn(watch_handover(node, shard, &handover));
    co_await run_shard(node, shard);
    signals.stop();
    handover.stop();
    co_await watching.close();
}

void print(const Problems& problems, const char* kind) {
    for (const Problem& problem : problems) {
        std::fprintf(stderr, "%s%s\n", problem.to_string().c_str(), kind);
    }
}

// False: what it is compared with is no configuration.
bool print_changes(const std::filesystem::path& before, const CheckedConfig& checked) {
    const auto old = check_config(before, checked.config.node.hostname);
    if (!old) {
        print(old.error(), "");
        return false;
    }
    each_change(*old, checked, [](const Change& change) {
        std::printf("%s (%s)\n", change.to_string().c_str(),
                    change.in_force == InForce::reload ? "reload" : "restart");
    });
    return true;
}

std::size_t shards_of(const Config& config) {
    return config.node.shards != 0 ? config.node.shards : core::available_cpus();
}

int refuse(const std::string& sentence) {
    core::log_error("{}", sentence);
    return 1;
}

void tell(const core::ChosenEngine& chosen) {
    const std::string_view name = core::name_of(chosen.engine);
    if (chosen.refusal.empty()) {
        core::log_info("I/O backend: {} ({})", name, chosen.reason);
    } else {
        core::log_warning("I/O backend: {}, which costs more CPU; {}", name, chosen.refusal);
    }
}

}  // namespace

int check(const std::filesystem::path& config_file, const std::filesystem::path& against) {
    const auto checked = check_config(config_file);
    if (!checked) {
        print(checked.error(), "");
        return 1;
    }
    print(checked->warnings, " (warning)");
    const std::size_t shards = shards_of(checked->config);
    const auto complaint =
        descriptor_complaint(descriptor_demand(checked->config, checked->shaping, shards,
                                               estimated_open(checked->config, shards)),
                             descriptors_allowed());
    if (complaint) std::fprintf(stderr, "%s (warning)\n", complaint->c_str());
    if (!against.empty() && !print_changes(against, *checked)) return 1;
    std::printf("%s: ok\n", config_file.c_str());
    return 0;
}

// The sockets that this process need not open itself.
core::Result<core::ListeningSockets> passed_sockets(const Config& config, Start start) {
    core::ListeningSockets sockets;
    if (auto adopted = sockets.adopt_from_environment(); !adopted) {
        return std::unexpected(adopted.error());
    }
    if (start == Start::fresh) return sockets;
    const auto taken = take_over(config.node.data_dir, sockets);
    if (!taken) return std::unexpected(taken.error());
    if (!*taken) {
        core::log_info("nobody serves {}: a start like any other", config.node.data_dir.string());
    }
    return sockets;
}

int serve(const std::filesystem::path& config_file, Start start) {
    auto checked = check_config(config_file);
    if (!checked) {
        print(checked.error(), "");
        return 1;
    }
    print(checked->warnings, " (warning)");
    const auto engine = core::choose_engine(checked->config.node.io_backend);
    if (!engine) return refuse(engine.error());
    tell(*engine);
    auto sockets = passed_sockets(checked->config, start);
    if (!sockets) return refuse(sockets.error());
    core::block_signals({SIGTERM, SIGINT, SIGHUP, SIGPIPE});
    core::Descriptors::raise_limit();

    const EventsConfig& events = checked->config.events;
    auto log = EventLog::open(
        {events.log_dir, events.log_rotate_size, events.log_keep, event_room(checked->config)});
    if (!log) return refuse(log.error());
    core::RuntimeOptions options;
    options.shards = shards_of(checked->config);
    auto spool = open_spool(checked->config, options.shards);
    if (!spool) return refuse(spool.error());
    core::SystemClock clock;
    auto orders = read_orders(checked->config.node.data_dir.string(), clock.wall());
    if (!orders) return refuse(orders.error());
    Node node(std::move(*checked), options.shards, *engine, std::move(*log), std::move(*spool),
              std::move(*sockets));
    node.orders = std::move(*orders);
    node.started = clock.wall();
    options.descriptors = &node.descriptors;
    options.engine = engine->engine;
    core::Runtime runtime(options);
    const auto ran =
        runtime.run([&](core::Shard& shard) { return shard_main(&node, &shard, config_file); });
    node.events->close();
    if (!ran) return refuse(ran.error());
    if (node.failed()) {
        if (node.spool != nullptr) node.spool->back->never_began();
        return refuse(node.failure());
    }
    if (node.spool != nullptr) node.spool->back->end();
    core::log_info("stopped");
    return 0;
}

}  // namespace relay
