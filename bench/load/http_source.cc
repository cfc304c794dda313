// http_source: posts made-up mail to a relay's HTTP interface; see --help.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/load/http_source_session.h"
#include "bench/load/load_command_line.h"
#include "core/base/units.h"

namespace bench {
namespace {

constexpr const char* kDescription = R"(http_source: posts made-up mail to POST /api/inject/v1.

One request is one message with --recipients-per-message recipients (the batch). The messages are
those of smtp_source, so a sink's ledger can be read the same way. Prints one JSON object;
"messages" are requests. Exits 0 only if every recipient of every request was accepted.)";

core::Task<void> run_session(core::Shard* shard, LoadPlan* plan, const HttpSourceOptions* options,
                             const std::string* body, SourceTotals* totals, core::Instant started) {
    HttpSourceSession session(*shard, *plan, *options, *body, *totals, started);
    co_await session.run();
}

int run(int argc, char** argv) {
    CLI::App app{kDescription, "http_source"};
    LoadOptions load;
    load.recipients_per_message = 100;
    RunOptions run_options;
    HttpSourceOptions options;
    std::string target = "127.0.0.1:8025";
    std::string timeout = "1m";
    app.add_option("--to", target, "address:port")->capture_default_str();
    declare_load(app, load, run_options);
    app.add_option("--path", options.path)->capture_default_str();
    app.add_option("--authorization", options.authorization, "value of the Authorization header");
    app.add_option("--timeout", timeout, "of one request")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    const auto address = core::SocketAddress::parse(target);
    const auto limit = core::parse_duration(timeout);
    auto plan = LoadPlan::create(load);  // for its body, the same in every plan of these options
    if (!address || !limit || !plan) {
        fmt::print(stderr, "http_source: {}\n",
                   !address ? address.error()
                   : !limit ? limit.error()
                            : plan.error());
        return 2;
    }
    load = plan->options();
    options.target = *address;
    options.timeout = *limit;
    const std::string body = json_escaped(plan->body());
    return run_load("http_source", load, run_options,
                    [&options, &body](core::Shard& shard, LoadPlan& shared, SourceTotals& totals,
                                      core::Instant started) {
                        return run_session(&shard, &shared, &options, &body, &totals, started);
                    });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    return bench::run(argc, argv);
}
