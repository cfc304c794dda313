#include "bench/load/load_command_line.h"

#include <algorithm>
#include <iostream>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/io/runtime.h"
#include "core/runtime/task_group.h"

namespace bench {
namespace {

struct Share {
    std::size_t sessions = 0;
    SourceTotals totals;
    core::Instant started{};
    core::Instant ended{};
};

core::Task<void> run_share(core::Shard* shard, LoadPlan* plan, Share* share,
                           const SessionMaker* session) {
    core::TaskGroup sessions(shard->reactor());
    share->started = shard->now();
    for (std::size_t i = 0; i < share->sessions; ++i) {
        sessions.spawn((*session)(*shard, *plan, share->totals, share->started));
    }
    co_await sessions.close();
    share->ended = shard->now();
}

}  // namespace

void declare_load(CLI::App& app, LoadOptions& load, RunOptions& run) {
    app.add_option("--sessions", run.sessions, "connections at once")->capture_default_str();
    app.add_option("--shards", run.shards, "threads")->capture_default_str();
    app.add_flag("--pin", run.pin, "one CPU per thread");
    app.add_option("--messages", load.messages)->capture_default_str();
    app.add_option("--size", load.size, "octets of a message")->capture_default_str();
    app.add_option("--recipients-per-message", load.recipients_per_message)->capture_default_str();
    app.add_option("--recipients", load.distinct_recipients, "distinct mailboxes in each domain")
        ->capture_default_str();
    app.add_option("--domains", load.domains, "distinct domains d0.SUFFIX, d1.SUFFIX, ...")
        ->capture_default_str();
    app.add_option("--domain-suffix", load.domain_suffix)->capture_default_str();
    app.add_option("--domain", load.weighted,
                   "name or name=weight, repeatable, instead of --domains");
    app.add_flag("--mixed-domains", load.mixed_domains,
                 "the recipients of a message in different domains, so each needs a transaction");
    app.add_option("--sender", load.sender)->capture_default_str();
    app.add_option("--run-id", load.run_id, "first part of X-Load-Id (default: from the time)");
    app.add_option("--dot-lines", load.dot_lines, "lines of each message that begin with a dot");
    app.add_option("--rate", load.rate, "messages per second; 0: as fast as it goes");
}

int run_load(std::string_view program, const LoadOptions& load, const RunOptions& run,
             const SessionMaker& session) {
    auto plan = LoadPlan::create(load);
    if (!plan || run.sessions == 0 || run.shards == 0) {
        fmt::print(stderr, "{}: {}\n", program,
                   plan ? "sessions and shards begin at 1" : plan.error());
        return 2;
    }
    const std::size_t shards = std::min(run.shards, run.sessions);
    std::vector<Share> shares(shards);
    for (std::size_t i = 0; i < run.sessions; ++i)
        ++shares[i % shards].sessions;
    core::Runtime runtime({.shards = shards,
                           .pin_threads = run.pin,
                           .receive_buffers = 1024,
                           .receive_buffer_size = 4096});
    auto ran = runtime.run([&](core::Shard& shard) {
        return run_share(&shard, &*plan, &shares[shard.id()], &session);
    });
    if (!ran) {
        fmt::print(stderr, "{}: {}\n", program, ran.error());
        return 1;
    }
    core::Instant started = core::kNever;
    core::Instant ended{};
    SourceTotals totals;
    for (const Share& share : shares) {
        totals.merge(share.totals);
        started = std::min(started, share.started);
        ended = std::max(ended, share.ended);
    }
    totals.unsent = load.messages - totals.accepted - totals.rejected - totals.unknown;
    const double seconds = static_cast<double>((ended - started).count()) / 1e9;
    std::cout << totals.to_json(load.messages, seconds) << std::endl;
    return totals.accepted == load.messages && totals.rejected_recipients == 0 ? 0 : 1;
}

}  // namespace bench
