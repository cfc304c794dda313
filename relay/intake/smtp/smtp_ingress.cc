#include "relay/intake/smtp/smtp_ingress.h"

#include <utility>

#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::size_t kMaxLinger = 64 * 1024;  // octets of a client that is turned away

std::shared_ptr<Admission> admission_for(const SmtpListenerOptions& options) {
    if (options.admission != nullptr) return options.admission;
    return std::make_shared<Admission>(options.policy.allow, options.max_connections);
}

}  // namespace

SmtpIngress::SmtpIngress(core::Shard& shard, SmtpListenerOptions options, Acceptance& acceptance,
                         metrics::ShardMetrics& metrics, EventWriter& events)
    : shard_(shard),
      options_(std::move(options)),
      dialogue_options_{.hostname = options_.policy.hostname,
                        .max_message_size = options_.policy.max_message_size,
                        .max_recipients = options_.policy.max_recipients,
                        .bare_endings = options_.line_endings,
                        .seed = options_.policy.seed},
      admission_(admission_for(options_)),
      listeners_(shard, [this](const core::IpAddress& peer) { return admission_->allows(peer); }),
      metrics_(metrics),
      intake_(shard.reactor(), options_.policy, acceptance, metrics, events,
              metrics::Protocol::smtp),
      tasks_(shard.reactor()),
      context_{.intake = intake_,
               .dialogue = dialogue_options_,
               .times = options_.times,
               .durable = options_.durable},
      quiet_(shard.reactor()),
      closed_(shard.reactor()) {}

SmtpIngress::~SmtpIngress() {
    PH_ASSERT(sessions_.empty());
}

core::IoResult<core::SocketAddress> SmtpIngress::open(const core::SocketAddress& address,
                                                      core::Sharing sharing,
                                                      core::ListeningSockets* sockets) {
    return listeners_.open(address, sharing, sockets);
}

core::Task<void> SmtpIngress::run() {
    listeners_.start(
        [this](std::unique_ptr<core::TcpStream> stream) { accept(std::move(stream)); });
    co_await closed_.wait();
}

void SmtpIngress::accept(std::unique_ptr<core::TcpStream> stream) {
    const bool welcome =
        !draining_ && !stream->excess() && is_in(admission_->enter(stream->peer().ip));
    const bool spawned =
        tasks_.spawn(welcome ? serve(std::move(stream)) : turn_away(std::move(stream)));
    PH_ASSERT(spawned);  // the group closes after the listeners have stopped
}

core::Task<void> SmtpIngress::serve(std::unique_ptr<core::ByteStream> stream) {
    const core::IpAddress client = stream->peer().ip;
    metrics_.session_opened(metrics::Protocol::smtp);
    {
        SmtpSession session(context_, *stream, admission_->allows(client), next_session_id());
        sessions_.push_back(session);
        ++open_sessions_;
        if (draining_) session.drain();
        co_await session.run();
        core::IntrusiveList<SmtpSession, SmtpSessionTag>::remove(session);
    }
    metrics_.session_closed(metrics::Protocol::smtp);
    admission_->leave(client);
    if (--open_sessions_ == 0) quiet_.notify_all();
}

core::Task<void> SmtpIngress::turn_away(std::unique_ptr<core::ByteStream> stream) {
    intake_.refuse(draining_ ? metrics::Rejection::draining : metrics::Rejection::connections);
    if (!draining_)
        intake_.rejections().note_turned_away(stream->peer().ip, "no place: max_connections");
    ++refusals_;
    return refuse_politely(std::move(stream), refusals_ <= kMaxRefusals);
}

core::Task<void> SmtpIngress::refuse_politely(std::unique_ptr<core::ByteStream> stream,
                                              bool with_words) {
    const std::string_view reply = draining_ ? "421 4.3.2 Shutting down, try again\r\n"
                                             : "421 4.7.0 Too many connections, try later\r\n";
    if (with_words) {
        stream->set_deadline(shard_.now() + options_.times.linger);
        const auto written = co_await stream->write(reply);
        // Read what the client said meanwhile: unread input would reset the connection, and the
        // reply with it.
        std::size_t read = 0;
        for (bool open = written.has_value(); open && read < kMaxLinger;) {
            const auto input = co_await stream->read();
            open = input.has_value() && !input->empty();
            if (!open) break;
            read += input->size();
            stream->consume(input->size());
        }
    }
    co_await stream->close();
    --refusals_;
}

core::Task<void> SmtpIngress::leave_to_others(core::Instant limit) {
    co_await listeners_.stop();
    while (open_sessions_ > 0) {
        const bool quiet = co_await quiet_.wait(limit);
        if (!quiet) co_return;
    }
}

core::Task<void> SmtpIngress::drain_and_close() {
    PH_ASSERT(!draining_);
    draining_ = true;
    co_await listeners_.stop();
    sessions_.for_each([](SmtpSession& session) { session.drain(); });
    const core::Instant limit = shard_.now() + options_.drain_limit;
    while (open_sessions_ > 0) {
        const bool quiet = co_await quiet_.wait(limit);
        if (!quiet) break;
    }
    sessions_.for_each([](SmtpSession& session) { session.abort(); });
    co_await tasks_.close();
    intake_.close();
    co_await listeners_.close();
    closed_.set();
}

// Short enough to live inside a std::string, unique enough for a log.
std::string SmtpIngress::next_session_id() {
    constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    std::uint64_t value = shard_.prng().next();
    std::string id(12, '0');
    for (char& digit : id) {
        digit = kDigits[value & 31];
        value >>= 5;
    }
    return id;
}

}  // namespace relay
