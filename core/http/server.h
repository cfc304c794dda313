// HttpServer: accepts HTTP/1.1 connections of one listener on one shard and runs a session on each
// (core/http/session.h has the limits of a conversation). Owned by the composition root; lives on
// its shard and must be closed before it dies.
//
//   HttpServer server(shard, options, std::move(router));
//   auto opened = server.open(address);   // once per address, before start()
//   server.start();                       // returns at once; serves until close()
//   co_await server.close();              // stops accepting, ends idle connections, lets requests
//                                         // under way finish for drain_timeout, then cuts them off
//
// Who may connect is asked of options.enter; without it max_connections per shard decide. A
// stranger who finds the strangers' places taken gets the one of the stranger who has been here for
// longest: a probe is answered whatever others hold open. Limits: what is not let in gets 503 and
// close; of these refusals at most kMaxRefusals at a time, then the connection is closed without a
// word. Strangers have limits of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/address.h"
#include "core/http/router.h"
#include "core/http/session.h"
#include "core/io/shard.h"
#include "core/net/entry.h"
#include "core/net/listener_set.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"

namespace core {

struct HttpServerOptions {
    std::size_t max_connections = 10'000;
    // Limits that reach further than this shard, and counters: asked once a connection; client and
    // stranger (with stranger_limits) are followed by leave() when it ends. With replacing, the
    // place of a stranger is being freed, so crowded is no answer. Empty: max_connections alone
    // decides.
    std::function<Entry(const SocketAddress& peer, bool replacing)> enter;
    std::function<void(const SocketAddress& peer)> leave;
    Listener::Knows knows;  // who is no stranger
    Duration drain_timeout = std::chrono::seconds{10};
    HttpLimits limits;
    HttpLimits stranger_limits = HttpLimits::for_strangers();
};

class HttpServer {
  public:
    static constexpr std::size_t kMaxRefusals = 256;
    // Strangers that a shard takes although those of other shards have all their places, so that a
    // probe finds one to replace.
    static constexpr std::size_t kOwnStrangers = 4;

    HttpServer(Shard& shard, HttpServerOptions options, Router router);
    ~HttpServer();

    IoResult<SocketAddress> open(const SocketAddress& address, Sharing sharing = Sharing::join,
                                 ListeningSockets* sockets = nullptr);
    std::vector<SocketAddress> addresses() const { return listeners_.addresses(); }
    void start();
    // Before close(), when others accept from these sockets from now on: no new connections; those
    // that are open have one more request until the limit.
    Task<void> leave_to_others(Instant limit);
    Task<void> close();

    std::size_t connections() const { return connections_; }
    const HttpStats& stats() const { return shared_.stats; }

  private:
    void accept(std::unique_ptr<TcpStream> stream);
    Entry admit(const SocketAddress& peer);
    Task<void> serve(std::unique_ptr<ByteStream> stream, Entry entry);
    Task<void> run_session(std::unique_ptr<ByteStream> stream, Entry entry);
    Task<void> turn_away(std::unique_ptr<ByteStream> stream);
    Task<void> refuse_politely(std::unique_ptr<ByteStream> stream, bool with_words);

    Shard& shard_;
    HttpServerOptions options_;
    Router router_;
    HttpSessions shared_;
    ListenerSet listeners_;
    TaskGroup tasks_;
    Event fewer_;  // notified whenever a session ends
    using Sessions = IntrusiveList<HttpSession, HttpSessionTag>;
    Sessions sessions_;
    Sessions strangers_;  // the oldest first
    Sessions replaced_;   // cut off, and ending
    std::size_t stranger_connections_ = 0;
    std::size_t connections_ = 0;
    std::size_t refusals_ = 0;
};

}  // namespace core
