#include "relay/message/split.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

const Tenant kTenant{TenantId{1}, "tenant"};

struct Newsletter {
    explicit Newsletter(std::size_t recipients) {
        message.id = {1, 1};
        message.sender = "news@sender.example";
        message.content.append("Subject: Hello\r\n\r\n");
        message.content.mark_leading_dot();
        message.content.append(".Hello");
        message.content.seal();
        for (std::size_t i = 0; i < recipients; ++i) {
            message.recipients.push_back(std::make_unique<Recipient>(
                message, "reader" + std::to_string(i) + "@one.example"));
        }
    }
    Message message;
};

TEST(Split, the_last_recipients_go_over_in_their_order) {
    Newsletter newsletter(5);
    Message& whole = newsletter.message;
    Message part;
    split_off(whole, part, 2);
    ASSERT_EQ(whole.recipients.size(), 3U);
    ASSERT_EQ(part.recipients.size(), 2U);
    EXPECT_EQ(whole.recipients[2]->address, "reader2@one.example");
    EXPECT_EQ(part.recipients[0]->address, "reader3@one.example");
    EXPECT_EQ(part.recipients[1]->address, "reader4@one.example");
    for (const auto& recipient : part.recipients)
        EXPECT_EQ(recipient->message, &part);
    for (const auto& recipient : whole.recipients)
        EXPECT_EQ(recipient->message, &whole);
}

TEST(Split, a_part_is_as_the_whole_is) {
    Newsletter newsletter(2);
    Message& whole = newsletter.message;
    whole.created = core::WallTime{std::chrono::seconds{7}};
    whole.eight_bit = whole.utf8 = whole.verp = true;
    whole.bounces = BouncePolicy::both;
    whole.tls = TlsRequest::required;
    whole.edit_injection() = {"HTTP", "session", "client.example", "192.0.2.1"};
    whole.edit_labels() = {&kTenant, "campaign"};
    whole.set_dsn({ReturnContent::full, "envelope"});
    whole.set_expires(core::WallTime{std::chrono::seconds{9}});
    Message part;
    part.id = {2, 2};
    split_off(whole, part, 1);
    EXPECT_EQ(part.id, (MessageId{2, 2}));
    EXPECT_EQ(part.sender.view(), whole.sender.view());
    EXPECT_EQ(part.created, whole.created);
    EXPECT_TRUE(part.eight_bit && part.utf8 && part.verp && !part.ours);
    EXPECT_EQ(part.bounces, BouncePolicy::both);
    EXPECT_EQ(part.tls, TlsRequest::required);
    EXPECT_EQ(part.injection().client_address, "192.0.2.1");
    EXPECT_EQ(part.labels().tenant, &kTenant);
    EXPECT_EQ(part.labels().campaign, "campaign");
    EXPECT_EQ(part.dsn().envelope_id, "envelope");
    EXPECT_EQ(part.expires(), whole.expires());
    part.forget_injection();
    EXPECT_EQ(whole.injection().protocol, "HTTP");
}

TEST(Split, the_content_is_shared_and_outlives_either) {
    Message part;
    std::string text;
    {
        Newsletter newsletter(2);
        Message& whole = newsletter.message;
        text = whole.content.to_string();
        split_off(whole, part, 1);
        EXPECT_EQ(part.content.size(), whole.content.size());
        EXPECT_EQ(part.content.leading_dots(), 1U);
        whole.content.evict();
        EXPECT_FALSE(whole.content.resident());
    }
    EXPECT_EQ(part.content.to_string(), text);
    auto octets = std::make_unique_for_overwrite<char[]>(text.size());
    text.copy(octets.get(), text.size());
    part.content.evict();
    part.content.restore(std::move(octets), text.size());
    EXPECT_EQ(part.content.to_string(), text);
}

TEST(Split, a_content_that_is_shared_is_not_written_to) {
    Newsletter newsletter(2);
    Message& whole = newsletter.message;
    Message part;
    split_off(whole, part, 1);
    EXPECT_DEATH(part.content.append("more"), "use_count");
}

TEST(Split, everybody_cannot_go_over) {
    Newsletter newsletter(2);
    Message& whole = newsletter.message;
    Message part;
    EXPECT_DEATH(split_off(whole, part, 2), "recipients");
    EXPECT_DEATH(split_off(whole, part, 0), "recipients");
}

}  // namespace
}  // namespace relay
