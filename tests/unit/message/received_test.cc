#include "relay/message/received.h"

#include <gtest/gtest.h>

namespace relay {
namespace {

core::WallTime at(std::int64_t unix_seconds) {
    return core::WallTime{std::chrono::seconds{unix_seconds}};
}

TEST(DateTime, is_written_as_rfc5322) {
    const auto written = [](std::int64_t seconds) {
        std::string text;
        append_date_time(text, at(seconds));
        return text;
    };
    EXPECT_EQ(written(0), "Thu, 01 Jan 1970 00:00:00 +0000");
    EXPECT_EQ(written(951782399), "Mon, 28 Feb 2000 23:59:59 +0000");
    EXPECT_EQ(written(951782400), "Tue, 29 Feb 2000 00:00:00 +0000");
    EXPECT_EQ(written(1795383905), "Sun, 22 Nov 2026 21:45:05 +0000");
}

TEST(ReceivedField, has_the_clauses_of_section_4_4) {
    ReceivedFields fields{
        .from = "client.example.com",
        .peer = *core::IpAddress::parse("192.0.2.1"),
        .by = "mta1.example.com",
        .with = "ESMTP",
        .id = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        .recipient = "user@example.org",
        .time = at(0),
    };
    EXPECT_EQ(received_field(fields),
              "Received: from client.example.com ([192.0.2.1])\r\n"
              "\tby mta1.example.com with ESMTP id 01ARZ3NDEKTSV4RRFFQ69G5FAV\r\n"
              "\tfor <user@example.org>;\r\n"
              "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
    fields.recipient = {};
    fields.peer = *core::IpAddress::parse("2001:db8::1");
    EXPECT_EQ(received_field(fields),
              "Received: from client.example.com ([IPv6:2001:db8::1])\r\n"
              "\tby mta1.example.com with ESMTP id 01ARZ3NDEKTSV4RRFFQ69G5FAV;\r\n"
              "\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
    fields.peer = *core::IpAddress::parse("::ffff:192.0.2.1");
    EXPECT_NE(received_field(fields).find("([192.0.2.1])"), std::string::npos);
}

// C6: a host without SMTPUTF8 gets this field too.
TEST(ReceivedField, has_no_octet_above_127) {
    const auto with = [](std::string_view from, std::string_view recipient) {
        return received_field({.from = from,
                               .peer = *core::IpAddress::parse("192.0.2.1"),
                               .by = "mta1.example.com",
                               .with = "ESMTP",
                               .id = "ID",
                               .recipient = recipient,
                               .time = at(0)});
    };
    EXPECT_TRUE(with("a",
                     "leser@b\xc3\xbc"
                     "cher.test")
                    .contains("for <leser@xn--bcher-kva.test>;"));
    EXPECT_FALSE(with("a",
                      "l\xc3\xa9"
                      "a@example.test")
                     .contains("for <"));
    EXPECT_FALSE(with("a", "a@\xe2\x98\x83\xe2\x80\x8b.test").contains("\xe2"));
    EXPECT_TRUE(with("b\xc3\xbc"
                     "cher.test",
                     "")
                    .starts_with("Received: from xn--bcher-kva.test ("));
    for (const std::string_view name : {"(none)", "M\xdcLLER-PC", "a;b", "\xff", ""}) {
        EXPECT_TRUE(with(name, "").starts_with("Received: from [192.0.2.1] ([192.0.2.1])\r\n"))
            << name;
    }
}

}  // namespace
}  // namespace relay
