#include "core/http/session.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/http/message.h"
#include "tests/unit/core/net/scripted_stream.h"

namespace {

using core::HttpRequest;
using core::HttpResponse;
using core::test::ScriptedStream;
using core::test::TestLoop;
using std::chrono::seconds;
using std::string_literals::operator""s;

core::Task<HttpResponse> echo(HttpRequest request) {
    std::string text =
        request.method + " " + request.path + "?" + request.query + " [" + request.body + "]";
    co_return core::text_response(200, std::move(text), "text/plain");
}

core::Task<void> converse(core::HttpSession* session) {
    co_await session->run();
}

class HttpSession : public ::testing::Test {
  protected:
    HttpSession() {
        router_.add(
            {.method = "POST", .path = "/echo", .max_body = 1000, .handler = echo, .gate = {}});
        router_.add({.method = "GET", .path = "/echo", .max_body = 0, .handler = echo, .gate = {}});
        router_.add({.method = "POST",
                     .path = "/closed",
                     .max_body = 1000,
                     .handler = echo,
                     .gate = [](const HttpRequest&) {
                         return std::optional(core::error_response(403, "not you"));
                     }});
    }

    // What the session answers to these pieces of input.
    std::string answer(std::vector<std::string> pieces) {
        for (std::string& piece : pieces)
            stream_.say(std::move(piece));
        play();
        return stream_.heard();
    }
    // The same from the beginning of time, on another connection.
    std::string answer_anew(std::vector<std::string> pieces) {
        TestLoop loop;
        ScriptedStream stream(loop.reactor());
        for (std::string& piece : pieces)
            stream.say(std::move(piece));
        core::HttpSession session(stream, router_, limits_, shared_, loop.reactor());
        loop.run(converse(&session));
        return stream.heard();
    }
    void play() {
        core::HttpSession session(stream_, router_, limits_, shared_, loop_.reactor());
        loop_.run(converse(&session));
    }

    static std::size_t count(const std::string& text, std::string_view what) {
        std::size_t found = 0;
        for (std::size_t at = text.find(what); at != std::string::npos;
             at = text.find(what, at + what.size())) {
            ++found;
        }
        return found;
    }
    static bool has(const std::string& text, std::string_view what) {
        return count(text, what) > 0;
    }

