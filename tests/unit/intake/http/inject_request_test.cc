#include "relay/intake/http/inject_request.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace {

using relay::InjectProblem;
using relay::InjectRequestParser;

class InjectRequest : public ::testing::Test {
  protected:
    std::expected<relay::InjectRequest, InjectProblem> parse(std::string_view body,
                                                             std::size_t piece = SIZE_MAX) {
        InjectRequestParser parser(limits_);
        while (!body.empty()) {
            if (auto problem = parser.feed(body.substr(0, piece))) return std::unexpected(*problem);
            body.remove_prefix(std::min(piece, body.size()));
        }
        return parser.finish();
    }
    // Status and field of the problem: "422 content"; the same however the body is cut.
    std::string problem(const std::string& body) {
        std::string found;
        for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{5}}) {
            const auto request = parse(body, piece);
            if (!request) EXPECT_FALSE(request.error().message.empty());
            const std::string one =
                request ? "none"
                        : std::to_string(request.error().status) + " " + request.error().field;
            EXPECT_TRUE(found.empty() || found == one) << found << one << piece;
            found = one;
        }
        return found;
    }
    std::string sentence(const std::string& body, std::size_t piece = SIZE_MAX) {
        const auto request = parse(body, piece);
        return request ? "none" : request.error().message;
    }
    // A complete request whose last member is given.
    static std::string with(const std::string& member) {
        return R"({"envelope_sender":"a@b.example","content":"Subject: x\n\ny",)"
               R"("recipients":[{"email":"c@d.example"}],)" +
               member + "}";
    }

    relay::InjectLimits limits_;
};

TEST_F(InjectRequest, takes_what_kumomta_takes) {
    const std::string body = R"({
        "envelope_sender": "bounce@news.example",
        "recipients": [{"email": "one@example.com", "name": "One"},
                       {"email": "zw\u00f6lf@example.com", "name": null,
                         "metadata": {}, "substitutions": {}}],
        "content": "Subject: \"h\u00e9\"\r\n\r\nhello\n\ud83d\ude00",
        "substitutions": {}, "template_dialect": "Static", "deferred_spool": false,
        "deferred_generation": false, "trace_headers": {}})";
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
        auto request = parse(body, piece);
        ASSERT_TRUE(request) << request.error().message;
        EXPECT_EQ(request->sender, "bounce@news.example");
        ASSERT_EQ(request->recipients.size(), 2U);
        EXPECT_EQ(request->recipients.next(), "one@example.com");
        EXPECT_EQ(request->recipients.next(), "zwölf@example.com");
        EXPECT_TRUE(request->recipients.done());
        EXPECT_EQ(request->content.head(1000), "Subject: \"hé\"\r\n\r\nhello\n😀");
        EXPECT_TRUE(request->eight_bit);
    }
}

TEST_F(InjectRequest, malformed_json_is_answered_with_400) {
    for (const std::string body :
         {"", " ", "{", "{]", "nonsense", R"({"content":"b)", "{}x", "{\"content\":\"a\nb\"}",
          "\xff{}", "{\"content\":\"\xc3\"}", R"({"content":"\ud800"})", R"({"content" "x"})",
          R"({"content":"x",})", R"({"content":"x"]})"}) {
        EXPECT_EQ(problem(body), "400 ") << body;
    }
}

