#include "dns/wire/domain_name.h"

#include <gtest/gtest.h>

namespace dns {
namespace {

TEST(DomainName, normalizes_what_can_have_mail) {
    EXPECT_EQ(mail_domain("Example.COM."), "example.com");
    EXPECT_EQ(mail_domain("localhost"), "localhost");  // absolute, never completed
    EXPECT_EQ(mail_domain("a_b.example"), "a_b.example");
    EXPECT_EQ(mail_domain("1and1.com"), "1and1.com");
    EXPECT_EQ(mail_domain("b\xc3\xbc"
                          "cher.example"),
              "xn--bcher-kva.example");
    EXPECT_EQ(mail_domain("xn--bcher-kva.example"), "xn--bcher-kva.example");
}

TEST(DomainName, refuses_what_cannot) {
    for (const char* text : {"", ".", "a..b", "[192.0.2.1]", "[IPv6:::1]", "192.0.2.1", "::1",
                             "a b.com", "a@b", "a\\046b.com", "1", "\xff\xfe.com"}) {
        EXPECT_FALSE(mail_domain(text)) << text;
    }
    EXPECT_FALSE(mail_domain(std::string(5000, 'a')));
    EXPECT_FALSE(mail_domain(std::string("b\xc3\xbc\0.com", 8)));
}

TEST(AddressLiteral, is_an_address_in_brackets) {
    const auto text = [](std::string_view literal) {
        const auto address = address_literal(literal);
        return address ? address->to_string() : "";
    };
    EXPECT_EQ(text("[192.0.2.1]"), "192.0.2.1");
    EXPECT_EQ(text("[IPv6:2001:DB8::1]"), "2001:db8::1");
    EXPECT_EQ(text("[ipv6:::ffff:192.0.2.1]"), "192.0.2.1");
    for (const char* no :
         {"", "[", "[]", "192.0.2.1", "[192.0.2.1", "192.0.2.1]", "[192.0.2]", "[2001:db8::1]",
          "[IPv6:192.0.2.1]", "[IPv6:]", "[x:y]", "[192.0.2.1]x"}) {
        EXPECT_EQ(text(no), "") << no;
    }
}

}  // namespace
}  // namespace dns
