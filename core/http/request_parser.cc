#include "core/http/request_parser.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "core/base/ascii.h"
#include "core/base/assert.h"

namespace core {

namespace http = boost::beast::http;

namespace {

// What a body may take at once before its octets have come, whatever its length is said to be.
constexpr std::size_t kTrustedReserve = 64 * 1024;

// "0", CRLF, CRLF: no chunked body ends in less (RFC 9112 section 7.1), wherever it is looked at.
// Beast asserts that it has as much when it comes back to a last chunk.
constexpr std::size_t kShortestChunkedRest = 5;

// "http://host/path" (RFC 9112 section 3.2.2) to "/path"; the authority takes Host's place.
std::string_view without_authority(std::string_view target, std::string& authority) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!starts_with_ignoring_case(target, scheme)) continue;
        target.remove_prefix(scheme.size());
        const std::size_t end = std::min(target.find_first_of("/?"), target.size());
        authority = target.substr(0, end);
        return end == target.size() ? "/" : target.substr(end);
    }
    return target;
}

bool is_forbidden_in_text(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

bool names_another_version(std::string_view head) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    if (line.size() < 9) return false;
    const std::string_view version = line.substr(line.size() - 9);  // " HTTP/2.0"
    return version.starts_with(" HTTP/") && is_digit(version[6]) && version[7] == '.' &&
           is_digit(version[8]);
}

}  // namespace

class RequestParser::Beast final : public http::basic_parser<true> {
  public:
    Beast() {
        header_limit(std::numeric_limits<std::uint32_t>::max());  // the session has limited it
        body_limit(boost::none);                                  // see on_chunk_header_impl()
        eager(false);
    }

    HttpRequest request;
    std::optional<ParseFailure> failure;
    std::optional<HttpResponse> refusal;
    std::uint64_t body_octets = 0;
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
    bool expects_continue = false;

    void fail(int status, std::string sentence) {
        if (!failure) failure = ParseFailure{status, std::move(sentence)};
    }

  private:
    using Text = boost::beast::string_view;
    using Error = boost::beast::error_code;

    static std::string_view view(Text text) { return {text.data(), text.size()}; }

    void stop(Error& ec, int status, std::string sentence) {
        fail(status, std::move(sentence));
        ec = http::error::bad_value;
    }

    void on_request_impl(http::verb, Text method, Text raw_target, int version,
                         Error& ec) override {
        request.method = view(method);
        request.version = version;
        std::string_view target = without_authority(view(raw_target), request.authority);
        if (target.starts_with('?')) {
            request.path = "/";
        } else if (target.starts_with('/')) {
            request.path = target.substr(0, target.find('?'));
        } else if (target == "*" && request.method == "OPTIONS") {
            request.path = target;
        } else {
            return stop(ec, 400, "the request target is not a path");
        }
        if (const std::size_t mark = target.find('?'); mark != std::string_view::npos) {
            request.query = target.substr(mark + 1);
        }
    }

    void on_response_impl(int, Text, int, Error&) override { PH_ASSERT(false); }

    void on_field_impl(http::field, Text name, Text value, Error& ec) override {
        if (++fields_ > kMaxFields) return stop(ec, 431, "too many header fields");
        if (is_header_done()) return;  // a trailer
        request.fields.push_back({std::string(view(name)), std::string(view(value))});
    }

    void on_header_impl(Error& ec) override {
        std::size_t hosts = 0;
        std::size_t lengths = 0;
        std::size_t codings = 0;
        for (const HttpField& field : request.fields) {
            if (equals_ignoring_case(field.name, "Host")) {
                ++hosts;
                if (request.authority.empty()) request.authority = field.value;
            } else if (equals_ignoring_case(field.name, "Content-Length")) {
                ++lengths;
                if (!std::ranges::all_of(field.value, core::is_digit)) {
                    return stop(ec, 400, "Content-Length is not a number");
                }
            } else if (equals_ignoring_case(field.name, "Transfer-Encoding")) {
                ++codings;
                if (!equals_ignoring_case(field.value, "chunked")) {
                    return stop(ec, 501, "the only transfer coding understood is chunked");
                }
            } else if (equals_ignoring_case(field.name, "Expect")) {
                if (!equals_ignoring_case(field.value, "100-continue")) {
                    return stop(ec, 417, "the only expectation understood is 100-continue");
                }
                expects_continue = request.version == 11;
            }
        }
        if (hosts > 1 || (hosts == 0 && request.version == 11)) {
            return stop(ec, 400, "there must be exactly one Host field");  // RFC 9112 section 3.2
        }
        if (lengths > 1 || (codings > 0 && request.version == 10)) {
            return stop(ec, 400, "the length of the body is ambiguous");  // RFC 9112 section 6.3
        }
        if (const auto length = content_length()) {
            request.content_length = *length;
        }
    }

