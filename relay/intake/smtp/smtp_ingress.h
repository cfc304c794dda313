// SmtpIngress: one SMTP listener on one shard. It accepts connections on every address it was given
// and runs an SmtpSession for each in its own TaskGroup; messages go through Acceptance and nowhere
// else. Only clients in the networks of `allow` may relay (an empty list: nobody); others are told
// 550 5.7.1 at RCPT. Use: open() each address, spawn run(), at the end await drain_and_close().
// Limits: max_connections over all shards that share the Admission, then 421 4.7.0; Admission's for
// strangers; kMaxRefusals such replies at a time, then closed without a word; drain_limit for
// sessions in the middle of something when the listener drains.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/address.h"
#include "core/io/shard.h"
#include "core/net/listener_set.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "relay/intake/admission.h"
#include "relay/intake/smtp/smtp_session.h"

namespace relay {

struct SmtpListenerOptions {
    IntakePolicy policy;
    std::size_t max_connections = 10000;
    BareEndings line_endings = BareEndings::reject;
    bool durable = true;  // durability "commit"; otherwise 250 says that it means memory
    core::Duration drain_limit = std::chrono::seconds(10);
    SmtpTimes times;
    // Shared by the shards of one listener; made from allow and max_connections when null.
    std::shared_ptr<Admission> admission;
};

class SmtpIngress {
  public:
    static constexpr std::size_t kMaxRefusals = 256;

    SmtpIngress(core::Shard& shard, SmtpListenerOptions options, Acceptance& acceptance,
                metrics::ShardMetrics& metrics, EventWriter& events);
    ~SmtpIngress();

    // Listens; answers the address with the port that was chosen for port 0.
    core::IoResult<core::SocketAddress> open(const core::SocketAddress& address,
                                             core::Sharing sharing = core::Sharing::join,
                                             core::ListeningSockets* sockets = nullptr);
    // Serves until drain_and_close() is done.
    core::Task<void> run();
    // No new connections; the next command of a client gets 421 4.3.2; content that is arriving may
    // be finished within drain_limit. Afterwards nothing of this listener is left.
    core::Task<void> drain_and_close();
    // Before that, when others accept from these sockets from now on: no new connections, and the
    // sessions go on until they end or the limit is over.
    core::Task<void> leave_to_others(core::Instant limit);

    std::size_t sessions() const { return open_sessions_; }

  private:
    void accept(std::unique_ptr<core::TcpStream> stream);
    core::Task<void> serve(std::unique_ptr<core::ByteStream> stream);
    core::Task<void> turn_away(std::unique_ptr<core::ByteStream> stream);
    core::Task<void> refuse_politely(std::unique_ptr<core::ByteStream> stream, bool with_words);
    std::string next_session_id();

    core::Shard& shard_;
    const SmtpListenerOptions options_;
    const ServerDialogueOptions dialogue_options_;
    const std::shared_ptr<Admission> admission_;
    core::ListenerSet listeners_;
    metrics::ShardMetrics& metrics_;
    Intake intake_;
    core::TaskGroup tasks_;
    core::IntrusiveList<SmtpSession, SmtpSessionTag> sessions_;
    SmtpSessionContext context_;
    std::size_t open_sessions_ = 0;
    std::size_t refusals_ = 0;  // under way
    bool draining_ = false;
    core::Event quiet_;   // the last session has ended
    core::Event closed_;  // drain_and_close() is done
};

}  // namespace relay
