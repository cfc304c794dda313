#include "relay/message/address.h"

#include <string>

#include <gtest/gtest.h>

#include "core/base/utf8.h"

namespace relay {
namespace {

using std::string;
using std::string_view;

TEST(Mailbox, accepts_what_rfc_5321_writes) {
    for (const string_view text :
         {"Smith@bar.com", "Green@foo.com", "first.last@example.com", "a+b=c@example.com",
          "\"Joe Smith\"@example.com", "\"a@b>c\"@example.com", "\"\\\"quoted\\\\\"@example.com",
          "\"\"@example.com", "user@[192.0.2.1]", "user@[IPv6:2001:db8::1]", "x@sub_domain.example",
          "!#$%&'*+-/=?^_`{|}~@example.com", "user%other@example.com", "dom!user@example.com"}) {
        const auto address = parse_mailbox(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->mailbox, text);
        EXPECT_FALSE(address->utf8);
        EXPECT_EQ(address->literal, text.back() == ']');
    }
    EXPECT_EQ(parse_mailbox("\"a@b\"@Example.COM")->domain, "Example.COM");
    EXPECT_EQ(parse_mailbox("a@[192.0.2.1]")->domain, "[192.0.2.1]");
}

TEST(Mailbox, refuses_bad_syntax) {
    for (const string_view text : {"",
                                   "@example.com",
                                   "a@",
                                   "a@@example.com",
                                   ".a@example.com",
                                   "a.@example.com",
                                   "a..b@example.com",
                                   "a b@example.com",
                                   "a@example..com",
                                   "a@.example.com",
                                   "a@example.com.",
                                   "a@-example.com",
                                   "a@example-.com",
                                   "a@exa mple.com",
                                   "a@example.com>",
                                   "a@[300.1.1.1]",
                                   "a@[192.0.2.1",
                                   "a@[IPv6:192.0.2.1]",
                                   "a@[2001:db8::1]",
                                   "a@[]",
                                   "a@[tag:x]",
                                   "a@[192.0.2.1]x",
                                   "\"a@example.com",
                                   "\"a\"b@example.com",
                                   "a\"b\"@example.com",
                                   "<a@example.com>",
                                   "a,b@example.com",
                                   "a@b.com,c@d.com",
                                   "a@exam\xc3ple.com",
                                   "a@example.com\r",
                                   "\xff@example.com",
                                   "a@1.2.3.4:25"}) {
        const auto address = parse_mailbox(text);
        ASSERT_FALSE(address) << text;
        EXPECT_EQ(address.error(), AddressFault::syntax) << text;
    }
}

TEST(Mailbox, refuses_control_characters_everywhere) {
    for (const char c : {'\0', '\r', '\n', '\t', '\x1b', '\x7f'}) {
        for (const string_view text :
             {"ab@example.com", "\"ab\"@example.com", "\"\\ab\"@x.example"}) {
            for (std::size_t at = 0; at <= text.size(); ++at) {
                string broken(text);
                broken.insert(at, 1, c);
                EXPECT_FALSE(parse_mailbox(broken)) << int{c} << " at " << at;
            }
        }
    }
}

TEST(Mailbox, refuses_unqualified_domains) {
    for (const string_view text : {"a", "postmaster", "a@localhost", "\"a b\"@host", "\"a b\""}) {
        const auto address = parse_mailbox(text);
        ASSERT_FALSE(address) << text;
        EXPECT_EQ(address.error(), AddressFault::unqualified) << text;
    }
}

TEST(Mailbox, has_the_limits_of_section_4_5_3_1) {
    const string local(64, 'a');
    EXPECT_TRUE(parse_mailbox(local + "@example.com"));
    EXPECT_EQ(parse_mailbox(local + "a@example.com").error(), AddressFault::too_long);
    const string label(63, 'b');
    EXPECT_TRUE(parse_mailbox("a@" + label + ".com"));
    EXPECT_FALSE(parse_mailbox("a@" + label + "b.com"));
    const string domain = label + "." + label + "." + label + "." + string(60, 'c');
    EXPECT_TRUE(parse_mailbox("a@" + domain));                                  // 252 octets
    EXPECT_EQ(parse_mailbox("abc@" + domain).error(), AddressFault::too_long);  // a path of 258
    EXPECT_EQ(parse_mailbox("a@" + domain + ".dddd").error(), AddressFault::too_long);
}

// C5: RFC 5890 section 4.2 counts octets of A-labels.
TEST(Mailbox, domains_in_utf8_are_measured_as_a_labels) {
    string label;
    for (int i = 0; i < 31; ++i)
        label += "\xe4\xb8\x80";  // 93 octets, the same sign
    EXPECT_TRUE(parse_mailbox("a@" + label + ".example"));
    EXPECT_TRUE(parse_mailbox("a@" + label + "." + label + "." + label + ".example"));
    EXPECT_TRUE(is_domain(label + ".example"));
    EXPECT_TRUE(parse_path("<a@" + label + ".example> X"));
    string long_label;
    for (int i = 0; i < 20; ++i) {  // 60 octets in UTF-8, more as an A-label
        long_label += "\xe4";
        long_label += static_cast<char>(0xb8 + i % 4);
        long_label += static_cast<char>(0x80 + i * 3);
    }
    const auto outcome = parse_mailbox("a@" + long_label + long_label + ".example");
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), AddressFault::too_long);
    const string letters = "\xc3\xbc" + string(58, 'a');  // 60 octets; as an A-label 4 more
    EXPECT_FALSE(parse_mailbox("a@" + letters + ".example"));
    EXPECT_FALSE(is_domain(letters + ".example"));
    const string most = "\xc3\xbc" + string(50, 'a');  // an A-label of 59 octets or so
    const string all = most + "." + most + "." + most + "." + most + "." + most;
    EXPECT_EQ(parse_mailbox("a@" + all + ".example").error(), AddressFault::too_long);
    EXPECT_FALSE(parse_mailbox("a@" + string(64, 'b') +
                               ".b\xc3\xbc"
                               "cher.example"));
}

