#include "relay/node/serve.h"

#include <csignal>
#include <cstdio>
#include <utility>

#include "core/base/log.h"
#include "core/io/descriptors.h"
#include "core/io/preflight.h"
#include "core/io/runtime.h"
#include "relay/events/event_room.h"
#include "relay/node/node.h"
#include "relay/node/reload.h"
#include "relay/node/shard_services.h"

namespace relay {

namespace {

void stop_all(Node& node, core::Shard& shard) {
    node.start_draining();
    for (std::size_t i = 0; i < node.shard_count; ++i) {
        shard.send(i, {[](void* event, void*) { static_cast<core::Event*>(event)->set(); },
                       node.stop_events[i], nullptr});
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

core::Task<void> shard_main(Node* node, core::Shard* shard, std::filesystem::path config_file) {
    if (shard->id() != 0) {
        co_await run_shard(node, shard);
        co_return;
    }
    core::SignalSource signals(*shard, {SIGTERM, SIGINT, SIGHUP});
    core::TaskGroup watching(shard->reactor());
    watching.spawn(watch_signals(node, shard, &signals, std::move(config_file)));
    co_await run_shard(node, shard);
    signals.stop();
    co_await watching.close();
}

void print(const Problems& problems, const char* kind) {
    for (const Problem& problem : problems) {
        std::fprintf(stderr, "%s%s\n", problem.to_string().c_str(), kind);
    }
}

int refuse(const std::string& sentence) {
    core::log_error("{}", sentence);
    return 1;
}

}  // namespace

int check(const std::filesystem::path& config_file) {
    const auto checked = check_config(config_file);
    if (!checked) {
        print(checked.error(), "");
        return 1;
    }
    print(checked->warnings, " (warning)");
    std::printf("%s: ok\n", config_file.c_str());
    return 0;
}

int serve(const std::filesystem::path& config_file) {
    auto checked = check_config(config_file);
    if (!checked) {
        print(checked.error(), "");
        return 1;
    }
    print(checked->warnings, " (warning)");
    if (const auto unavailable = core::io_uring_unavailable()) return refuse(*unavailable);
    core::block_signals({SIGTERM, SIGINT, SIGHUP, SIGPIPE});
    core::Descriptors::raise_limit();

    const EventsConfig& events = checked->config.events;
    auto log = EventLog::open(
        {events.log_dir, events.log_rotate_size, events.log_keep, event_room(checked->config)});
    if (!log) return refuse(log.error());
    auto spool = open_spool(checked->config);
    if (!spool) return refuse(spool.error());
    core::RuntimeOptions options;
    options.shards =
        checked->config.node.shards != 0 ? checked->config.node.shards : core::available_cpus();
    Node node(std::move(*checked), options.shards, std::move(*log), std::move(*spool));
    options.descriptors = &node.descriptors;
    core::Runtime runtime(options);
    const auto ran =
        runtime.run([&](core::Shard& shard) { return shard_main(&node, &shard, config_file); });
    node.events->close();
    if (!ran) return refuse(ran.error());
    if (node.failed()) return refuse(node.failure());
    core::log_info("stopped");
    return 0;
}

}  // namespace relay