// M4: what no field can be is refused when it begins, not when it has been read.
TEST_F(InjectRequest, memory_is_what_is_kept) {
    const std::string head = R"({"envelope_sender":"a@b.example","recipients":[)";
    for (const std::string junk : {"[],", "1,", "{},", "\"x\",", "null,", "[["}) {
        InjectRequestParser parser(limits_);
        ASSERT_FALSE(parser.feed(head)) << junk;
        std::optional<InjectProblem> problem;
        std::size_t fed = 0;
        for (; fed < 1000 && !problem; fed += junk.size())
            problem = parser.feed(junk);
        ASSERT_TRUE(problem) << junk;
        EXPECT_LE(fed, 8U) << junk;
        EXPECT_EQ(problem->status, 422);
    }
    // Long names, keys and texts of recipients are cut, blanks are not kept.
    InjectRequestParser parser(limits_);
    ASSERT_FALSE(parser.feed(head + R"({"name":")"));
    for (int i = 0; i < 1000; ++i)
        ASSERT_FALSE(parser.feed(std::string(1000, 'n')));
    ASSERT_FALSE(parser.feed(R"(","email":")"));
    for (int i = 0; i < 1000; ++i)
        ASSERT_FALSE(parser.feed(std::string(1000, 'e')));
    ASSERT_FALSE(parser.feed("\"}"));
    for (int i = 0; i < 1000; ++i)
        ASSERT_FALSE(parser.feed(std::string(1000, ' ')));
    EXPECT_LT(parser.so_far().memory(), 2000U);
    EXPECT_EQ(problem(with("\"trace_headers\":" + std::string(70, '[') + std::string(70, ']'))),
              "422 trace_headers");
}

TEST_F(InjectRequest, content_and_recipients_are_limited_as_they_come) {
    limits_ = {.content = 10, .recipients = 2};
    EXPECT_EQ(problem(R"({"content":"0123456789"})"), "422 envelope_sender");
    EXPECT_EQ(problem(R"({"content":"01234567890)"), "413 content");
    EXPECT_EQ(problem(R"({"recipients":[{"email":"a"},{"email":"b"},{"email":"c")"),
              "413 recipients");
}

// U14
TEST_F(InjectRequest, a_problem_says_where_it_is) {
    const std::string text = "{\n  \"envelope_sender\": \"a@b.example\",\n  \"content\": oops}";
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
        EXPECT_TRUE(sentence(text, piece).ends_with("(line 3, column 14)"))
            << sentence(text, piece);
        EXPECT_TRUE(sentence(text, piece).starts_with("malformed JSON: "));
    }
    EXPECT_TRUE(sentence("{\"a\":1}").ends_with("(line 1, column 4)")) << sentence("{\"a\":1}");
    EXPECT_TRUE(sentence("{\n\n\"content\":\"x").ends_with("(line 3, column 13)"));
}

TEST_F(InjectRequest, members_missing_repeated_unknown_or_of_another_type_are_named) {
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
    EXPECT_EQ(problem(with(R"("tenants":"x")")), "422 tenants");
    EXPECT_EQ(problem(with(R"("tenant":7)")), "422 tenant");
    EXPECT_EQ(problem(with(R"("tenant":"")")), "422 tenant");
    EXPECT_EQ(problem(with(R"("campaign":"a\u0007b")")), "422 campaign");
    EXPECT_EQ(problem(with(R"("campaign":")" + std::string(129, 'c') + "\"")), "422 campaign");
    EXPECT_EQ(problem(with(R"("priority":"low")")), "422 priority");
    EXPECT_EQ(problem(with(R"("priority":1)")), "422 priority");
    EXPECT_EQ(problem(with(R"("require_tls":"yes")")), "422 require_tls");
}

// A string that breaks off is no JSON, whatever it would have meant.
TEST_F(InjectRequest, the_same_problem_is_named_however_the_body_is_cut) {
    const std::string member = R"({"envelope_sender":"","recipients":)";
    EXPECT_EQ(problem(member + R"(["c@d.example)"), "400 ");
    EXPECT_EQ(problem(member + std::string("[\"c@d.example\0", 14)), "400 ");
    EXPECT_EQ(problem("\"not an object \xde"), "400 ");
    EXPECT_EQ(problem(R"("not an object")"), "422 ");
    EXPECT_EQ(problem(member + R"([{"email":"c@d.e","metadata":{"ke)"), "400 ");
    EXPECT_EQ(problem(member + R"([{"email":"c@d.e","metadata":-x)"), "400 ");
    limits_.recipients = 1;
    EXPECT_EQ(problem(member + R"([{"email":"c@d.e"},{"email":"e@f.g)"), "400 ");
    EXPECT_EQ(problem(member + R"([{"email":"c@d.e"},{"email":"e@f.g"}]})"), "413 recipients");
}

TEST_F(InjectRequest, says_whose_mail_it_is_and_how_urgent) {
    const auto request =
        parse(with(R"("tenant":"acme","campaign":"Frühling 1","priority":"urgent")"));
    ASSERT_TRUE(request.has_value()) << request.error().message;
    EXPECT_EQ(request->tenant, "acme");
    EXPECT_EQ(request->campaign, "Frühling 1");
    EXPECT_EQ(request->priority, relay::Priority::urgent);
    const auto without = parse(with(R"("require_tls":false)"));
    ASSERT_TRUE(without.has_value());
    EXPECT_EQ(without->tenant, "");
    EXPECT_FALSE(without->priority.has_value());
}

TEST_F(InjectRequest, tls_may_be_required) {
    const auto of = [this](const std::string& more) {
        const auto request = parse(with(more));
        return request && request->require_tls;
    };
    EXPECT_TRUE(of(R"("require_tls":true)"));
    EXPECT_FALSE(of(R"("require_tls":false)"));
    EXPECT_FALSE(of(R"("template_dialect":"Static")"));
}

TEST_F(InjectRequest, the_age_of_mail_may_be_limited) {
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

TEST_F(InjectRequest, what_is_not_available_is_never_ignored) {
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

TEST_F(InjectRequest, template_markers_need_the_static_dialect) {
    const std::string head =
        R"({"envelope_sender":"","recipients":[{"email":"c@d.example"}],"content":)";
    EXPECT_EQ(problem(head + R"("Hello {{ name }}"})"), "422 content");
    EXPECT_EQ(problem(head + R"("{% if x %}"})"), "422 content");
    EXPECT_EQ(problem(head + R"("Hello {{ name }}","template_dialect":"Static"})"), "none");
    EXPECT_EQ(problem(head + R"("p{color:#fff} @media x{#a{b:c}} {"})"), "none");
}

TEST_F(InjectRequest, long_keys_are_cut_in_the_answer) {
    const auto request = parse("{\"" + std::string(5000, 'k') + "\":1}");
    ASSERT_FALSE(request);
    EXPECT_LE(request.error().field.size(), 64U);
}

}  // namespace