// Q7
TEST(Mailbox, dots_anywhere_in_a_local_part_are_read_from_clients_only) {
    for (const string_view local : {"a..b", ".a", "a.", "...a", "a...b.", "\xc3\xbc..b"}) {
        const string text = string(local) + "@example.com";
        EXPECT_EQ(parse_mailbox(text).error(), AddressFault::syntax) << text;
        const auto address = parse_mailbox(text, LocalPart::loose);
        ASSERT_TRUE(address) << text;
        EXPECT_TRUE(address->quote);
        const string wire = wire_mailbox(*address);
        EXPECT_EQ(wire, "\"" + string(local) + "\"@example.com");
        const auto again = parse_mailbox(wire);
        ASSERT_TRUE(again) << wire;
        EXPECT_EQ(wire_mailbox(*again), wire);
    }
    for (const string_view text :
         {".@example.com", "..@example.com", "@example.com", "a..@b..c.example"})
        EXPECT_FALSE(parse_mailbox(text, LocalPart::loose)) << text;
    EXPECT_EQ(wire_mailbox(*parse_mailbox("a.b@example.com", LocalPart::loose)), "a.b@example.com");
    const string longest(62, 'a');
    EXPECT_TRUE(parse_mailbox(longest.substr(1) + ".@example.com", LocalPart::loose));
    EXPECT_EQ(parse_mailbox(longest + ".@example.com", LocalPart::loose).error(),
              AddressFault::too_long);
}

TEST(Mailbox, reads_utf8) {
    for (const string_view text :
         {"Ĳ@example.com", "user@bücher.example", "\"пример test\"@example.com", "用户@例子.广告",
          "😀@example.com"}) {
        const auto address = parse_mailbox(text);
        ASSERT_TRUE(address) << text;
        EXPECT_TRUE(address->utf8);
    }
}

TEST(Utf8, knows_valid_sequences) {
    EXPECT_EQ(core::utf8_sequence("a"), 1U);
    EXPECT_EQ(core::utf8_sequence("\xc3\xa9"), 2U);
    EXPECT_EQ(core::utf8_sequence("\xe2\x82\xac"), 3U);
    EXPECT_EQ(core::utf8_sequence("\xf0\x9f\x98\x80"), 4U);
    for (const string_view text :
         {"", "\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xe2\x28\xa1"}) {
        EXPECT_EQ(core::utf8_sequence(text), 0U);
    }
}

TEST(Path, reads_null_and_rest) {
    const auto null = parse_path("<> SIZE=10");
    ASSERT_TRUE(null);
    EXPECT_TRUE(null->null);
    EXPECT_EQ(null->rest, " SIZE=10");
    const auto path = parse_path("<\"a>b\"@example.com> X=<y>");
    ASSERT_TRUE(path);
    EXPECT_FALSE(path->null);
    EXPECT_EQ(path->address.mailbox, "\"a>b\"@example.com");
    EXPECT_EQ(path->rest, " X=<y>");
}

TEST(Path, drops_the_source_route) {
    const auto path = parse_path("<@hosta.int,@jkl.org:userc@d.bar.org>");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->address.mailbox, "userc@d.bar.org");
    EXPECT_EQ(path->address.domain, "d.bar.org");
    EXPECT_EQ(path->rest, "");
    EXPECT_FALSE(parse_path("<@hosta.int>"));
    EXPECT_FALSE(parse_path("<@hosta.int:>"));
    EXPECT_FALSE(parse_path("<@hosta.int,userc@d.bar.org>"));
    EXPECT_FALSE(parse_path("<hosta.int:userc@d.bar.org>"));
}

TEST(Path, refuses_what_is_not_one) {
    for (const string_view text : {"", "a@b.com", "<a@b.com", "a@b.com>", "< a@b.com>",
                                   "<a@b.com >", "<<a@b.com>>", "<", "<a@b.com\r>"}) {
        EXPECT_EQ(parse_path(text).error(), AddressFault::syntax) << text;
    }
    EXPECT_EQ(parse_path("<postmaster>").error(), AddressFault::unqualified);
    EXPECT_EQ(parse_path("<a@host> X").error(), AddressFault::unqualified);
}

TEST(Domain, is_a_name_or_a_literal) {
    EXPECT_TRUE(is_domain("example.com"));
    EXPECT_TRUE(is_domain("localhost"));
    EXPECT_FALSE(is_domain(""));
    EXPECT_FALSE(is_domain("example.com."));
    EXPECT_FALSE(is_domain("a b"));
    EXPECT_FALSE(is_domain("a)b"));
    EXPECT_TRUE(is_address_literal("[127.0.0.1]"));
    EXPECT_TRUE(is_address_literal("[ipv6:::1]"));
    EXPECT_FALSE(is_address_literal("127.0.0.1"));
    EXPECT_FALSE(is_address_literal("[::1]"));
}

}  // namespace
}  // namespace relay
