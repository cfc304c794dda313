#include "bench/load/sink_session.h"

#include <utility>

namespace bench {
namespace {

// The engine's timers fire up to 1.05 ms late, never early: aim so that the error has no bias.
constexpr core::Duration kHalfTick{1 << 19};

}  // namespace

SinkSession::SinkSession(core::Shard& shard, SinkContext& context,
                         std::unique_ptr<core::TcpStream> stream, core::TlsContext* tls)
    : shard_(shard),
      context_(context),
      tls_(tls),
      tcp_(*stream),
      stream_(std::move(stream)),
      dialogue_(context, stream_->peer().ip.to_string()),
      aborted_(shard.reactor()),
      sender_(shard.reactor()),
      batch_added_(shard.reactor()),
      batch_sent_(shard.reactor()) {}

void SinkSession::abort() {
    broken_ = true;
    aborted_.set();
    batch_added_.notify_all();
    batch_sent_.notify_all();
    stream_->abort();
}

void SinkSession::refresh_deadline() {
    const core::Instant wanted = shard_.now() + context_.options.idle_timeout;
    if (wanted - deadline_ < std::chrono::seconds{1}) return;
    deadline_ = wanted;
    stream_->set_deadline(wanted);
}

core::Task<void> SinkSession::sleep(core::Duration duration) {
    co_await aborted_.wait(shard_.now() + duration);
}

core::Task<void> SinkSession::refuse() {
    refresh_deadline();
    co_await stream_->write("421 4.7.0 Too many connections\r\n");
    co_await stream_->close();
}

core::Task<void> SinkSession::run() {
    if (context_.options.rtt.count() > 0) sender_.spawn(send_delayed());
    co_await converse();
    no_more_batches_ = true;
    batch_added_.notify_all();
    co_await sender_.close();
    co_await stream_->close();
}

core::Task<void> SinkSession::converse() {
    refresh_deadline();
    if (context_.options.tls_implicit && !co_await secure()) co_return;
    dialogue_.greet(shard_.now());
    if (dialogue_.pause() && !co_await carry_out()) co_return;
    if (!co_await flush()) co_return;
    const core::WallTime started = shard_.wall();
    const core::Instant origin = shard_.now();
    for (;;) {
        auto input = co_await stream_->read();
        if (!input || input->empty()) break;
        context_.counters.reads.add();
        const std::string_view piece = *input;
        for (std::size_t used = 0; used < piece.size();) {
            const core::Instant now = shard_.now();
            used += dialogue_.feed(piece.substr(used), now, started + (now - origin));
            if (dialogue_.pause() && !co_await carry_out()) co_return;
            if (dialogue_.wants_tls()) break;
        }
        stream_->consume(piece.size());
        if (dialogue_.wants_tls()) {
            if (!co_await flush() || !co_await secure()) co_return;
            continue;
        }
        if (stream_->has_input()) continue;
        dialogue_.group_ended();
        refresh_deadline();
        if (!dialogue_.out().empty() && !co_await flush()) co_return;
    }
}

core::Task<bool> SinkSession::secure() {
    auto wrapped = std::make_unique<core::TlsStream>(shard_.reactor(), std::move(stream_),
                                                     std::make_unique<core::TlsEngine>(*tls_));
    core::TlsStream& secured = *wrapped;
    stream_ = std::move(wrapped);
    if (!co_await secured.handshake()) {
        context_.counters.tls_failed.add();
        co_return false;
    }
    context_.counters.tls_sessions.add();
    if (secured.engine().resumed()) context_.counters.tls_resumed.add();
    dialogue_.secured();
    co_return true;
}

core::Task<bool> SinkSession::flush() {
    if (broken_) co_return false;
    if (dialogue_.out().empty()) co_return true;
    context_.counters.writes.add();
    sending_.clear();
    std::swap(sending_, dialogue_.out());
    if (context_.options.rtt.count() > 0) {
        delayed_.push_back(
            {shard_.now() + context_.options.rtt - kHalfTick, std::exchange(sending_, {})});
        batch_added_.notify_all();
        while (delayed_.size() >= kMaxDelayed && !broken_)
            co_await batch_sent_.wait();
        co_return !broken_;
    }
    const auto sent = co_await stream_->write(sending_);
    co_return sent.has_value();
}

core::Task<void> SinkSession::send_delayed() {
    std::string batch;
    for (;;) {
        while (delayed_.empty() && !no_more_batches_ && !broken_)
            co_await batch_added_.wait();
        if (delayed_.empty() || broken_) break;
        if (delayed_.front().due > shard_.now()) {
            co_await aborted_.wait(delayed_.front().due);
            continue;
        }
        batch.clear();
        while (!delayed_.empty() && delayed_.front().due <= shard_.now()) {
            batch += delayed_.front().replies;
            delayed_.pop_front();
        }
        const auto sent = co_await stream_->write(batch);
        if (!sent) broken_ = true;
        batch_sent_.notify_all();
    }
    batch_sent_.notify_all();
}

core::Task<bool> SinkSession::carry_out() {
    const SinkDialogue::Pause pause = *dialogue_.pause();
    if (!co_await flush()) co_return false;
    if (pause.delay.count() > 0) co_await sleep(pause.delay);
    dialogue_.resume();
    if (pause.ending == Ending::none) co_return !broken_;
    if (pause.ending == Ending::stall) {
        co_await ignore_peer();
    } else if (pause.ending == Ending::reset) {
        tcp_.reset_on_close();
    }
    co_await flush();
    co_return false;
}

// Silence until the peer gives up or the idle time is over.
core::Task<void> SinkSession::ignore_peer() {
    for (;;) {
        auto input = co_await stream_->read();
        if (!input || input->empty()) break;
        stream_->consume(input->size());
    }
}

}  // namespace bench