    void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}

    std::size_t on_body_impl(Text octets, Error& ec) override {
        take(view(octets), ec);
        return octets.size();
    }

    void take(std::string_view octets, Error& ec) {
        body_octets += octets.size();
        if (request.received == nullptr) {
            request.body += octets;
            return;
        }
        refusal = request.received->take(octets);
        if (refusal) ec = http::error::bad_value;
    }

    // Beast lets control characters pass in a quoted extension: where others see a line end there,
    // they see other chunks than we do (RFC 9112 section 7.1.1, RFC 9110 section 5.6.4).
    void on_chunk_header_impl(std::uint64_t size, Text extensions, Error& ec) override {
        if (std::ranges::any_of(view(extensions), is_forbidden_in_text)) {
            return stop(ec, 400, "a chunk extension has a control character");
        }
        if (size > limit - body_octets) stop(ec, 413, "the body is too large");
    }

    std::size_t on_chunk_body_impl(std::uint64_t, Text octets, Error& ec) override {
        take(view(octets), ec);
        return octets.size();
    }

    void on_finish_impl(Error&) override {}

    std::size_t fields_ = 0;
};

RequestParser::RequestParser() : beast_(std::make_unique<Beast>()) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

std::size_t RequestParser::head_end(std::string_view text, std::size_t from) {
    const std::size_t end = text.find("\r\n\r\n", from < 3 ? 0 : from - 3);
    return end == std::string_view::npos ? end : end + 4;
}

std::optional<ParseFailure> RequestParser::parse_head(std::string_view head) {
    Beast& beast = *beast_;
    boost::beast::error_code ec;
    std::size_t consumed = 0;
    while (!ec && consumed < head.size() && !beast.is_header_done()) {
        consumed += beast.put({head.data() + consumed, head.size() - consumed}, ec);
    }
    if (ec == http::error::bad_version && names_another_version(head)) {
        beast.fail(505, "the version of HTTP must be 1.0 or 1.1");
    } else if (ec || !beast.is_header_done() || consumed != head.size()) {
        beast.fail(400, "the request is malformed: " +
                            (ec ? ec.message() : std::string("it ends in the middle")));
    }
    return std::exchange(beast.failure, std::nullopt);
}

const HttpRequest& RequestParser::request() const {
    return beast_->request;
}
bool RequestParser::keep_alive() const {
    return beast_->keep_alive();
}
bool RequestParser::expects_continue() const {
    return beast_->expects_continue;
}
bool RequestParser::done() const {
    return beast_->is_done();
}
void RequestParser::set_body_limit(std::uint64_t octets) {
    beast_->limit = octets;
    HttpRequest& request = beast_->request;
    if (request.received != nullptr || !request.content_length) return;
    request.body.reserve(std::min<std::uint64_t>(*request.content_length, kTrustedReserve));
}
void RequestParser::set_sink(std::shared_ptr<HttpBodySink> sink) {
    beast_->request.received = std::move(sink);
}
void RequestParser::set_peer(const SocketAddress& peer, const SocketAddress& local) {
    beast_->request.peer = peer;
    beast_->request.local = local;
}
std::size_t RequestParser::body_size() const {
    return static_cast<std::size_t>(beast_->body_octets);
}

RequestParser::Progress RequestParser::put_body(std::string_view octets) {
    Beast& beast = *beast_;
    Progress progress;
    while (!beast.is_done() && progress.consumed < octets.size()) {
        boost::beast::error_code ec;
        const std::string_view rest = octets.substr(progress.consumed);
        if (beast.chunked() && rest.size() < kShortestChunkedRest) break;
        progress.consumed += beast.put({rest.data(), rest.size()}, ec);
        if (ec == http::error::need_more) {
            if (octets.size() - progress.consumed > kMaxChunkLine) {
                beast.fail(400, "the header of a chunk is too long");
            }
            break;
        }
        if (beast.refusal) break;
        if (ec) {
            beast.fail(400, "the body is malformed: " + ec.message());
            break;
        }
    }
    progress.failure = std::exchange(beast.failure, std::nullopt);
    progress.refusal = std::exchange(beast.refusal, std::nullopt);
    return progress;
}

HttpRequest RequestParser::take() {
    PH_ASSERT(done());
    return std::move(beast_->request);
}

}  // namespace core
