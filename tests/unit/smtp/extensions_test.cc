#include "relay/smtp/extensions.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

Extensions offered(const std::string& line) {
    return Extensions::read("mx.example\nPIPELINING\n" + line + "\n8BITMIME");
}

TEST(Extensions, limits_are_read) {
    const Extensions found = offered("LIMITS MAILMAX=20 rcptmax=999999  RCPTDOMAINMAX=1");
    EXPECT_EQ(found.mail_max, 20U);
    EXPECT_EQ(found.rcpt_max, 999'999U);
    EXPECT_EQ(found.rcpt_domain_max, 1U);
    EXPECT_TRUE(found.pipelining && found.eight_bit);
    EXPECT_EQ(offered("LIMITS").mail_max, 0U);
}

TEST(Extensions, limits_that_are_not_known_say_nothing) {
    const Extensions found = offered("LIMITS FOO=bar,baz BAR MAILMAX=7");
    EXPECT_EQ(found.mail_max, 7U);
    EXPECT_EQ(found.rcpt_max, 0U);
}

// RFC 9422 section 3: a client that cannot parse the line goes on as if it were not there.
TEST(Extensions, a_mistake_in_limits_makes_the_line_void) {
    for (const char* line :
         {"LIMITS RCPTMAX=5 MAILMAX=0", "LIMITS RCPTMAX=5 MAILMAX=1000000",
          "LIMITS RCPTMAX=5 MAILMAX=-1", "LIMITS RCPTMAX=5 MAILMAX=7x",
          "LIMITS RCPTMAX=5 MAILMAX=", "LIMITS RCPTMAX=5 MAILMAX", "LIMITS RCPTMAX=5 =5",
          "LIMITS RCPTMAX=5 FOO=a;b", "LIMITS RCPTMAX=5 F_O=1", "LIMITS RCPTMAX=5;"}) {
        EXPECT_EQ(offered(line).rcpt_max, 0U) << line;
        EXPECT_EQ(offered(line).mail_max, 0U) << line;
        EXPECT_TRUE(offered(line).eight_bit) << line;
    }
}

}  // namespace
}  // namespace relay
