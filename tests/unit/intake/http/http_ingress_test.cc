#include "relay/intake/http/http_ingress.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/http/session.h"
#include "tests/unit/core/net/scripted_stream.h"

namespace {

using core::test::ScriptedStream;
using core::test::TestLoop;
using metrics::Protocol;
using metrics::Rejection;

// Keeps what is committed, or refuses.
class KeepingAcceptance final : public relay::Acceptance {
  public:
    std::optional<relay::Refusal> check(std::size_t octets) const override {
        if (octets > room) return relay::Refusal::memory_full;
        return refusal;
    }
    bool takes_no_mail(std::string_view domain) const override { return domain == "null.example"; }
    std::unique_ptr<relay::Message> begin() override {
        auto message = std::make_unique<relay::Message>();
        message->id = ids_.next(1'784'000'000'000);
        message->created = core::WallTime{std::chrono::seconds{1'784'000'000}};
        return message;
    }
    core::Task<std::expected<relay::MessageId, relay::Refusal>> commit(
        std::unique_ptr<relay::Message> message) override {
        if (commit_refusal && messages.size() >= takes_first)
            co_return std::unexpected(*commit_refusal);
        const relay::MessageId id = message->id;
        messages.push_back(std::move(message));
        co_return id;
    }

    std::size_t room = ~std::size_t{0};
    std::optional<relay::Refusal> refusal;
    std::optional<relay::Refusal> commit_refusal;
    std::size_t takes_first = 0;  // so many, and then refuses
    std::vector<std::unique_ptr<relay::Message>> messages;

  private:
    relay::MessageIdGenerator ids_{0, 7};
};

core::Task<void> converse(core::HttpSession* session) {
    co_await session->run();
}

class HttpIngress : public ::testing::Test {
  protected:
    HttpIngress() {
        options_.hostname = "mta1.example.com";
        options_.allow = {core::IpNetwork::parse("192.0.2.0/24").value()};
        options_.max_message_size = 100'000;
        options_.max_recipients = 1'000'000;
    }

    // The response to a request with this body; fields replaces the usual Content-Type.
    std::string post(const std::string& body,
                     const std::string& fields = "Content-Type: application/json\r\n") {
        return talk("POST /api/inject/v1 HTTP/1.1\r\nHost: x\r\n" + fields +
                    "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    std::string talk(const std::string& input) {
        TestLoop loop;
        ScriptedStream stream(loop.reactor());
        stream.set_peer(peer_);
        for (std::size_t at = 0; at < input.size(); at += 16384)
            stream.say(input.substr(at, 16384));
        relay::EventWriter events(events_, loop.reactor());
        relay::HttpIngress ingress(loop.reactor(), options_, acceptance_, metrics_, events);
        core::Router router;
        ingress.add_routes(router);
        core::HttpLimits limits;
        core::HttpSessions shared;
        core::HttpSession session(stream, router, limits, shared, loop.reactor());
        loop.run(converse(&session));
        ingress.close();
        events.close();
        turns_ = loop.reactor().stats().turns;
        return stream.heard();
    }
    static std::string request(const std::string& recipients,
                               const std::string& content = R"("Subject: x\n\nhello\n")",
                               const std::string& sender = R"("a@b.example")") {
        return "{\"envelope_sender\":" + sender + ",\"recipients\":" + recipients +
               ",\"content\":" + content + "}";
    }
    static bool has(const std::string& text, std::string_view what) {
        return text.find(what) != std::string::npos;
    }
    std::uint64_t rejected(Rejection why) {
        return metrics_.rejected_count(Protocol::http, why).value();
    }

    relay::IntakePolicy options_;
    KeepingAcceptance acceptance_;
    metrics::ShardMetrics metrics_;
    relay::MemoryEventSink events_;
    std::string peer_ = "192.0.2.7:4711";
    std::uint64_t turns_ = 0;  // of the loop
};

const std::string kOne = R"([{"email":"c@d.example"}])";

// The shorter of what the request and the listener say; schedules hold beside it.
TEST_F(HttpIngress, mail_may_expire_sooner) {
    const auto age_of_next = [this](const std::string& asked) {
        std::string body = request(kOne);
        if (!asked.empty()) body.insert(1, "\"max_age\":\"" + asked + "\",");
        post(body);
        const relay::Message& message = *acceptance_.messages.back();
        return message.expires() == core::WallTime{} ? core::Duration{}
                                                     : message.expires() - message.created;
    };
    EXPECT_EQ(age_of_next(""), core::Duration{});
    EXPECT_EQ(age_of_next("4h"), std::chrono::hours{4});
    options_.max_age = std::chrono::hours{6};
    EXPECT_EQ(age_of_next(""), std::chrono::hours{6});
    EXPECT_EQ(age_of_next("4h"), std::chrono::hours{4});
    EXPECT_EQ(age_of_next("8h"), std::chrono::hours{6});
    EXPECT_EQ(acceptance_.messages.size(), 5U);
}

TEST_F(HttpIngress, there_is_one_message_for_all_recipients) {
    const std::string text =
        post(request(R"([{"email":"c@d.example"},{"email":"\"e f\"@g.example"}])"));
    EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n")) << text;
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    const relay::Message& message = *acceptance_.messages[0];
    EXPECT_TRUE(
        text.ends_with("\r\n\r\n{\"success_count\":2,\"fail_count\":0,\"failed_recipients\":[],"
                       "\"errors\":[],\"ids\":[\"" +
                       message.id.to_string() + "\"]}\n"))
        << text;
    EXPECT_EQ(message.sender, "a@b.example");
    EXPECT_EQ(message.injection().protocol, "HTTP");
    EXPECT_EQ(message.injection().client_address, "192.0.2.7");
    ASSERT_EQ(message.recipients.size(), 2U);
    EXPECT_EQ(message.recipients[0]->address, "c@d.example");
    EXPECT_EQ(message.recipients[1]->address, "\"e f\"@g.example");
    EXPECT_EQ(message.recipients[1]->message, &message);
    const std::string content = message.content.to_string();
    EXPECT_TRUE(content.starts_with(
        "Received: from [192.0.2.7] ([192.0.2.7])\r\n\tby mta1.example.com with HTTP id " +
        message.id.to_string()))
        << content;
    EXPECT_FALSE(has(content, " for <"));
    EXPECT_TRUE(content.ends_with("\r\nSubject: x\r\n\r\nhello\r\n"));
}

TEST_F(HttpIngress, received_names_a_recipient_that_is_the_only_one) {
    post(request(kOne));
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    EXPECT_TRUE(has(acceptance_.messages[0]->content.to_string(), "for <c@d.example>"));
}

TEST_F(HttpIngress, a_null_sender_is_taken) {
    EXPECT_TRUE(has(post(request(kOne, R"("a: b\n\n")", R"("")")), " 200 OK"));
    EXPECT_TRUE(has(post(request(kOne, R"("a: b\n\n")", R"("<>")")), " 200 OK"));
    ASSERT_EQ(acceptance_.messages.size(), 2U);
    EXPECT_EQ(acceptance_.messages[0]->sender, "");
    EXPECT_EQ(acceptance_.messages[1]->sender, "");
}

TEST_F(HttpIngress, many_recipients_take_several_turns) {
    std::string list = "[";
    for (int i = 0; i < 5000; ++i) {
        if (i > 0) list += ',';
        list += "{\"email\":\"user" + std::to_string(i) + "@example.com\"}";
    }
    EXPECT_TRUE(has(post(request(list + "]")), "\"success_count\":5000,"));
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    EXPECT_EQ(acceptance_.messages[0]->recipients.size(), 5000U);
    EXPECT_EQ(acceptance_.messages[0]->recipients[4999]->address, "user4999@example.com");
}

std::string many(std::size_t recipients) {
    std::string list = "[";
    for (std::size_t i = 0; i < recipients; ++i) {
        if (i > 0) list += ',';
        list += "{\"email\":\"user" + std::to_string(i) + "@example.com\"}";
    }
    return list + "]";
}

// Decision 50.
TEST_F(HttpIngress, mail_for_very_many_is_several_messages_with_an_id_each) {
    options_.max_message_size = 10'000'000;
    const std::string text = post(request(many(45'000)));
    EXPECT_TRUE(has(text, "\"success_count\":45000,\"fail_count\":0,")) << text;
    ASSERT_EQ(acceptance_.messages.size(), 3U);
    std::string ids = "\"ids\":[";
    for (const auto& message : acceptance_.messages)
        ids += (ids.ends_with('[') ? "\"" : ",\"") + message->id.to_string() + "\"";
    EXPECT_TRUE(text.ends_with(ids + "]}\n")) << text;
    EXPECT_EQ(acceptance_.messages[1]->recipients[0]->address, "user20000@example.com");
}

TEST_F(HttpIngress, what_is_refused_after_some_was_committed_is_named) {
    options_.max_message_size = 10'000'000;
    acceptance_.commit_refusal = relay::Refusal::spool_full;
    acceptance_.takes_first = 1;
    const std::string text = post(request(many(45'000)));
    EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n")) << text.substr(0, 100);
    EXPECT_TRUE(has(text, "\"success_count\":20000,\"fail_count\":25000,"));
    EXPECT_TRUE(has(text, "[\"user20000@example.com\",\"user20001@example.com\","));
    EXPECT_TRUE(has(text, ",\"user44999@example.com\"],"));
    EXPECT_FALSE(has(text, "\"user19999@example.com\""));
    EXPECT_TRUE(has(text, "25000 recipients were not taken: there is no space on disk"));
    EXPECT_TRUE(has(text, "\"ids\":[\"" + acceptance_.messages[0]->id.to_string() + "\"]}"));
    EXPECT_EQ(rejected(Rejection::spool_full), 1U);
}

// L11: a body in chunks of one octet is read in pieces, each in a turn of its own.
TEST_F(HttpIngress, chunks_of_one_octet_come_in_pieces) {
    std::string lines;
    while (lines.size() < 90'000)
        lines += std::string(100, 'x') + "\\n";
    const std::string body = request(kOne, "\"Subject: x\\n\\n" + lines + "\"");
    std::string chunks;
    for (const char octet : body)
        chunks.append("1\r\n").append(1, octet).append("\r\n");
    const std::string heard = talk(
        "POST /api/inject/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n" +
        chunks + "0\r\n\r\n");
    EXPECT_TRUE(has(heard, " 200 OK")) << heard;
    EXPECT_GE(turns_, chunks.size() / core::HttpSession::kOctetsPerTurn);
}

TEST_F(HttpIngress, bad_recipients_are_named_and_the_others_taken) {
    const std::string text =
        post(request(R"([{"email":"c@d.example"},{"email":"no at"},{"email":"x@y"},)"
                     R"({"email":"a@b.example\r\nRCPT TO:<z@z.example>"}])"));
    EXPECT_TRUE(has(text, " 200 OK"));
    EXPECT_TRUE(
        has(text,
            "\"success_count\":1,\"fail_count\":3,\"failed_recipients\":[\"no at\",\"x@y\","
            "\"a@b.example\\r\\nRCPT TO:<z@z.example>\"],\"errors\":[{\"message\":\"no at: is "
            "not a mail address\",\"field\":\"recipients[1].email\"},"))
        << text;
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    EXPECT_EQ(acceptance_.messages[0]->recipients.size(), 1U);
    EXPECT_FALSE(has(acceptance_.messages[0]->content.to_string(), " for <"));
    EXPECT_EQ(events_.records(), 3U);
    EXPECT_TRUE(has(events_.lines(), "\"type\":\"Rejection\""));
    EXPECT_TRUE(has(events_.lines(), "\"recipient\":\"no at\""));
}

TEST_F(HttpIngress, a_domain_with_a_known_null_mx_is_named_and_the_others_taken) {
    const std::string text =
        post(request(R"([{"email":"a@null.example"},{"email":"c@d.example"}])"));
    EXPECT_TRUE(has(text,
                    "\"success_count\":1,\"fail_count\":1,\"failed_recipients\":"
                    "[\"a@null.example\"],\"errors\":[{\"message\":\"a@null.example: 556 5.1.10 "))
        << text;
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    EXPECT_EQ(acceptance_.messages[0]->recipients.size(), 1U);
    EXPECT_TRUE(has(events_.lines(), "\"recipient\":\"a@null.example\""));
}

TEST_F(HttpIngress, address_literals_are_taken_only_where_they_are_allowed) {
    const std::string literal = R"([{"email":"a@[192.0.2.1]"}])";
    const std::string refused = post(request(literal));
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 422 ")) << refused;
    EXPECT_TRUE(has(refused, "550 5.1.2 mail for address literals is not taken"));
    options_.address_literals = true;
    EXPECT_TRUE(has(post(request(literal)), " 200 OK"));
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    EXPECT_EQ(acceptance_.messages[0]->recipients[0]->address, "a@[192.0.2.1]");
}

TEST_F(HttpIngress, a_request_with_nobody_left_is_answered_with_422) {
    const std::string text = post(request(R"([{"email":"nobody"},{"email":""}])"));
    EXPECT_TRUE(text.starts_with("HTTP/1.1 422 ")) << text;
    EXPECT_TRUE(has(text, "\"field\":\"recipients[0].email\"}"));
    EXPECT_TRUE(has(text, "\"field\":\"recipients[1].email\"}"));
    EXPECT_TRUE(acceptance_.messages.empty());
    EXPECT_EQ(rejected(Rejection::address), 1U);
}

// A CR, LF or NUL in an address would become a command or a header field of its own.
TEST_F(HttpIngress, the_sender_is_checked_after_its_json_escapes) {
    for (const std::string sender :
         {R"("a@b.example\r\nDATA")", R"("a@b.example\u0000")", R"("a b@c.example")", R"("@")",
          R"("a@b.example>")", R"("a@b.example\n")"}) {
        const std::string text = post(request(kOne, R"("a: b\n\n")", sender));
        EXPECT_TRUE(text.starts_with("HTTP/1.1 422 ")) << sender << text;
        EXPECT_TRUE(has(text, "\"field\":\"envelope_sender\"")) << text;
    }
    EXPECT_TRUE(acceptance_.messages.empty());
}

TEST_F(HttpIngress, content_that_cannot_be_mail_is_answered_with_422) {
    for (const std::string& content : std::vector<std::string>{
             R"("a: b\r\r\n")", R"("a: b\u0000")", "\"a:" + std::string(999, 'x') + "\"",
             R"("hello")", R"("\nSubject: x")", R"("From a@b.example\nSubject: x\n\n")",
             R"("\ufeffSubject: x\n\n")"}) {
        const std::string text = post(request(kOne, content));
        EXPECT_TRUE(text.starts_with("HTTP/1.1 422 ")) << content << text;
        EXPECT_TRUE(has(text, "\"field\":\"content\"")) << text;
    }
    std::string loop = "\"";
    for (int i = 0; i < 100; ++i)
        loop += R"(Received: from x by y; z\n)";
    EXPECT_TRUE(post(request(kOne, loop + R"(\n")")).starts_with("HTTP/1.1 422 "));
    EXPECT_TRUE(acceptance_.messages.empty());
    EXPECT_EQ(rejected(Rejection::content), 8U);
}

TEST_F(HttpIngress, content_with_octets_above_127_is_made_7bit) {
    post(request(kOne, R"("Subject: x\n\n\u00e9")"));
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    EXPECT_FALSE(acceptance_.messages[0]->eight_bit);
    EXPECT_TRUE(acceptance_.messages[0]->content.to_string().ends_with(
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"));
    acceptance_.room = 600;  // enough for the message, not for a second one beside it
    const std::string text(300, 'x');
    EXPECT_TRUE(has(post(request(kOne, "\"Subject: x\\n\\n\\u00e9" + text + "\"")), " 503 "));
    EXPECT_TRUE(has(post(request(kOne, "\"Subject: x\\n\\n" + text + "\"")), " 200 OK"));
}

TEST_F(HttpIngress, utf8_and_eight_bit_are_marked) {
    options_.convert_eight_bit = false;
    post(request(kOne, R"("Subject: x\n\n\u00e9")"));
    post(request(R"([{"email":"\u00e9@d.example"}])"));
    post(request(kOne, R"("Message-ID: <\u00e9@b.example>\n\nx")"));
    ASSERT_EQ(acceptance_.messages.size(), 3U);
    EXPECT_TRUE(acceptance_.messages[0]->eight_bit);
    EXPECT_FALSE(acceptance_.messages[0]->utf8);
    EXPECT_FALSE(acceptance_.messages[1]->eight_bit);
    EXPECT_FALSE(acceptance_.messages[1]->utf8);  // its address says so itself
    EXPECT_TRUE(acceptance_.messages[2]->utf8);
}

// U3, Q3: servers without SMTPUTF8 take it (RFC 2047).
TEST_F(HttpIngress, raw_utf8_in_header_fields_is_encoded) {
    post(request(kOne,
                 R"("Subject: \ud83c\udf89 Gr\u00fc\u00dfe\nFrom: J\u00f6rg <a@b.example>\n\nx")"));
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    const relay::Message& message = *acceptance_.messages[0];
    EXPECT_FALSE(message.utf8);
    EXPECT_FALSE(message.eight_bit);
    EXPECT_TRUE(message.content.to_string().ends_with(
        "\r\nSubject: =?UTF-8?B?8J+OiSBHcsO8w59l?=\r\nFrom: =?UTF-8?B?SsO2cmc=?= "
        "<a@b.example>\r\n\r\nx\r\n"))
        << message.content.to_string();
    // What is signed stays as it is.
    post(request(kOne, R"("DKIM-Signature: x\nSubject: \u00e9\n\nx")"));
    EXPECT_TRUE(acceptance_.messages[1]->utf8);
}

// Q4
TEST_F(HttpIngress, a_recipient_who_is_named_twice_is_sent_to_once) {
    const std::string text = post(request(R"([{"email":"c@d.example"},{"email":"c@D.Example"},)"
                                          R"({"email":"e@d.example"},{"email":"c@d.example"}])"));
    EXPECT_TRUE(has(text, "\"success_count\":4,\"fail_count\":0,")) << text;
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    ASSERT_EQ(acceptance_.messages[0]->recipients.size(), 2U);
    EXPECT_EQ(acceptance_.messages[0]->recipients[1]->address, "e@d.example");
}

// Q7
TEST_F(HttpIngress, local_parts_with_dots_anywhere_are_taken_quoted) {
    post(request(R"([{"email":"a..b@d.example"}])", R"("a: b\n\n")", R"(".n@b.example")"));
    ASSERT_EQ(acceptance_.messages.size(), 1U);
    EXPECT_EQ(acceptance_.messages[0]->recipients[0]->address, "\"a..b\"@d.example");
    EXPECT_EQ(acceptance_.messages[0]->sender, "\".n\"@b.example");
}

// M4, L9: requests are refused when they grow beyond the room there is, not when they are complete.
TEST_F(HttpIngress, a_request_that_grows_beyond_the_room_is_refused) {
    options_.max_message_size = 20'000'000;
    acceptance_.room = 3'000'000;
    std::string lines = "\"a: b\\n\\n";
    for (int i = 0; i < 50'000; ++i)
        lines += std::string(76, 'x') + "\\n";
    const std::string body = request(kOne, lines + "\"");
    const std::string text = talk(
        "POST /api/inject/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3d0900\r\n" +
        body.substr(0, 4'000'000 - 0x0) + "\r\n0\r\n\r\n");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 503 ")) << text.substr(0, 200);
    EXPECT_EQ(rejected(Rejection::memory_full), 1U);
    EXPECT_TRUE(acceptance_.messages.empty());
}

// U14: one shape of errors; U8: who is refused is named.
TEST_F(HttpIngress, a_refused_stranger_is_named) {
    peer_ = "198.51.100.1:99";
    EXPECT_TRUE(has(post(request(kOne)),
                    "{\"errors\":[{\"message\":\"198.51.100.1 may not inject mail here\","
                    "\"field\":null}]}"));
}

TEST_F(HttpIngress, only_allowed_networks_may_inject) {
    peer_ = "198.51.100.1:99";
    const std::string text = talk(
        "POST /api/inject/v1 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n"
        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 403 "));
    EXPECT_EQ(rejected(Rejection::relay_denied), 1U);
    peer_ = "[::ffff:192.0.2.9]:99";  // the same network, written otherwise
    EXPECT_TRUE(has(post(request(kOne)), " 200 OK"));
    options_.allow.clear();
    EXPECT_TRUE(post(request(kOne)).starts_with("HTTP/1.1 403 "));
}

TEST_F(HttpIngress, the_content_type_must_be_json) {
    EXPECT_TRUE(post(request(kOne), "").starts_with("HTTP/1.1 415 "));
    EXPECT_TRUE(post(request(kOne), "Content-Type: text/plain\r\n").starts_with("HTTP/1.1 415 "));
    EXPECT_TRUE(
        has(post(request(kOne), "content-type: Application/JSON ; charset=utf-8\r\n"), " 200 OK"));
}

TEST_F(HttpIngress, what_is_not_available_is_answered_with_422) {
    const std::string json = "Content-Type: application/json\r\n";
    EXPECT_TRUE(has(post(request(kOne), json + "Content-Encoding: gzip\r\n"),
                    "\"field\":\"Content-Encoding\""));
    EXPECT_TRUE(
        has(post(request(kOne), json + "Idempotency-Key: 1\r\n"), "\"field\":\"Idempotency-Key\""));
    EXPECT_TRUE(has(post(request(kOne), json + "Content-Encoding: identity\r\n"), " 200 OK"));
    EXPECT_TRUE(has(post(request(kOne, R"({"text_body":"x"})")), "\"field\":\"content\""));
    EXPECT_EQ(acceptance_.messages.size(), 1U);
}

TEST_F(HttpIngress, malformed_json_is_answered_with_400) {
    EXPECT_TRUE(post("{\"envelope_sender\":").starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(post("").starts_with("HTTP/1.1 400 "));
}

TEST_F(HttpIngress, sizes_are_limited) {
    std::string lines = "\"a: b\\n\\n";
    for (int i = 0; i < 1250; ++i)
        lines += std::string(76, 'x') + "\\n";
    EXPECT_TRUE(has(post(request(kOne, lines + "\"")), " 200 OK"));  // 97,500 octets with CRLF
    for (int i = 0; i < 34; ++i)
        lines += std::string(76, 'x') + "\\n";
    EXPECT_TRUE(
        post(request(kOne, lines + "\"")).starts_with("HTTP/1.1 413 "));  // by its CRs alone
    EXPECT_TRUE(talk("POST /api/inject/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     "Content-Length: 99999999999\r\n\r\n")
                    .starts_with("HTTP/1.1 413 "));
    EXPECT_EQ(rejected(Rejection::size), 2U);
}

TEST_F(HttpIngress, recipients_are_limited) {
    options_.max_recipients = 1;
    EXPECT_TRUE(has(post(request(kOne)), " 200 OK"));
    const std::string text = post(request(R"([{"email":"c@d.example"},{"email":"e@f.example"}])"));
    EXPECT_TRUE(text.starts_with("HTTP/1.1 413 ")) << text;
    EXPECT_TRUE(has(text, "\"field\":\"recipients\""));
    EXPECT_EQ(rejected(Rejection::recipients), 1U);
}

TEST_F(HttpIngress, back_pressure_is_answered_before_the_body_is_read) {
    acceptance_.room = 1000;
    const std::string text = talk(
        "POST /api/inject/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 503 ")) << text;
    EXPECT_TRUE(has(text, "\r\nRetry-After: 5\r\n"));
    EXPECT_EQ(rejected(Rejection::memory_full), 1U);
    acceptance_.room = ~std::size_t{0};
    acceptance_.refusal = relay::Refusal::draining;
    EXPECT_TRUE(post(request(kOne)).starts_with("HTTP/1.1 503 "));
    EXPECT_EQ(rejected(Rejection::draining), 1U);
}

TEST_F(HttpIngress, a_refusal_at_commit_is_answered_with_503) {
    acceptance_.commit_refusal = relay::Refusal::memory_full;
    const std::string text = post(request(kOne));
    EXPECT_TRUE(text.starts_with("HTTP/1.1 503 "));
    EXPECT_TRUE(has(text, "\r\nRetry-After: 5\r\n"));
    EXPECT_EQ(rejected(Rejection::memory_full), 1U);
}

}  // namespace
