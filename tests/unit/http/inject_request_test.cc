#include "relay/inject/inject_request.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using relay::InjectProblem;
using relay::InjectRequestParser;

class InjectRequest : public ::testing::Test {
  protected:
    // The body with the spare memory that the parser wants.
    std::expected<relay::InjectRequest, InjectProblem> parse(std::string body) {
        body_ = std::move(body);
        body_.reserve(body_.size() + InjectRequestParser::kPadding);
        return parser_.parse(body_);
    }
    // Status and field of the problem: "422 content".
    std::string problem(std::string body) {
        const auto request = parse(std::move(body));
        if (request) return "none";
        EXPECT_FALSE(request.error().message.empty());
        return std::to_string(request.error().status) + " " + request.error().field;
    }
    // A complete request whose last member is given.
    static std::string with(const std::string& member) {
        return R"({"envelope_sender":"a@b.example","content":"Subject: x\n\ny",)"
               R"("recipients":[{"email":"c@d.example"}],)" +
               member + "}";
    }

    InjectRequestParser parser_;
    std::string body_;
};

TEST_F(InjectRequest, TakesWhatKumoMtaTakes) {
    const auto request = parse(R"({
        "envelope_sender": "bounce@news.example",
        "recipients": [{"email": "one@example.com", "name": "One"},
                       {"email": "zw\u00f6lf@example.com", "name": null,
                         "metadata": {}, "substitutions": {}}],
        "content": "Subject: \"h\u00e9\"\r\n\r\nhello\n\ud83d\ude00",
        "substitutions": {}, "template_dialect": "Static", "deferred_spool": false,
        "deferred_generation": false, "trace_headers": {}})");
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_EQ(request->sender, "bounce@news.example");
    EXPECT_EQ(request->recipients,
              (std::vector<std::string_view>{"one@example.com", "zwölf@example.com"}));
    EXPECT_EQ(request->content, "Subject: \"hé\"\r\n\r\nhello\n😀");
}

TEST_F(InjectRequest, MalformedJsonIsStatus400) {
    for (const std::string body :
         {"", " ", "{", "{]", "nonsense", R"({"a":"b)", R"({"a":01})", "{}x",
          "{\"content\":\"a\nb\"}", "\xff{}", "{\"a\":\"\xc3\"}", R"({"content":"\ud800"})"}) {
        EXPECT_EQ(problem(body), "400 ") << body;
    }
}

TEST_F(InjectRequest, NestingIsLimited) {
    std::string deep = with("\"trace_headers\":" + std::string(70, '[') + std::string(70, ']'));
    EXPECT_EQ(problem(deep), "400 ");
    std::string allowed = with("\"trace_headers\":" + std::string(60, '[') + std::string(60, ']'));
    EXPECT_EQ(problem(allowed), "422 trace_headers");
}

TEST_F(InjectRequest, NestingIsLimitedAfterTheParserHasGrown) {
    const auto large = parse(with(R"("substitutions":{},"template_dialect":"Static"})") +
                             std::string(1 << 20, ' '));
    EXPECT_FALSE(large);
    EXPECT_EQ(problem(with("\"trace_headers\":" + std::string(70, '[') + std::string(70, ']'))),
              "400 ");
}

