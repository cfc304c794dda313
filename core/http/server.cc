#include "core/http/server.h"

#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"

namespace core {

HttpServer::HttpServer(Shard& shard, HttpServerOptions options, Router router)
    : shard_(shard),
      options_(std::move(options)),
      router_(std::move(router)),
      listeners_(shard, options_.knows),
      tasks_(shard.reactor()),
      fewer_(shard.reactor()) {}

HttpServer::~HttpServer() = default;

IoResult<SocketAddress> HttpServer::open(const SocketAddress& address, Sharing sharing,
                                         ListeningSockets* sockets) {
    return listeners_.open(address, sharing, sockets);
}

void HttpServer::start() {
    listeners_.start([this](std::unique_ptr<TcpStream> stream) { accept(std::move(stream)); });
}

void HttpServer::accept(std::unique_ptr<TcpStream> stream) {
    const Entry entry = stream->excess() ? Entry::full : admit(stream->peer());
    if (is_in(entry)) {
        tasks_.spawn(serve(std::move(stream), entry));
    } else {
        tasks_.spawn(turn_away(std::move(stream)));
    }
}

Entry HttpServer::admit(const SocketAddress& peer) {
    if (!options_.enter) {
        return connections_ < options_.max_connections ? Entry::client : Entry::full;
    }
    Entry entry = options_.enter(peer, false);
    if (entry != Entry::crowded) return entry;
    if (stranger_connections_ < kOwnStrangers) return options_.enter(peer, true);
    if (strangers_.empty()) return Entry::full;
    HttpSession& oldest = strangers_.pop_front();
    replaced_.push_back(oldest);
    oldest.abort();
    entry = options_.enter(peer, true);
    PH_ASSERT(entry != Entry::crowded);
    return entry;
}

Task<void> HttpServer::serve(std::unique_ptr<ByteStream> stream, Entry entry) {
    ++connections_;  // counted before the task starts: a burst is accepted within one turn
    ++shared_.stats.connections;
    if (entry == Entry::stranger) ++stranger_connections_;
    return run_session(std::move(stream), entry);
}

Task<void> HttpServer::run_session(std::unique_ptr<ByteStream> stream, Entry entry) {
    {
        const bool stranger = entry == Entry::stranger;
        HttpSession session(*stream, router_, stranger ? options_.stranger_limits : options_.limits,
                            shared_, shard_.reactor());
        (stranger ? strangers_ : sessions_).push_back(session);
        co_await session.run();
        session.unlink();
    }
    const SocketAddress peer = stream->peer();
    co_await stream->close();
    if (options_.leave) options_.leave(peer);
    --connections_;
    if (entry == Entry::stranger) --stranger_connections_;
    fewer_.notify_all();
}

Task<void> HttpServer::turn_away(std::unique_ptr<ByteStream> stream) {
    ++shared_.stats.connections_refused;
    ++refusals_;
    return refuse_politely(std::move(stream), refusals_ <= kMaxRefusals);
}

Task<void> HttpServer::refuse_politely(std::unique_ptr<ByteStream> stream, bool with_words) {
    if (with_words) {
        HttpResponse response = error_response(503, "too many connections");
        response.fields.push_back({"Retry-After", "5"});
        std::string out;
        append_response_head(out, response, false, shard_.wall());
        out += response.body;
        stream->set_deadline(shard_.now() + options_.limits.linger_time);
        const auto sent = co_await stream->write(out);
        // Reading what was sent keeps the reset of a close from overtaking the response.
        if (sent) {
            const auto input = co_await stream->read();
            if (input) stream->consume(input->size());
        }
    }
    co_await stream->close();
    --refusals_;
}

Task<void> HttpServer::leave_to_others(Instant limit) {
    shared_.phase = HttpPhase::leaving;
    co_await listeners_.stop();
    while (connections_ > 0 && shard_.now() < limit)
        co_await fewer_.wait(limit);
}

Task<void> HttpServer::close() {
    shared_.phase = HttpPhase::draining;
    co_await listeners_.stop();
    for (Sessions* sessions : {&sessions_, &strangers_}) {
        sessions->for_each([](HttpSession& session) {
            if (session.idle()) session.abort();
        });
    }
    const Instant deadline = shard_.now() + options_.drain_timeout;
    while (connections_ > 0 && shard_.now() < deadline)
        co_await fewer_.wait(deadline);
    if (connections_ > 0) {
        log_warning("http: {} connections are cut off, drain time is over", connections_);
        for (Sessions* sessions : {&sessions_, &strangers_})
            sessions->for_each([](HttpSession& session) { session.abort(); });
    }
    co_await tasks_.close();
    co_await listeners_.close();
}

}  // namespace core
