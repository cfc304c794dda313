#include "core/http/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/assert.h"
#include "core/runtime/next_turn.h"

namespace core {

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kOutgoingKept = 16 * 1024;  // of out_'s memory, between responses
constexpr std::size_t kHeadKept = 2 * 1024;       // of a head's memory, between requests

HttpResponse no_room() {
    HttpResponse response = error_response(503, "too many request bodies are being handled");
    response.fields.push_back({"Retry-After", "5"});
    return response;
}

}  // namespace

HttpLimits HttpLimits::for_strangers() {
    HttpLimits limits;
    limits.max_head = kStrangerHead;
    limits.write_timeout = std::chrono::seconds{10};
    limits.linger_time = std::chrono::seconds{1};
    limits.linger_octets = 1024 * 1024;
    return limits;
}

HttpSession::HttpSession(ByteStream& stream, const Router& router, const HttpLimits& limits,
                         HttpSessions& shared, Reactor& reactor)
    : stream_(stream), router_(router), limits_(limits), shared_(shared), reactor_(reactor) {}

HttpSession::~HttpSession() {
    charge_body(0);
}

Task<void> HttpSession::run() {
    while (true) {
        const bool complete = co_await read_head();
        if (!complete) break;
        if (co_await answer_head() == Next::end) break;
    }
}

// Reads into pending_ up to the end of a head, and not an octet further. False when the
// conversation is over; whatever there was to say has then been said.
Task<bool> HttpSession::read_head() {
    forget_request();
    idle_ = true;
    stream_.set_deadline(reactor_.now() + limits_.idle_timeout);
    while (true) {
        if (idle_ && shared_.phase == HttpPhase::draining) co_return false;
        auto input = co_await stream_.read();
        if (!input || input->empty()) {
            if (!input && input.error() == std::errc::timed_out && !idle_) {
                co_await refuse({408, "the request did not come in time"});
            }
            co_return false;
        }
        const std::string_view octets = *input;
        if (idle_) {  // empty lines before a request are skipped (RFC 9112 section 2.2)
            const std::size_t first = std::min(octets.find_first_not_of("\r\n"), octets.size());
            if (first > 0) {
                stream_.consume(first);
                continue;
            }
            idle_ = false;
            stream_.set_deadline(reactor_.now() + limits_.head_timeout);
        }
        const std::size_t before = pending_.size();
        pending_.append(octets.substr(0, limits_.max_head + 1 - before));
        const std::size_t end = RequestParser::head_end(pending_, before);
        if (end != std::string::npos && end <= limits_.max_head) {
            pending_.resize(end);
            stream_.consume(end - before);
            co_return true;
        }
        stream_.consume(pending_.size() - before);
        if (pending_.size() > limits_.max_head) {
            co_await refuse({431, "the header of the request is too large"});
            co_return false;
        }
    }
}

// What a request needed is given back before the next one is waited for.
void HttpSession::forget_request() {
    const bool large = pending_.capacity() > kHeadKept;
    if (large) std::string().swap(pending_);
    pending_.clear();
    if (requests_ > 0) parser_ = RequestParser();
}

Task<HttpSession::Next> HttpSession::answer_head() {
    ++shared_.stats.requests;
    ++requests_;
    head_request_ = false;
    keep_alive_ = false;
    if (auto failure = parser_.parse_head(pending_)) co_return co_await refuse(std::move(*failure));
    pending_.clear();
    if (pending_.capacity() > kHeadKept) std::string().swap(pending_);
    parser_.set_peer(stream_.peer(), stream_.local());

    const HttpRequest& head = parser_.request();
    head_request_ = head.method == "HEAD";
    keep_alive_ = parser_.keep_alive() && requests_ < limits_.max_requests;
    const HttpRoute* route = router_.find(head.method, head.path);
    if (auto refusal = router_.guard(route, head)) {
        co_return co_await respond(std::move(*refusal), parser_.done());
    }
    if (route == nullptr) {
        HttpResponse refusal = router_.refusal(head.method, head.path);
        co_return co_await respond(std::move(refusal), parser_.done());
    }
    co_return co_await exchange(route);
}

Task<HttpSession::Next> HttpSession::exchange(const HttpRoute* route) {
    if (route->gate) {
        std::optional<HttpResponse> refusal = route->gate(parser_.request());
        if (refusal) co_return co_await respond(std::move(*refusal), parser_.done());
    }
    if (route->receiver) parser_.set_sink(route->receiver(parser_.request()));
    if (!parser_.done()) {
        std::optional<BodyEnd> end = co_await read_body(route->max_body);
        if (end) parser_.set_sink(nullptr);  // what it holds is not needed while we linger
        if (end && end->refusal) co_return co_await respond(std::move(*end->refusal), false);
        if (end) co_return co_await refuse(std::move(end->failure));
    }
    stream_.set_deadline(kNever);
    HttpRequest request = parser_.take();
    HttpResponse response = co_await route->handler(std::move(request));
    co_return co_await respond(std::move(response), true);
}

