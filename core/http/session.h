// HttpSession: the conversation on one connection: reads requests one after another (keep-alive and
// pipelining), calls the handler of each and writes the responses in order. Owned by the coroutine
// that runs it, on the shard of its stream, which must outlive it; the session does not close it.
//
// Limits and what happens at each: head 64 KiB → 431; body by route → 413; memory for all bodies of
// the server → 503; no whole head within head_timeout of its first octet → 408; body slower than
// min_body_rate after body_grace, or longer than body_timeout → 408; idle_timeout without a request
// → closed; max_requests per connection → the last response says close. Input that is there already
// is handled kOctetsPerTurn at a time, then the shard's other work gets its turn. A response that
// leaves part of a request unread is followed by reading and dropping (linger_*) so that the peer
// sees it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/intrusive_list.h"
#include "core/http/message.h"
#include "core/http/request_parser.h"
#include "core/http/router.h"
#include "core/net/byte_stream.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"

namespace core {

struct HttpLimits {
    static constexpr std::size_t kStrangerHead = 8 * 1024;
    std::size_t max_head = 64 * 1024;
    std::size_t max_body_memory = 256 * 1024 * 1024;  // all bodies being read or handled, per shard
    std::uint64_t max_requests = 100'000;             // per connection
    Duration idle_timeout = std::chrono::seconds{60};
    Duration head_timeout = std::chrono::seconds{10};
    Duration body_grace = std::chrono::seconds{20};
    Duration body_timeout = std::chrono::minutes{10};
    std::uint64_t min_body_rate = 16 * 1024;  // octets per second, once the grace is over
    Duration write_timeout = std::chrono::seconds{60};
    Duration linger_time = std::chrono::seconds{5};
    std::uint64_t linger_octets = 64 * 1024 * 1024;

    // For who may only ask whether we are well: what such a connection can hold is small.
    static HttpLimits for_strangers();
};

// Counted by the shard that serves; read by it alone, or through the metrics of the shard.
struct HttpStats {
    std::uint64_t connections = 0;
    std::uint64_t connections_refused = 0;  // over max_connections
    std::uint64_t requests = 0;             // heads read
    std::uint64_t responses[6] = {};        // by first digit of the status
    std::uint64_t timeouts = 0;             // 408
};

// leaving: a response says close, so that the client's next connection goes to whoever accepts by
// then. draining: and who has not begun a request is not waited for.
enum class HttpPhase : std::uint8_t { serving, leaving, draining };

// What the sessions of one server share.
struct HttpSessions {
    HttpPhase phase = HttpPhase::serving;
    std::size_t body_memory = 0;  // octets in bodies being read or handled
    HttpStats stats;
};

struct HttpSessionTag;

class HttpSession final : public ListLink<HttpSessionTag> {
  public:
    static constexpr std::size_t kOctetsPerTurn = 64 * 1024;

    HttpSession(ByteStream& stream, const Router& router, const HttpLimits& limits,
                HttpSessions& shared, Reactor& reactor);
    ~HttpSession();

    // Ends when the connection is over; then the stream is to be closed.
    Task<void> run();

    // Between requests: ending it now cuts off nobody.
    bool idle() const { return idle_; }
    void abort() { stream_.abort(); }

  private:
    enum class Next : std::uint8_t { go_on, end };

    Task<bool> read_head();
    Task<Next> answer_head();
    Task<Next> exchange(const HttpRoute* route);
    struct BodyEnd {  // why a body was not read to its end
        ParseFailure failure;
        std::optional<HttpResponse> refusal{};  // by the sink
    };
    Task<std::optional<BodyEnd>> read_body(std::size_t limit);
    std::optional<BodyEnd> take_body_octets(std::string_view input);
    void forget_request();
    Task<Next> respond(HttpResponse response, bool request_read);
    Task<Next> refuse(ParseFailure failure);
    Task<void> linger();
    Instant body_deadline(Instant start) const;
    void charge_body(std::size_t octets);

    ByteStream& stream_;
    const Router& router_;
    const HttpLimits& limits_;
    HttpSessions& shared_;
    Reactor& reactor_;

    RequestParser parser_;
    std::string pending_;  // a head or a chunk header that is not complete yet
    std::string out_;
    std::size_t charged_ = 0;
    std::size_t since_turn_ = 0;  // octets of bodies since others had their turn
    std::uint64_t requests_ = 0;
    bool idle_ = true;
    bool head_request_ = false;
    bool keep_alive_ = false;
};

}  // namespace core
