// The command line that smtp_source and http_source share, and the run itself: shards, sessions,
// the summary as JSON on stdout, and the exit status (0 only if every recipient was accepted).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "bench/load/load_plan.h"
#include "bench/load/source_totals.h"
#include "core/base/result.h"
#include "core/io/shard.h"
#include "core/runtime/task.h"

namespace CLI {
class App;
}

namespace bench {

struct RunOptions {
    std::size_t sessions = 20;
    std::size_t shards = 1;
    bool pin = false;
};

void declare_load(CLI::App& app, LoadOptions& load, RunOptions& run);

// Runs the sessions that `session` makes, spread over the shards, until the plan is used up.
using SessionMaker =
    std::function<core::Task<void>(core::Shard&, LoadPlan&, SourceTotals&, core::Instant started)>;
int run_load(std::string_view program, const LoadOptions& load, const RunOptions& run,
             const SessionMaker& session);

}  // namespace bench
