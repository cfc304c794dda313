// HttpSourceSession: one keep-alive connection of http_source: claims messages from the plan and
// posts each, with all its recipients, to /api/inject/v1; one request at a time. A request whose
// answer is missing counts as unknown. After kMaxFailures broken connections in a row the session
// gives up. One shard; owned by the task that runs it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "bench/load/load_plan.h"
#include "bench/load/source_totals.h"
#include "core/io/shard.h"
#include "core/net/tcp_stream.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"

namespace bench {

struct HttpSourceOptions {
    core::SocketAddress target;
    std::string path = "/api/inject/v1";
    std::string authorization;  // value of that header; empty: none
    core::Duration timeout = std::chrono::minutes{1};
};

// The body's text as it stands inside a JSON string.
std::string json_escaped(std::string_view text);

class HttpSourceSession {
  public:
    static constexpr int kMaxFailures = 10;

    HttpSourceSession(core::Shard& shard, LoadPlan& plan, const HttpSourceOptions& options,
                      std::string_view escaped_body, SourceTotals& totals, core::Instant started);
    core::Task<void> run();

  private:
    struct Answer {
        unsigned status = 0;  // 0: the connection broke
        std::uint64_t accepted = 0;
        bool keep_alive = false;
    };
    core::Task<bool> connect();
    core::Task<Answer> post();
    core::Task<Answer> read_answer();
    void write_request();
    void note(const Answer& answer);

    core::Shard& shard_;
    LoadPlan& plan_;
    const HttpSourceOptions& options_;
    std::string_view escaped_body_;
    SourceTotals& totals_;
    core::Instant started_;
    core::Event never_;

    std::unique_ptr<core::TcpStream> stream_;
    Draft draft_;
    core::Instant begun_{};
    std::string front_;  // request head, and the JSON up to the body's text
    std::string json_front_;
    std::string json_back_;
    std::array<iovec, 3> parts_{};
};

}  // namespace bench
