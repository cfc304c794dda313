#include "core/base/log.h"

#include <string>

#include <gtest/gtest.h>

namespace {

TEST(Escaped, leaves_one_line_whatever_comes) {
    EXPECT_EQ(core::escaped("plain text"), "plain text");
    EXPECT_EQ(core::escaped("a\r\nready\t\x1b[0m\x7f"), "a\\x0d\\x0aready\\x09\\x1b[0m\\x7f");
    EXPECT_EQ(core::escaped(std::string_view("a\0b", 3)), "a\\x00b");
    EXPECT_EQ(core::escaped("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

// What moves a cursor, hides text or turns it round, in one octet or in UTF-8.
TEST(Escaped, shows_every_control_that_people_do_not_see) {
    EXPECT_EQ(core::escaped("a\x9b"
                            "31mb"),
              "a\\x9b31mb");
    EXPECT_EQ(core::escaped("a\xc2\x9b"
                            "31mb"),
              "a\\xc2\\x9b31mb");
    EXPECT_EQ(core::escaped("a\xe2\x80\xaetxt"), "a\\xe2\\x80\\xaetxt");  // U+202E
    EXPECT_EQ(core::escaped("a\xe2\x81\xa6"
                            "b"),
              "a\\xe2\\x81\\xa6"
              "b");                                               // U+2066
    EXPECT_EQ(core::escaped("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");  // U+2028
    EXPECT_EQ(core::escaped("\xff\xc3"), "\\xff\\xc3");
    EXPECT_EQ(core::escaped("\xe4\xbd\xa0 \xf0\x9f\x8e\x89"), "\xe4\xbd\xa0 \xf0\x9f\x8e\x89");
}

TEST(Escaped, cannot_be_forged_by_its_input) {
    EXPECT_EQ(core::escaped("\\x0d"), "\\\\x0d");
}

TEST(Escaped, is_cut_at_its_limit) {
    EXPECT_EQ(core::escaped("0123456789", 10), "0123456789");
    EXPECT_EQ(core::escaped("0123456789x", 10), "0123456789...");
    EXPECT_EQ(core::escaped("12345678\xe4\xbd\xa0", 10), "12345678...");  // no half of one
    EXPECT_LE(core::escaped(std::string(100000, '\n')).size(), 4 * 512U + 3);
}

TEST(Log, writes_a_line_with_its_level) {
    testing::internal::CaptureStderr();
    core::log_info("listening on {}", 25);
    core::log_debug("not shown");
    core::log_error("{}", "braces {} in a value are no format");
    const std::string out = testing::internal::GetCapturedStderr();
    EXPECT_NE(out.find(" info listening on 25\n"), std::string::npos) << out;
    EXPECT_NE(out.find(" error braces {} in a value are no format\n"), std::string::npos) << out;
    EXPECT_EQ(out.find("not shown"), std::string::npos) << out;
}

TEST(Log, shows_debug_when_asked) {
    core::set_log_level(core::LogLevel::kDebug);
    testing::internal::CaptureStderr();
    core::log_debug("now {}", "shown");
    core::set_log_level(core::LogLevel::kInfo);
    EXPECT_NE(testing::internal::GetCapturedStderr().find(" debug now shown\n"), std::string::npos);
}

}  // namespace
