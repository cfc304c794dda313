#include "relay/smtp/envelope.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

// The path of a command as its parser gives it; the text outlives it.
void add(EnvelopeBuilder& builder, const std::string& mailbox, const std::string& more = {}) {
    const std::string argument = "TO:<" + mailbox + ">" + more;
    const auto rcpt = parse_rcpt(argument, true, true);
    ASSERT_TRUE(rcpt) << argument;
    builder.add_recipient(rcpt->path.address, rcpt->dsn);
}

void open(EnvelopeBuilder& builder, const std::string& argument) {
    auto mail = parse_mail(argument, true);
    ASSERT_TRUE(mail) << argument;
    builder.set_sender(mail->path);
    builder.set_parameters(std::move(mail->parameters));
}

// Few are compared one by one, many by their hashes.
TEST(EnvelopeBuilder, a_recipient_named_again_is_there_once) {
    for (const std::size_t others : {std::size_t{0}, EnvelopeBuilder::kFewRecipients - 1,
                                     EnvelopeBuilder::kFewRecipients, std::size_t{100}}) {
        EnvelopeBuilder builder(7);
        add(builder, "B@Example.com", " NOTIFY=NEVER");
        for (std::size_t i = 0; i < others; ++i)
            add(builder, std::to_string(i) + "@to.example");
        const std::size_t memory = builder.envelope().memory;
        add(builder, "B@eXAMPLE.COM", " NOTIFY=SUCCESS");
        EXPECT_EQ(builder.envelope().recipients.size(), others + 1);
        EXPECT_EQ(builder.envelope().memory, memory);
        EXPECT_EQ(builder.envelope().recipients_dsn,
                  (std::vector<EnvelopeDsn>{{0, Notify(Notify::kNever), ""}}));
        add(builder, "b@example.com");  // local parts are compared octet by octet
        EXPECT_EQ(builder.envelope().recipients.size(), others + 2);
    }
}

TEST(EnvelopeBuilder, knows_whether_an_address_holds_octets_above_127) {
    EnvelopeBuilder builder(7);
    open(builder, "FROM:<a@from.example> SMTPUTF8");
    add(builder, "b@to.example");
    EXPECT_FALSE(builder.envelope().utf8_address);
    add(builder, "\xc3\xa9@to.example");
    EXPECT_TRUE(builder.envelope().utf8_address);
    builder.clear();
    EXPECT_FALSE(builder.envelope().utf8_address);
    add(builder, "b@to.example", " ORCPT=utf-8;\xc3\xa9@to.example");
    EXPECT_TRUE(builder.envelope().utf8_address);
    builder.clear();
    open(builder, "FROM:<\xc3\xa9@from.example> SMTPUTF8");
    EXPECT_TRUE(builder.envelope().utf8_address);
}

TEST(EnvelopeBuilder, nothing_stays_for_the_next_transaction) {
    EnvelopeBuilder builder(7);
    open(builder,
         "FROM:<a@from.example> SIZE=7 BODY=8BITMIME SMTPUTF8 REQUIRETLS BY=60;R RET=HDRS ENVID=x");
    for (int i = 0; i < 50; ++i)
        add(builder, std::to_string(i) + "@to.example", " NOTIFY=NEVER");
    EXPECT_TRUE(builder.envelope().eight_bit && builder.envelope().utf8);
    EXPECT_TRUE(builder.envelope().require_tls && builder.envelope().by);
    EXPECT_EQ(builder.envelope().declared_size, 7U);
    builder.clear();
    const Envelope& left = builder.envelope();
    EXPECT_TRUE(left.sender.empty() && left.recipients.empty() && left.recipients_dsn.empty());
    EXPECT_FALSE(left.eight_bit || left.utf8 || left.require_tls || left.by);
    EXPECT_EQ(left.declared_size, 0U);
    EXPECT_EQ(left.memory, 0U);
    EXPECT_TRUE(left.dsn.envelope_id.empty());
    EXPECT_FALSE(builder.free_some(1000));
    for (int i = 0; i < 50; ++i)  // nobody of the last one was named in this one
        add(builder, std::to_string(i) + "@to.example");
    EXPECT_EQ(builder.envelope().recipients.size(), 50U);
}

TEST(EnvelopeBuilder, many_recipients_are_freed_in_steps) {
    constexpr std::size_t kMany = 2 * EnvelopeBuilder::kManyRecipients;
    EnvelopeBuilder builder(7);
    for (std::size_t i = 0; i < kMany; ++i)
        add(builder, std::to_string(i) + "@to.example");
    builder.clear();
    EXPECT_TRUE(builder.envelope().recipients.empty());
    EXPECT_TRUE(builder.free_some(kMany - 1));
    EXPECT_FALSE(builder.free_some(1));
}

}  // namespace
}  // namespace relay
