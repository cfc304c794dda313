#include "relay/events/json_text.h"

#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "core/base/json_text.h"
#include "core/base/prng.h"

namespace relay {
namespace {

std::string json(std::string_view text) {
    std::string out;
    core::append_json_string(out, text);
    return out;
}

std::string rfc3339(std::int64_t nanoseconds) {
    std::string out;
    append_rfc3339_string(out, core::WallTime(core::Duration(nanoseconds)));
    return out;
}

TEST(JsonString, escapes_what_must_be) {
    EXPECT_EQ(json(""), "\"\"");
    EXPECT_EQ(json("plain"), "\"plain\"");
    EXPECT_EQ(json("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    EXPECT_EQ(json("\r\n\t"), "\"\\r\\n\\t\"");
    EXPECT_EQ(json(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\\u007f\"");
}

TEST(JsonString, keeps_utf8) {
    EXPECT_EQ(json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac"),
              "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac\"");
    EXPECT_EQ(json("\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"),
              "\"\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
}

// C1 controls, overrides of direction and the like reach nobody's terminal as they are.
TEST(JsonString, escapes_controls_that_people_do_not_see) {
    EXPECT_EQ(json("a\xc2\x9b"
                   "31m"),
              "\"a\\u009b31m\"");
    EXPECT_EQ(json("\xe2\x80\xae"
                   "b\xe2\x81\xa6"),
              "\"\\u202eb\\u2066\"");
    EXPECT_EQ(json("\xe2\x80\xa8\xef\xbb\xbf"), "\"\\u2028\\ufeff\"");
    EXPECT_EQ(json("x\xf3\xa0\x81\x81"), "\"x\\udb40\\udc41\"");  // a tag, U+E0041
    EXPECT_EQ(json("\x9b"
                   "31m"),
              "\"\xef\xbf\xbd"
              "31m\"");
}

TEST(JsonString, replaces_what_is_not_utf8) {
    const std::string r = "\xef\xbf\xbd";
    EXPECT_EQ(json("a\xff\x62"), "\"a" + r + "b\"");
    EXPECT_EQ(json("\xc3"), "\"" + r + "\"");                          // cut
    EXPECT_EQ(json("\xe2\x82"), "\"" + r + r + "\"");                  // cut
    EXPECT_EQ(json("\xe2\x28\xa1"), "\"" + r + "(" + r + "\"");        // wrong continuation
    EXPECT_EQ(json("\xc0\xaf"), "\"" + r + r + "\"");                  // overlong
    EXPECT_EQ(json("\xe0\x80\xaf"), "\"" + r + r + r + "\"");          // overlong
    EXPECT_EQ(json("\xf0\x80\x80\xaf"), "\"" + r + r + r + r + "\"");  // overlong
    EXPECT_EQ(json("\xed\xa0\x80"), "\"" + r + r + r + "\"");          // surrogate
    EXPECT_EQ(json("\xf4\x90\x80\x80"), "\"" + r + r + r + r + "\"");  // above U+10FFFF
    EXPECT_EQ(json("\x80"), "\"" + r + "\"");
    EXPECT_EQ(json("\xe9t\xe9"), "\"" + r + "t" + r + "\"");  // Latin-1
}

// Whatever goes in, a strict parser reads it back; what was ASCII comes back as it was.
TEST(JsonString, is_always_valid_json) {
    core::Prng prng(7);
    simdjson::dom::parser parser;
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        bool ascii = true;
        const std::uint64_t kind = prng.below(3);
        for (std::uint64_t i = prng.below(40); i > 0; --i) {
            const auto octet = static_cast<unsigned char>(kind == 0   ? prng.below(128)
                                                          : kind == 1 ? 128 + prng.below(128)
                                                                      : prng.below(256));
            ascii = ascii && octet < 128;
            text.push_back(static_cast<char>(octet));
        }
        std::string_view back;
        const std::string document = json(text);
        ASSERT_EQ(parser.parse(document).get_string().get(back), simdjson::SUCCESS) << document;
        if (ascii) ASSERT_EQ(back, text);
    }
}

TEST(Rfc3339, writes_utc_with_microseconds) {
    EXPECT_EQ(rfc3339(0), "\"1970-01-01T00:00:00.000000Z\"");
    EXPECT_EQ(rfc3339(1'795'383'000'123'456'789), "\"2026-11-22T21:30:00.123456Z\"");
    EXPECT_EQ(rfc3339(951'782'399'999'999'999), "\"2000-02-28T23:59:59.999999Z\"");
    EXPECT_EQ(rfc3339(951'782'400'000'000'000), "\"2000-02-29T00:00:00.000000Z\"");
    EXPECT_EQ(rfc3339(-1), "\"1969-12-31T23:59:59.999999Z\"");
}

}  // namespace
}  // namespace relay
