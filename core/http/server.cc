#include "core/http/server.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"

namespace core {

HttpServer::HttpServer(Shard& shard, HttpServerOptions options, Router router)
    : shard_(shard),
      options_(std::move(options)),
      router_(std::move(router)),
      tasks_(shard.reactor()),
      fewer_(shard.reactor()) {}

HttpServer::~HttpServer() = default;

IoResult<SocketAddress> HttpServer::open(const SocketAddress& address, Sharing sharing,
                                         ListeningSockets* sockets) {
    auto opened = listen_at(shard_, options_.knows, address, sharing, sockets);
    if (!opened) return std::unexpected(opened.error());
    const SocketAddress chosen = opened->front()->address();
    std::ranges::move(*opened, std::back_inserter(listeners_));
    return chosen;
}

std::vector<SocketAddress> HttpServer::addresses() const {
    std::vector<SocketAddress> all;
    for (const auto& listener : listeners_)
        all.push_back(listener->address());
    return all;
}

void HttpServer::start() {
    for (const auto& listener : listeners_) {
        ++accepting_;
        tasks_.spawn(accept_loop(listener.get()));
    }
}

Task<void> HttpServer::accept_loop(Listener* listener) {
    while (true) {
        std::unique_ptr<TcpStream> stream = co_await listener->accept();
        if (stream == nullptr) break;
        const HttpEntry entry = stream->excess() ? HttpEntry::refused : admit(stream->peer());
        if (entry == HttpEntry::refused) {
            tasks_.spawn(turn_away(std::move(stream)));
        } else {
            tasks_.spawn(serve(std::move(stream), entry));
        }
    }
    --accepting_;
    fewer_.notify_all();
}

HttpEntry HttpServer::admit(const SocketAddress& peer) {
    if (!options_.enter) {
        return connections_ < options_.max_connections ? HttpEntry::client : HttpEntry::refused;
    }
    HttpEntry entry = options_.enter(peer, false);
    if (entry != HttpEntry::crowded) return entry;
    if (stranger_connections_ < kOwnStrangers) return options_.enter(peer, true);
    if (strangers_.empty()) return HttpEntry::refused;
    HttpSession& oldest = strangers_.pop_front();
    replaced_.push_back(oldest);
    oldest.abort();
    entry = options_.enter(peer, true);
    PH_ASSERT(entry != HttpEntry::crowded);
    return entry;
}

Task<void> HttpServer::serve(std::unique_ptr<ByteStream> stream, HttpEntry entry) {
    ++connections_;  // counted before the task starts: a burst is accepted within one turn
    ++shared_.stats.connections;
    if (entry == HttpEntry::stranger) ++stranger_connections_;
    return run_session(std::move(stream), entry);
}

Task<void> HttpServer::run_session(std::unique_ptr<ByteStream> stream, HttpEntry entry) {
    {
        const bool stranger = entry == HttpEntry::stranger;
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
    if (entry == HttpEntry::stranger) --stranger_connections_;
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

Task<void> HttpServer::stop_accepting() {
    for (const auto& listener : listeners_)
        listener->stop();
    while (accepting_ > 0)
        co_await fewer_.wait();
}

Task<void> HttpServer::leave_to_others(Instant limit) {
    shared_.phase = HttpPhase::leaving;
    co_await stop_accepting();
    while (connections_ > 0 && shard_.now() < limit)
        co_await fewer_.wait(limit);
}

Task<void> HttpServer::close() {
    shared_.phase = HttpPhase::draining;
    co_await stop_accepting();
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
    for (const auto& listener : listeners_)
        co_await listener->close();
}

}  // namespace core