    TestLoop loop_;
    core::Router router_;
    core::HttpLimits limits_;
    core::HttpSessions shared_;
    ScriptedStream stream_{loop_.reactor()};
};

TEST_F(HttpSession, answers_with_body_and_fields) {
    const std::string text =
        answer({"POST /echo?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"});
    EXPECT_EQ(text,
              "HTTP/1.1 200 OK\r\nDate: Tue, 14 Jul 2026 03:33:20 GMT\r\nServer: posthaste\r\n"
              "Content-Type: text/plain\r\nContent-Length: 22\r\nConnection: keep-alive\r\n\r\n"
              "POST /echo?a=b [hello]");
    EXPECT_EQ(shared_.body_memory, 0U);
}

TEST_F(HttpSession, keeps_the_connection_and_the_order_of_pipelined_requests) {
    const std::string one = "GET /echo?1 HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string two =
        "POST /echo?2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
    const std::string three = "POST /echo?3 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxy";
    const std::string text = answer({one + two + three + one});
    EXPECT_EQ(count(text, "HTTP/1.1 200 OK"), 4U);
    EXPECT_LT(text.find("GET /echo?1 []"), text.find("POST /echo?2 [abcde]"));
    EXPECT_LT(text.find("POST /echo?2 [abcde]"), text.find("POST /echo?3 [xy]"));
    EXPECT_EQ(shared_.stats.requests, 4U);
}

TEST_F(HttpSession, a_reply_to_head_has_the_length_and_no_body) {
    const std::string text = answer({"HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n"});
    EXPECT_TRUE(has(text, "Content-Length: 14\r\n"));
    EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST_F(HttpSession, closes_when_asked) {
    const std::string close = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const std::string text = answer({close + close});
    EXPECT_EQ(count(text, "200 OK"), 1U);
    EXPECT_TRUE(has(text, "Connection: close\r\n"));
}

TEST_F(HttpSession, an_old_version_closes_unless_it_asks_to_keep_alive) {
    EXPECT_TRUE(has(answer({"GET /echo HTTP/1.0\r\n\r\n"}), "Connection: close\r\n"));
}

TEST_F(HttpSession, an_old_version_may_keep_alive) {
    EXPECT_TRUE(has(answer({"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"}),
                    "Connection: keep-alive\r\n"));
}

TEST_F(HttpSession, empty_lines_before_a_request_are_skipped) {
    EXPECT_TRUE(has(answer({"\r\n", "\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n"}), "200 OK"));
}

TEST_F(HttpSession, an_absolute_target_is_understood) {
    EXPECT_TRUE(has(answer({"GET http://mta.example/echo?q HTTP/1.1\r\nHost: x\r\n\r\n"}),
                    "GET /echo?q []"));
}

TEST_F(HttpSession, an_unknown_path_or_method_is_answered_and_the_connection_kept) {
    const std::string text =
        answer({"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                "DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n"});
    EXPECT_TRUE(has(text, "404 Not Found"));
    EXPECT_TRUE(has(text, "405 Method Not Allowed"));
    EXPECT_TRUE(has(text, "Allow: POST, GET, HEAD\r\n"));
    EXPECT_TRUE(
        has(text, "{\"errors\":[{\"message\":\"there is nothing at this path\",\"field\":null}]}"));
    EXPECT_EQ(count(text, "keep-alive"), 2U);
}

TEST_F(HttpSession, a_gate_refuses_before_the_body_and_drops_it) {
    stream_.say(
        "POST /closed HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n");
    stream_.say(std::string(900, 'x'));
    play();
    EXPECT_TRUE(stream_.heard().starts_with("HTTP/1.1 403 Forbidden"));
    EXPECT_TRUE(has(stream_.heard(), "Connection: close"));
    EXPECT_EQ(stream_.unread(), 0U);
}

TEST_F(HttpSession, continue_is_sent_when_the_client_waits) {
    stream_.say(
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    stream_.say("ok", seconds{1});
    play();
    EXPECT_TRUE(stream_.heard().starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpSession, continue_is_not_sent_when_the_body_is_here) {
    EXPECT_TRUE(answer({"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                        "Content-Length: 2\r\n\r\nok"})
                    .starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpSession, an_unknown_expectation_is_refused) {
    EXPECT_TRUE(
        has(answer({"GET /echo HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n"}), "HTTP/1.1 417"));
}

TEST_F(HttpSession, a_body_over_the_limit_of_its_route_is_refused) {
    const std::string text = answer(
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", std::string(1001, 'x')});
    EXPECT_TRUE(text.starts_with("HTTP/1.1 413 "));
    EXPECT_EQ(stream_.unread(), 0U);
    EXPECT_EQ(count(text, "HTTP/1.1"), 1U);
}

TEST_F(HttpSession, a_chunked_body_over_the_limit_of_its_route_is_refused) {
    const std::string chunk = "1f4\r\n" + std::string(500, 'x') + "\r\n";
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_TRUE(answer({head, chunk, chunk, "1\r\nx\r\n0\r\n\r\n"}).starts_with("HTTP/1.1 413 "));
}

TEST_F(HttpSession, the_last_chunk_may_come_octet_by_octet) {
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_TRUE(answer({head, "0\r\n", "\r", "\n"}).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(answer({head, "0", "\r", "\n", "\r\n"}).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(
        answer({head, "1\r\nx", "\r", "\n0", "\r", "\n", "\r", "\n"}).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(answer({head, "0\r\nA: b", "\r", "\n", "\r", "\n"}).starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpSession, a_chunk_size_that_overflows_is_refused) {
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_TRUE(answer({head + "2\r\nab\r\nfffffffffffffffe\r\n"}).starts_with("HTTP/1.1 413 "));
}

TEST_F(HttpSession, a_chunk_header_that_never_ends_is_refused) {
    const std::string head =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x=";
    EXPECT_TRUE(answer({head, std::string(9000, 'a'), std::string(9000, 'a')})
                    .starts_with("HTTP/1.1 400 "));
}

// L8: where others see the end of a line, they see other chunks (RFC 9112 section 7.1.1).
TEST_F(HttpSession, control_characters_in_chunk_extensions_are_refused) {
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string& bad : {"\n"s, "\0"s, "\x7f"s, "\x01"s, "\x1b"s}) {
        EXPECT_TRUE(answer_anew({head + "1;x=\"a" + bad + "b\"\r\nz\r\n0\r\n\r\n"})
                        .starts_with("HTTP/1.1 400 "));
    }
    EXPECT_TRUE(answer_anew({head + "1;x=\"a\tb \xc3\xa9\"\r\nz\r\n0\r\n\r\n"})
                    .starts_with("HTTP/1.1 200 "));
}

// L1
TEST_F(HttpSession, the_guard_is_asked_first) {
    router_.set_guard([](const HttpRequest& head) -> std::optional<HttpResponse> {
        if (head.authority == "x") return std::nullopt;
        return core::error_response(421, "not us");
    });
    router_.add({.method = "GET",
                 .path = "/open",
                 .max_body = 0,
                 .handler = echo,
                 .gate = {},
                 .guarded = false});
    EXPECT_TRUE(
        answer_anew({"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"}).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(answer_anew({"GET /echo HTTP/1.1\r\nHost: y\r\n\r\n"})
                    .starts_with("HTTP/1.1 421 Misdirected Request\r\n"));
    EXPECT_TRUE(answer_anew({"GET http://y/echo HTTP/1.1\r\nHost: x\r\n\r\n"})
                    .starts_with("HTTP/1.1 421 "));
    EXPECT_TRUE(
        answer_anew({"GET /open HTTP/1.1\r\nHost: y\r\n\r\n"}).starts_with("HTTP/1.1 200 "));
}

class Counting final : public core::HttpBodySink {
  public:
    explicit Counting(std::size_t most) : most_(most) {}
    std::optional<HttpResponse> take(std::string_view octets) override {
        taken += octets.size();
        largest = std::max(largest, octets.size());
        if (taken > most_) return core::error_response(422, "enough");
        return std::nullopt;
    }
    std::size_t taken = 0;
    std::size_t largest = 0;

  private:
    std::size_t most_;
};

core::Task<HttpResponse> told(HttpRequest request) {
    EXPECT_TRUE(request.body.empty());
    const auto& sink = static_cast<const Counting&>(*request.received);
    co_return core::text_response(200, std::to_string(sink.taken), "text/plain");
}

// M4: nothing is kept that the route does not keep, and a refusal does not wait for the end.
TEST_F(HttpSession, a_body_may_be_taken_as_it_arrives) {
    router_.add(
        {.method = "POST",
         .path = "/sink",
         .max_body = 1'000'000,
         .handler = told,
         .gate = {},
         .receiver = [](const HttpRequest&) { return std::make_shared<Counting>(500'000); }});
    const std::string head = "POST /sink HTTP/1.1\r\nHost: x\r\n";
    EXPECT_TRUE(
        answer_anew({head + "Content-Length: 7\r\n\r\nabc", "defg"}).ends_with("\r\n\r\n7"));
    EXPECT_TRUE(answer_anew({head + "Content-Length: 0\r\n\r\n"}).ends_with("\r\n\r\n0"));
    EXPECT_TRUE(
        answer_anew({head + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"})
            .ends_with("\r\n\r\n3"));
    const std::string refused =
        answer_anew({head + "Content-Length: 900000\r\n\r\n", std::string(600'000, 'x')});
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 422 ")) << refused;
    EXPECT_TRUE(has(refused, "Connection: close"));
    EXPECT_TRUE(
        answer_anew({head + "Content-Length: 1000001\r\n\r\n"}).starts_with("HTTP/1.1 413 "));
    EXPECT_EQ(shared_.body_memory, 0U);
}

TEST_F(HttpSession, memory_for_bodies_is_limited) {
    limits_.max_body_memory = 600;
    shared_.body_memory = 200;  // somebody else's
    const std::string text = answer(
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", std::string(500, 'x')});
    EXPECT_TRUE(text.starts_with("HTTP/1.1 503 "));
    EXPECT_TRUE(has(text, "Retry-After: 5\r\n"));
    EXPECT_EQ(shared_.body_memory, 200U);
}

TEST_F(HttpSession, a_head_over_the_limit_is_refused) {
    stream_.say("GET /echo HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 70; ++i)
        stream_.say("X-Field-" + std::to_string(i) + ": " + std::string(1000, 'v') + "\r\n");
    play();
    EXPECT_TRUE(stream_.heard().starts_with("HTTP/1.1 431 "));
}

TEST_F(HttpSession, too_many_fields_are_refused) {
    std::string head = "GET /echo HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 200; ++i)
        head += "X: y\r\n";
    EXPECT_TRUE(answer({head + "\r\n"}).starts_with("HTTP/1.1 431 "));
}

// Where one side sees one request and another sees two (RFC 9112 section 11.2).
TEST_F(HttpSession, ambiguous_lengths_are_refused_and_nothing_after_them_is_read) {
    const std::vector<std::string> heads{
        "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "Host: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
        "Host: x\r\nContent-Length: 5, 5\r\n",
        "Host: x\r\nContent-Length: +5\r\n",
        "Host: x\r\nContent-Length: -5\r\n",
        "Host: x\r\nContent-Length: 99999999999999999999\r\n",
        "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n",
        "Host: x\r\nTransfer-Encoding: xchunked\r\n",
        "Host: x\r\nTransfer-Encoding : chunked\r\n",
        "Host: x\r\nContent-Length\r\n",
        "Host: x\r\n Content-Length: 5\r\nX y: z\r\n",
        "Host: x\r\nHost: y\r\n",
        "Content-Length: 0\r\n",
    };
    for (const std::string& fields : heads) {
        ScriptedStream stream(loop_.reactor());
        stream.say("POST /echo HTTP/1.1\r\n" + fields +
                   "\r\n0\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
        core::HttpSession session(stream, router_, limits_, shared_, loop_.reactor());
        loop_.run(converse(&session));
        EXPECT_EQ(count(stream.heard(), "HTTP/1.1 "), 1U) << fields;
        EXPECT_FALSE(has(stream.heard(), " 200 ")) << fields << stream.heard();
        EXPECT_TRUE(has(stream.heard(), "Connection: close")) << fields;
    }
}

TEST_F(HttpSession, other_versions_and_garbage_are_refused) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
        {"GET /echo HTTP/1.2\r\nHost: x\r\n\r\n", "505"},
        {"GET /echo\r\n\r\n", "400"},
        {"GET echo HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        {"G\x01T /echo HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
        {"\x16\x03\x01\x02 tls?\r\n\r\n", "400"},
        {"GET /echo HTTP/1.1\nHost: x\r\n\r\n", "400"},
        {"GET /echo HTTP/1.1\r\nHost: x\0y\r\n\r\n"s, "400"},
        {"EHLO me\r\nMAIL FROM:<>\r\n\r\n", "400"},
    };
    for (const auto& [input, status] : cases) {
        ScriptedStream stream(loop_.reactor());
        stream.say(input);
        core::HttpSession session(stream, router_, limits_, shared_, loop_.reactor());
        loop_.run(converse(&session));
        EXPECT_TRUE(stream.heard().starts_with("HTTP/1.1 " + status)) << input << stream.heard();
    }
}

TEST_F(HttpSession, a_silent_connection_is_closed_without_a_word) {
    stream_.stay_silent();
    play();
    EXPECT_EQ(stream_.heard(), "");
    EXPECT_GE(loop_.elapsed(), limits_.idle_timeout);
    EXPECT_LT(loop_.elapsed(), limits_.idle_timeout + seconds{1});
}

TEST_F(HttpSession, a_head_that_drips_is_cut_off) {
    for (const char c : std::string("GET /echo HTTP/1.1\r\nHost: x\r\n")) {
        stream_.say(std::string(1, c), seconds{1});
    }
    stream_.stay_silent();
    play();
    EXPECT_TRUE(stream_.heard().starts_with("HTTP/1.1 408 "));
    EXPECT_LT(loop_.elapsed(),
              seconds{1} + limits_.head_timeout + limits_.linger_time + seconds{1});
    EXPECT_EQ(shared_.stats.timeouts, 1U);
}

TEST_F(HttpSession, a_body_that_drips_is_cut_off) {
    stream_.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 900; ++i)
        stream_.say("x", seconds{1});
    play();
    EXPECT_TRUE(stream_.heard().starts_with("HTTP/1.1 408 "));
    EXPECT_LT(loop_.elapsed(), limits_.body_grace + limits_.linger_time + seconds{1});
}

TEST_F(HttpSession, a_body_at_the_least_rate_is_read) {
    router_.add(
        {.method = "PUT", .path = "/large", .max_body = 10'000'000, .handler = echo, .gate = {}});
    const std::string second(limits_.min_body_rate, 'x');
    stream_.say("PUT /large HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                std::to_string(second.size() * 100) + "\r\n\r\n");
    for (int i = 0; i < 100; ++i)
        stream_.say(second, seconds{1});
    play();
    EXPECT_TRUE(stream_.heard().starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpSession, requests_per_connection_are_limited) {
    limits_.max_requests = 2;
    const std::string one = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string text = answer({one + one + one});
    EXPECT_EQ(count(text, "200 OK"), 2U);
    EXPECT_EQ(count(text, "Connection: close"), 1U);
}

TEST_F(HttpSession, draining_ends_after_the_response) {
    shared_.phase = core::HttpPhase::draining;
    EXPECT_EQ(answer({"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"}), "");
}

TEST_F(HttpSession, leaving_answers_one_more_request_and_says_close) {
    shared_.phase = core::HttpPhase::leaving;
    const std::string one = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string text = answer({one + one});
    EXPECT_EQ(count(text, "200 OK"), 1U);
    EXPECT_EQ(count(text, "Connection: close"), 1U);
}

TEST_F(HttpSession, a_peer_that_is_gone_ends_the_session) {
    stream_.break_writes();
    EXPECT_EQ(
        answer({"GET /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n"}), "");
    EXPECT_EQ(shared_.stats.requests, 1U);
}

TEST_F(HttpSession, every_cut_of_the_input_gives_the_same_answer) {
    const std::string input =
        "POST /echo?2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
        "POST /echo?3 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxyGET /nothing "
        "HTTP/1.1\r\nHost: y\r\n\r\n";
    const std::string whole = answer({input});
    EXPECT_EQ(count(whole, "HTTP/1.1 "), 3U);
    for (std::size_t cut = 1; cut < input.size(); ++cut) {
        ASSERT_EQ(answer_anew({input.substr(0, cut), input.substr(cut)}), whole)
            << "cut at " << cut;
    }
    std::vector<std::string> drops;
    for (const char c : input)
        drops.emplace_back(1, c);
    EXPECT_EQ(answer_anew(std::move(drops)), whole);
}

TEST(HttpMessage, json_errors_escape_what_they_quote) {
    EXPECT_EQ(core::error_response(422, "a \"b\"\r\n\x01\xff\xc3\xa9", "f").body,
              "{\"errors\":[{\"message\":\"a "
              "\\\"b\\\"\\r\\n\\u0001\xef\xbf\xbd\xc3\xa9\",\"field\":\"f\"}]}\n");
}

TEST(HttpMessage, a_date_is_an_imf_fixdate) {  // the example of RFC 9110 section 5.6.7
    EXPECT_EQ(core::http_date(core::WallTime{seconds{784111777}}), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