TEST_F(InjectRequest, MissingRepeatedUnknownAndMistyped) {
    EXPECT_EQ(problem("[]"), "422 ");
    EXPECT_EQ(problem("7"), "422 ");
    EXPECT_EQ(problem("{}"), "422 envelope_sender");
    EXPECT_EQ(problem(R"({"envelope_sender":"a@b.c"})"), "422 recipients");
    EXPECT_EQ(problem(R"({"envelope_sender":"a@b.c","recipients":[{"email":"c@d.e"}]})"),
              "422 content");
    EXPECT_EQ(problem(R"({"envelope_sender":null})"), "422 envelope_sender");
    EXPECT_EQ(problem(R"({"recipients":{}})"), "422 recipients");
    EXPECT_EQ(problem(R"({"recipients":[]})"), "422 recipients");
    EXPECT_EQ(problem(R"({"recipients":["c@d.e"]})"), "422 recipients[0]");
    EXPECT_EQ(problem(R"({"recipients":[{"email":"c@d.e"},{}]})"), "422 recipients[1].email");
    EXPECT_EQ(problem(R"({"recipients":[{"email":5}]})"), "422 recipients[0].email");
    EXPECT_EQ(problem(R"({"recipients":[{"email":"c@d.e","email":"f@g.h"}]})"),
              "422 recipients[0].email");
    EXPECT_EQ(problem(R"({"recipients":[{"email":"c@d.e","mail":1}]})"), "422 recipients[0].mail");
    EXPECT_EQ(problem(R"({"recipients":[{"email":"c@d.e","name":1}]})"), "422 recipients[0].name");
    EXPECT_EQ(problem(R"({"content":7})"), "422 content");
    EXPECT_EQ(problem(R"({"content":""})"), "422 content");
    EXPECT_EQ(problem(with(R"("content":"again")")), "422 content");
    EXPECT_EQ(problem(with(R"("tenant":"x")")), "422 tenant");
    EXPECT_EQ(problem(with(R"("require_tls":"yes")")), "422 require_tls");
}

TEST_F(InjectRequest, TlsMayBeRequired) {
    const auto of = [this](const std::string& more) {
        const auto request = parse(with(more));
        return request && request->require_tls;
    };
    EXPECT_TRUE(of(R"("require_tls":true)"));
    EXPECT_FALSE(of(R"("require_tls":false)"));
    EXPECT_FALSE(of(R"("template_dialect":"Static")"));
}

TEST_F(InjectRequest, MayHaveAnAge) {
    const auto of = [this](const std::string& more) {
        const auto request = parse(with(more));
        return request ? request->max_age : core::Duration{-1};
    };
    EXPECT_EQ(of(R"("max_age":"4h")"), std::chrono::hours{4});
    EXPECT_EQ(of(R"("max_age":"1s")"), std::chrono::seconds{1});
    EXPECT_EQ(of(R"("template_dialect":"Static")"), core::Duration{});
    for (const char* wrong : {R"("999ms")", R"("soon")", R"("")", "3600", "null", R"(["4h"])"})
        EXPECT_EQ(problem(with(R"("max_age":)" + std::string(wrong))), "422 max_age") << wrong;
}

TEST_F(InjectRequest, WhatIsNotAvailableIsNeverIgnored) {
    EXPECT_EQ(problem(R"({"content":{"text_body":"x"}})"), "422 content");
    EXPECT_EQ(problem(with(R"("substitutions":{"a":1})")), "422 substitutions");
    EXPECT_EQ(problem(with(R"("template_dialect":"Jinja")")), "422 template_dialect");
    EXPECT_EQ(problem(with(R"("deferred_spool":true)")), "422 deferred_spool");
    EXPECT_EQ(problem(with(R"("deferred_generation":true)")), "422 deferred_generation");
    EXPECT_EQ(problem(with(R"("trace_headers":{"received_header":true})")), "422 trace_headers");
    EXPECT_EQ(problem(R"({"recipients":[{"email":"c@d.e","substitutions":{"a":"b"}}]})"),
              "422 recipients[0].substitutions");
    EXPECT_EQ(problem(R"({"recipients":[{"email":"c@d.e","metadata":{"a":"b"}}]})"),
              "422 recipients[0].metadata");
}

TEST_F(InjectRequest, TemplateMarkersNeedTheStaticDialect) {
    const std::string head =
        R"({"envelope_sender":"","recipients":[{"email":"c@d.example"}],"content":)";
    EXPECT_EQ(problem(head + R"("Hello {{ name }}"})"), "422 content");
    EXPECT_EQ(problem(head + R"("{% if x %}"})"), "422 content");
    EXPECT_EQ(problem(head + R"("Hello {{ name }}","template_dialect":"Static"})"), "none");
    EXPECT_EQ(problem(head + R"("p{color:#fff} @media x{#a{b:c}} {"})"), "none");
}

TEST_F(InjectRequest, LongKeysAreCutInTheAnswer) {
    const auto request = parse("{\"" + std::string(5000, 'k') + "\":1}");
    ASSERT_FALSE(request);
    EXPECT_LE(request.error().field.size(), 64U);
}

}  // namespace
