// HttpRequest and HttpResponse: one exchange of HTTP/1.1 (RFC 9110, RFC 9112) as values.
// A request is built by RequestParser on the shard of its connection and moved into the handler of
// its route, which owns it from then on. A response is made by the handler and moved back.
// The body is complete when a handler sees it, and is never longer than the limit of its route. A
// route may take it piece by piece as it arrives instead: then `body` is empty and `received` is
// the HttpBodySink that got the pieces. Limits: RequestParser (fields, head) and Route::max_body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"

namespace core {

struct HttpField {
    std::string name;
    std::string value;
};

class HttpBodySink;

struct HttpRequest {
    std::string method;             // as sent; methods are case-sensitive
    std::string path;               // origin form, without the query, not percent-decoded
    std::string query;              // after the first '?', without it
    std::string authority;          // "host:port" of an absolute target, or the field Host
    int version = 11;               // 10 or 11
    std::vector<HttpField> fields;  // in the order sent; trailers are dropped
    std::string body;
    std::shared_ptr<HttpBodySink> received;       // instead of body, where the route wants it
    std::optional<std::uint64_t> content_length;  // as announced; none with chunked coding
    SocketAddress peer;                           // who is connected, whatever the fields claim
    SocketAddress local;

    // The value of the first field of this name (any case), or null.
    const std::string* field(std::string_view name) const;
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<HttpField> fields;  // further ones; no CR or LF in them (asserted)
    bool close = false;             // end the connection after this response
};

// Takes the body of one request as it arrives, in pieces of at most a receive buffer.
class HttpBodySink {
  public:
    virtual ~HttpBodySink() = default;
    // A response: the request is refused with it, and nothing more is given.
    virtual std::optional<HttpResponse> take(std::string_view octets) = 0;
};

// One entry of the contract's error document; field may be empty.
struct HttpProblem {
    std::string message;
    std::string field;
};

std::string_view reason_phrase(int status);
// {"errors":[{"message":…,"field":…}]}
HttpResponse error_response(int status, std::string_view message, std::string_view field = {});
HttpResponse error_response(int status, const std::vector<HttpProblem>& problems);
// One element of "errors".
void append_problem(std::string& json, const HttpProblem& problem);
HttpResponse text_response(int status, std::string body, std::string content_type);

// Appends status line, fields and the empty line. The connection's fate and the body's length are
// given by the session. A HEAD response announces a body that is not sent.
void append_response_head(std::string& out, const HttpResponse& response, bool keep_alive,
                          WallTime now);

// IMF-fixdate of RFC 9110 section 5.6.7, always GMT.
std::string http_date(WallTime time);

}  // namespace core
