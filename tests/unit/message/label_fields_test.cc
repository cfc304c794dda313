#include "relay/message/label_fields.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "relay/message/content_cursor.h"

namespace relay {
namespace {

Content content_of(std::string_view text) {
    Content content;
    bool line_start = true;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (line_start && text[at] == '.') content.mark_leading_dot();
        content.append(text.substr(at, 1));
        line_start = text[at] == '\n';
    }
    content.seal();
    return content;
}

const LabelFieldNames kNames{"X-Tenant", "X-Campaign", "X-Urgency"};

TEST(LabelFields, are_read_and_taken_out) {
    Content content = content_of(
        "Received: x\r\nX-TENANT:  acme \r\nSubject: x\r\nX-Campaign: a\r\nX-Campaign: b\r\n"
        "X-Tenants: stays\r\n\r\nX-Tenant: body\r\n");
    const LabelFields fields = take_label_fields(content, kNames);
    EXPECT_EQ(fields.tenant, "acme");
    EXPECT_EQ(fields.campaign, "a");
    EXPECT_FALSE(fields.priority.has_value());
    EXPECT_EQ(content.to_string(),
              "Received: x\r\nSubject: x\r\nX-Tenants: stays\r\n\r\nX-Tenant: body\r\n");
}

TEST(LabelFields, without_a_name_nothing_is_taken) {
    Content content = content_of("X-Tenant: acme\r\n: x\r\n\r\n");
    const LabelFields fields =
        take_label_fields(content, {.tenant = {}, .campaign = {}, .priority = {}});
    EXPECT_FALSE(fields.tenant.has_value());
    EXPECT_EQ(content.size(), 23U);
}

TEST(LabelFields, one_that_begins_late_is_not_found) {
    std::string text;
    while (text.size() < LabelFields::kMaxLookedThrough)
        text += "X-Long: " + std::string(900, 'x') + "\r\n";
    text += "X-Tenant: acme\r\n\r\n";
    Content content = content_of(text);
    EXPECT_FALSE(take_label_fields(content, kNames).tenant.has_value());
    EXPECT_EQ(content.to_string(), text);
}

// Wherever the chunks and the dots are.
TEST(LabelFields, what_is_left_is_what_was_there_without_them) {
    core::Prng prng{7};
    for (int round = 0; round < 200; ++round) {
        std::string text = "Received: us\r\n";
        std::string rest = text;
        const std::size_t fields = 1 + prng.below(300);
        for (std::size_t i = 0; i < fields; ++i) {
            const bool taken = prng.below(4) == 0;
            std::string field = taken ? "X-Campaign: c" : "X-Stays: ";
            field += std::string(prng.below(60), 'v') + (prng.below(3) == 0 ? "\r\n\tmore" : "") +
                     "\r\n";
            text += field;
            if (!taken) rest += field;
        }
        std::string body = "\r\n";
        for (std::size_t i = prng.below(50); i > 0; --i)
            body += std::string(prng.below(3), '.') + std::string(prng.below(90), 'b') + "\r\n";
        Content content = content_of(text + body);
        take_label_fields(content, kNames);
        ASSERT_EQ(content.to_string(), rest + body) << round;
        ASSERT_EQ(content.size(), rest.size() + body.size());
        ASSERT_EQ(stuffed_text(content), stuffed_text(content_of(rest + body))) << round;
    }
}

// RFC 5322 section 2.1: a body is not required. Such a message ended the process.
TEST(LabelFields, the_last_field_of_a_message_without_a_body_is_taken) {
    Content content = content_of("Received: us\r\nX-Campaign: c\r\n");
    EXPECT_EQ(take_label_fields(content, kNames).campaign, "c");
    EXPECT_EQ(content.to_string(), "Received: us\r\n");
    Content nothing_else = content_of("X-Campaign: c\r\n");
    EXPECT_EQ(take_label_fields(nothing_else, kNames).campaign, "c");
    EXPECT_EQ(nothing_else.to_string(), "\r\n");
    EXPECT_EQ(nothing_else.size(), 2U);
}

TEST(LabelFields, names_have_a_limit_and_no_control_characters) {
    EXPECT_EQ(label_complaint("acme"), "");
    EXPECT_EQ(label_complaint("Frühling 1"), "");
    EXPECT_EQ(label_complaint(std::string(kMaxLabelOctets, 'x')), "");
    EXPECT_NE(label_complaint(std::string(kMaxLabelOctets + 1, 'x')), "");
    EXPECT_NE(label_complaint(""), "");
    EXPECT_NE(label_complaint("a\nb"), "");
    EXPECT_NE(label_complaint("a\x7f"), "");
    EXPECT_NE(label_complaint("\xc3"), "");
}

}  // namespace
}  // namespace relay
