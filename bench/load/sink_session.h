// SinkSession: one connection of smtp_sink: feeds the dialogue, sends its replies one batch per
// group of input, carries out delays and endings. With a simulated round trip each batch leaves
// options.rtt after the input that caused it, in order, by a second coroutine, so that reading goes
// on meanwhile. Owned by the task that runs it, on the shard that accepted the connection. abort()
// ends run() soon.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "bench/load/sink_dialogue.h"
#include "core/io/shard.h"
#include "core/net/tcp_stream.h"
#include "core/net/tls_stream.h"
#include "core/runtime/event.h"
#include "core/runtime/task.h"
#include "core/runtime/task_group.h"

namespace bench {

struct SinkSessionTag;

class SinkSession final : public core::ListLink<SinkSessionTag> {
  public:
    // tls null: STARTTLS is not offered.
    SinkSession(core::Shard& shard, SinkContext& context, std::unique_ptr<core::TcpStream> stream,
                core::TlsContext* tls = nullptr);

    core::Task<void> run();
    core::Task<void> refuse();  // 421, for a connection too many
    void abort();

  private:
    struct Batch {
        core::Instant due;
        std::string replies;
    };
    static constexpr std::size_t kMaxDelayed = 10'000;  // batches; then reading waits

    core::Task<void> converse();
    core::Task<bool> secure();
    core::Task<bool> flush();      // false: the connection is gone
    core::Task<bool> carry_out();  // the dialogue's pause; false: the end
    core::Task<void> ignore_peer();
    core::Task<void> sleep(core::Duration duration);
    core::Task<void> send_delayed();
    void refresh_deadline();

    core::Shard& shard_;
    SinkContext& context_;
    core::TlsContext* tls_;
    core::TcpStream& tcp_;
    std::unique_ptr<core::ByteStream> stream_;  // tcp_, later perhaps in TLS
    SinkDialogue dialogue_;
    std::string sending_;

    core::Event aborted_;
    core::TaskGroup sender_;
    core::Event batch_added_;
    core::Event batch_sent_;
    std::deque<Batch> delayed_;
    bool no_more_batches_ = false;
    bool broken_ = false;
    core::Instant deadline_{};
};

}  // namespace bench
