#include "bench/load/http_source_session.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>
#include <simdjson.h>

#include "core/net/connector.h"

namespace bench {
namespace {

namespace http = boost::beast::http;

// "success_count" of the answer; 0 when it has none.
std::uint64_t success_count(const std::string& body) {
    simdjson::dom::parser parser;
    std::uint64_t count = 0;
    if (parser.parse(body)["success_count"].get(count) != simdjson::SUCCESS) return 0;
    return count;
}

}  // namespace

std::string json_escaped(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '\r') {
            escaped += "\\r";
        } else if (c == '\n') {
            escaped += "\\n";
        } else if (c == '"' || c == '\\') {
            escaped += '\\';
            escaped += c;
        } else {
            escaped += c;  // a plan's text has no other control characters
        }
    }
    return escaped;
}

HttpSourceSession::HttpSourceSession(core::Shard& shard, LoadPlan& plan,
                                     const HttpSourceOptions& options,
                                     std::string_view escaped_body, SourceTotals& totals,
                                     core::Instant started)
    : shard_(shard),
      plan_(plan),
      options_(options),
      escaped_body_(escaped_body),
      totals_(totals),
      started_(started),
      never_(shard.reactor()) {}

core::Task<void> HttpSourceSession::run() {
    std::optional<std::uint64_t> number;
    for (int failures = 0; failures < kMaxFailures;) {
        if (!number) number = plan_.claim();
        if (!number) break;
        if (!stream_ && !co_await connect()) {
            ++failures;
            co_await never_.wait(shard_.now() + std::chrono::milliseconds{100});
            continue;
        }
        const core::Instant due = started_ + plan_.offset(*number);
        if (due > shard_.now()) co_await never_.wait(due);
        begun_ = plan_.options().rate > 0 ? due : shard_.now();
        plan_.compose(*number, draft_);
        number.reset();
        const Answer answer = co_await post();
        note(answer);
        failures = answer.status == 0 ? failures + 1 : 0;
        if (answer.keep_alive) continue;
        co_await stream_->close();
        stream_.reset();
    }
    if (stream_) co_await stream_->close();
}

core::Task<bool> HttpSourceSession::connect() {
    auto connected = co_await core::connect(shard_, options_.target, std::nullopt,
                                            shard_.now() + options_.timeout);
    if (!connected) {
        ++totals_.errors["connect: " + connected.error().message()];
        co_return false;
    }
    stream_ = std::move(*connected);
    ++totals_.connections;
    co_return true;
}

void HttpSourceSession::write_request() {
    json_front_ = fmt::format("{{\"envelope_sender\":\"{}\",\"content\":\"{}",
                              plan_.options().sender, json_escaped(draft_.header));
    json_back_ = "\",\"recipients\":[";
    for (const auto& recipient : draft_.recipients) {
        if (&recipient != &draft_.recipients.front()) json_back_ += ',';
        json_back_ += "{\"email\":\"";
        json_back_ += recipient;
        json_back_ += "\"}";
    }
    json_back_ += "]}";
    const std::size_t length = json_front_.size() + escaped_body_.size() + json_back_.size();
    front_ = fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n",
                         options_.path, options_.target.to_string());
    if (!options_.authorization.empty()) {
        front_ += "Authorization: " + options_.authorization + "\r\n";
    }
    front_ += fmt::format("Content-Length: {}\r\n\r\n{}", length, json_front_);
    parts_ = {core::as_iovec(front_), core::as_iovec(escaped_body_), core::as_iovec(json_back_)};
}

core::Task<HttpSourceSession::Answer> HttpSourceSession::post() {
    stream_->set_deadline(shard_.now() + options_.timeout);
    write_request();
    const auto sent = co_await stream_->write(parts_);
    if (!sent) {
        ++totals_.errors["write: " + sent.error().message()];
        co_return Answer{};
    }
    co_return co_await read_answer();
}

core::Task<HttpSourceSession::Answer> HttpSourceSession::read_answer() {
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    std::string input;
    while (!parser.is_done()) {
        auto read = co_await stream_->read();
        if (!read || read->empty()) {
            ++totals_.errors["read: " + (read ? "closed by the peer" : read.error().message())];
            co_return Answer{};
        }
        input += *read;
        stream_->consume(read->size());
        boost::beast::error_code error;
        const std::size_t used = parser.put(boost::asio::buffer(input), error);
        input.erase(0, used);
        if (error && error != http::error::need_more) {
            ++totals_.errors["not HTTP: " + error.message()];
            co_return Answer{};
        }
    }
    Answer answer{.status = parser.get().result_int(), .keep_alive = parser.keep_alive()};
    if (answer.status == 200) answer.accepted = success_count(parser.get().body());
    co_return answer;
}

void HttpSourceSession::note(const Answer& answer) {
    if (answer.status == 0) {
        ++totals_.unknown;
    } else if (answer.status != 200 || answer.accepted == 0) {
        ++totals_.rejected;
        ++totals_.refusals[static_cast<int>(answer.status)];
    } else {
        ++totals_.accepted;
        totals_.accepted_recipients += answer.accepted;
        totals_.rejected_recipients += draft_.recipients.size() - answer.accepted;
        totals_.octets += draft_.header.size() + plan_.body().size();
        totals_.latency.add(shard_.now() - begun_);
    }
}

}  // namespace bench
