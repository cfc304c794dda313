// smtp_source: sends made-up mail to an SMTP server; see --help.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/load/load_command_line.h"
#include "bench/load/source_session.h"
#include "core/base/units.h"

namespace bench {
namespace {

constexpr const char* kDescription =
    R"(smtp_source: sends made-up mail to an SMTP server as fast as it takes it.

Each message has a header X-Load-Id: RUN-NUMBER; smtp_sink's ledger names it, so that a run can be
accounted for to the last recipient. Prints one JSON object: messages, accepted, rejected, unknown
(connection lost before the final reply), seconds, rate, latency percentiles (from the first command
to the final reply). Exits 0 only if every recipient of every message was accepted.)";

core::Task<void> run_session(core::Shard* shard, LoadPlan* plan, const SourceOptions* options,
                             SourceTotals* totals, core::Instant started) {
    SourceSession session(*shard, *plan, *options, *totals, started);
    co_await session.run();
}

int run(int argc, char** argv) {
    CLI::App app{kDescription, "smtp_source"};
    LoadOptions load;
    RunOptions run_options;
    SourceOptions options;
    std::string target = "127.0.0.1:2525";
    std::string timeout = "1m";
    bool pipelined = false;
    bool next = false;
    bool bdat = false;
    app.add_option("--to", target, "address:port")->capture_default_str();
    declare_load(app, load, run_options);
    app.add_flag("--pipeline", pipelined, "MAIL, RCPT and DATA in one write (default: lock-step)");
    app.add_flag("--pipeline-next", next, "also after the content of the message before");
    app.add_flag("--bdat", bdat, "MAIL, RCPT and the content by BDAT in one write");
    app.add_option("--hostname", options.hostname)->capture_default_str();
    app.add_option("--messages-per-connection", options.messages_per_connection, "0: no limit");
    app.add_option("--timeout", timeout, "of one message")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    const auto address = core::SocketAddress::parse(target);
    const auto limit = core::parse_duration(timeout);
    if (!address || !limit) {
        fmt::print(stderr, "smtp_source: {}\n", address ? limit.error() : address.error());
        return 2;
    }
    options.target = *address;
    options.timeout = *limit;
    options.mode = bdat        ? SendMode::bdat
                   : next      ? SendMode::next
                   : pipelined ? SendMode::group
                               : SendMode::lockstep;
    return run_load("smtp_source", load, run_options,
                    [&options](core::Shard& shard, LoadPlan& plan, SourceTotals& totals,
                               core::Instant started) {
                        return run_session(&shard, &plan, &options, &totals, started);
                    });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    return bench::run(argc, argv);
}