// The whole body, or why not. A failure with status 0 means that the peer is gone.
Task<std::optional<HttpSession::BodyEnd>> HttpSession::read_body(std::size_t limit) {
    const std::uint64_t announced = parser_.request().content_length.value_or(0);
    const bool kept = parser_.request().received == nullptr;
    if (announced > limit) co_return BodyEnd{{413, "the body is too large"}};
    if (kept && announced > limits_.max_body_memory) co_return BodyEnd{{503, {}}};
    parser_.set_body_limit(limit);

    const Instant start = reactor_.now();
    stream_.set_deadline(body_deadline(start));
    if (parser_.expects_continue() && !stream_.has_input()) {
        const auto sent = co_await stream_.write(kContinue);
        if (!sent) co_return BodyEnd{{0, {}}};
    }
    std::size_t paced = 0;
    while (!parser_.done()) {
        auto input = co_await stream_.read();
        if (!input && input.error() == std::errc::timed_out) {
            co_return BodyEnd{{408, "the body did not come in time"}};
        }
        if (!input || input->empty()) co_return BodyEnd{{0, {}}};
        since_turn_ += input->size();
        if (auto end = take_body_octets(*input)) co_return end;
        if (since_turn_ >= kOctetsPerTurn) {
            since_turn_ = 0;
            co_await NextTurn{reactor_};
        }
        if (parser_.body_size() - paced >= limits_.min_body_rate) {
            paced = parser_.body_size();
            stream_.set_deadline(body_deadline(start));
        }
    }
    co_return std::nullopt;
}

std::optional<HttpSession::BodyEnd> HttpSession::take_body_octets(std::string_view input) {
    // Only a chunk header or the trailers can be left over from the input before: they are short.
    std::string_view offered = input;
    const std::size_t before = pending_.size();
    if (before > 0) {
        pending_.append(input);
        offered = pending_;
    }
    RequestParser::Progress progress = parser_.put_body(offered);
    if (progress.refusal) return BodyEnd{{}, std::move(progress.refusal)};
    if (progress.failure) return BodyEnd{std::move(*progress.failure)};
    if (parser_.done()) {
        PH_ASSERT(progress.consumed > before);
        stream_.consume(progress.consumed - before);
        pending_.clear();
    } else {
        if (before > 0) {
            pending_.erase(0, progress.consumed);
        } else {
            pending_.assign(offered.substr(progress.consumed));
        }
        stream_.consume(input.size());
    }
    if (parser_.request().received != nullptr) return std::nullopt;  // it counts by itself
    charge_body(parser_.body_size());
    if (shared_.body_memory > limits_.max_body_memory) return BodyEnd{{503, {}}};
    return std::nullopt;
}

// Refuses and ends: what follows in the stream cannot be told apart from the request any more.
Task<HttpSession::Next> HttpSession::refuse(ParseFailure failure) {
    if (failure.status == 0) co_return Next::end;
    if (failure.status == 408) ++shared_.stats.timeouts;
    keep_alive_ = false;
    HttpResponse response =
        failure.status == 503 ? no_room() : error_response(failure.status, failure.sentence);
    co_return co_await respond(std::move(response), false);
}

Task<HttpSession::Next> HttpSession::respond(HttpResponse response, bool request_read) {
    charge_body(response.body.size());
    const bool keep_alive =
        keep_alive_ && request_read && !response.close && shared_.phase == HttpPhase::serving;
    const int klass = response.status / 100;
    PH_ASSERT(klass >= 2 && klass <= 5);
    ++shared_.stats.responses[klass];

    out_.clear();
    append_response_head(out_, response, keep_alive, reactor_.wall());
    const bool body = !head_request_ && response.status != 204 && !response.body.empty();
    const std::array<iovec, 2> parts{as_iovec(out_), as_iovec(response.body)};
    const std::span<const iovec> all(parts.data(), body ? 2 : 1);
    stream_.set_deadline(reactor_.now() + limits_.write_timeout);
    const IoResult<void> sent = co_await stream_.write(all);
    if (out_.capacity() > kOutgoingKept) std::string().swap(out_);
    charge_body(0);
    if (!sent) co_return Next::end;
    if (keep_alive) co_return Next::go_on;
    if (!request_read) co_await linger();
    co_return Next::end;
}

// Closing with input unread resets the connection, and the reset may overtake the response
// (RFC 9112 section 9.6). So reads on for a while, and drops it.
Task<void> HttpSession::linger() {
    stream_.set_deadline(reactor_.now() + limits_.linger_time);
    std::uint64_t dropped = 0;
    while (dropped < limits_.linger_octets) {
        const auto input = co_await stream_.read();
        if (!input || input->empty()) break;
        dropped += input->size();
        stream_.consume(input->size());
    }
}

Instant HttpSession::body_deadline(Instant start) const {
    const std::uint64_t seconds = parser_.body_size() / limits_.min_body_rate;
    const Duration earned = std::chrono::seconds{static_cast<std::int64_t>(seconds)};
    return start + std::min<Duration>(limits_.body_grace + earned, limits_.body_timeout);
}

void HttpSession::charge_body(std::size_t octets) {
    shared_.body_memory += octets;
    shared_.body_memory -= charged_;
    charged_ = octets;
}

}  // namespace core
