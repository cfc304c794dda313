// RequestParser: octets to one HttpRequest, by Boost.Beast's parser (RFC 9112), without I/O.
// Lives for one request inside its session. First parse_head() with the whole head (request line,
// fields, empty line: find it with head_end()), then put_body() with what follows until done().
// Stricter than Beast where request smuggling starts: one Host for HTTP/1.1, no transfer coding but
// "chunked", no Content-Length beside it or twice; trailers are checked and dropped.
// Limits: kMaxFields (431), the body limit (413), kMaxChunkLine (400).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/http/message.h"

namespace core {

struct ParseFailure {
    int status = 400;
    std::string sentence;
};

class RequestParser {
  public:
    static constexpr std::size_t kMaxFields = 128;
    static constexpr std::size_t kMaxChunkLine = 16384;  // chunk header, and all trailers

    RequestParser();
    ~RequestParser();
    RequestParser(RequestParser&&) noexcept;
    RequestParser& operator=(RequestParser&&) noexcept;

    // Length of the head that text begins with, searching from `from`; npos while incomplete.
    static std::size_t head_end(std::string_view text, std::size_t from);

    std::optional<ParseFailure> parse_head(std::string_view head);

    // After parse_head().
    const HttpRequest& request() const;
    bool keep_alive() const;
    bool expects_continue() const;
    bool done() const;  // the request is complete
    void set_body_limit(std::uint64_t octets);
    // The body goes to the sink, which outlives the parser's use, instead of request().body.
    void set_sink(std::shared_ptr<HttpBodySink> sink);
    void set_peer(const SocketAddress& peer, const SocketAddress& local);

    struct Progress {
        std::size_t consumed = 0;  // of what was offered; offer the rest again with more after it
        std::optional<ParseFailure> failure;
        std::optional<HttpResponse> refusal;  // by the sink
    };
    Progress put_body(std::string_view octets);

    std::size_t body_size() const;
    HttpRequest take();  // once done()

  private:
    class Beast;
    std::unique_ptr<Beast> beast_;
};

}  // namespace core
