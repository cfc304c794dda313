// SourceSession: one connection of smtp_source after another: claims messages from the plan and
// sends them in one of four ways. Replies match commands by count (RFC 2920 section 3.1).
//   lockstep  each command waits for its reply
//   group     MAIL RCPT... DATA in one write, then the content
//   next      content, final dot and the next message's MAIL RCPT... DATA in one write
//   bdat      MAIL RCPT... BDAT with the content in one write (RFC 3030)
// A message whose content was not sent when the connection broke is sent again on another; one
// whose final reply is missing counts as unknown and is never repeated. After kMaxFailures breaks
// without a message between them the session gives up. One shard; owned by the task that runs it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/load_plan.h"
#include "bench/load/source_totals.h"
#include "core/io/shard.h"
#include "core/net/tcp_stream.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"

namespace bench {

enum class SendMode : std::uint8_t { lockstep, group, next, bdat };

struct SourceOptions {
    core::SocketAddress target;
    std::string hostname = "source.example";
    SendMode mode = SendMode::lockstep;
    std::uint64_t messages_per_connection = 0;  // 0: no limit
    core::Duration timeout = std::chrono::minutes{1};
};

class SourceSession {
  public:
    static constexpr int kMaxFailures = 10;

    SourceSession(core::Shard& shard, LoadPlan& plan, const SourceOptions& options,
                  SourceTotals& totals, core::Instant started);
    core::Task<void> run();

  private:
    struct Current {
        Draft draft;
        core::Instant begun;
        bool envelope_sent;
    };

    core::Task<bool> connect();
    core::Task<void> disconnect(bool politely);
    core::Task<bool> send_one();  // false: the connection broke
    core::Task<bool> open_transaction();
    core::Task<bool> send_content();
    core::Task<bool> send_by_bdat();
    core::Task<bool> read_envelope_replies();
    core::Task<bool> command(std::string line);  // write it, read its reply into code_
    core::Task<int> reply();                     // 0: the connection broke
    bool claim_next();
    core::Task<void> await_turn();
    void append_envelope(std::string& group, const Draft& draft, bool with_data) const;
    void finish(int code);
    void broken(std::string reason);

    core::Shard& shard_;
    LoadPlan& plan_;
    const SourceOptions& options_;
    SourceTotals& totals_;
    core::Instant started_;
    core::Event never_;

    std::unique_ptr<core::TcpStream> stream_;
    std::string input_;
    std::size_t parsed_ = 0;
    int code_ = 0;
    std::uint64_t sent_here_ = 0;
    int failures_ = 0;

    std::optional<Current> current_;
    std::optional<Current> next_;  // its envelope may be under way with the current content
    bool dot_sent_ = false;
    bool needs_reset_ = false;
    std::uint64_t refused_recipients_ = 0;
    std::string group_;
    std::array<iovec, 4> parts_{};
};

}  // namespace bench
