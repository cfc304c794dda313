#include "relay/tlsrpt/record.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

// The places as text, joined by blanks.
std::string places(const std::vector<std::string>& records) {
    std::string all;
    for (const ReportPlace& place : report_places(records))
        all += (all.empty() ? "" : " ") + place.to_string();
    return all;
}

// RFC 8460 section 3.1.
TEST(TlsReportRecord, reads_the_examples_of_the_rfc) {
    EXPECT_EQ(places({"v=TLSRPTv1;rua=mailto:reports@example.com"}), "mailto:reports@example.com");
    EXPECT_EQ(places({"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"}),
              "https://reporting.example.com/v1/tlsrpt");
}

TEST(TlsReportRecord, takes_several_places_once_each) {
    EXPECT_EQ(
        places({"v=TLSRPTv1; rua=mailto:a@x.example , https://x.example/,mailto:a@x.example;"}),
        "mailto:a@x.example https://x.example/");
    EXPECT_EQ(places({"v=TLSRPTv1;rua=ftp://x.example/a,mailto:a@x.example"}),
              "mailto:a@x.example");
    std::string many = "v=TLSRPTv1;rua=mailto:a0@x.example";
    for (int i = 1; i < 20; ++i)
        many += ",mailto:a" + std::to_string(i) + "@x.example";
    EXPECT_EQ(report_places(std::vector{many}).size(), kMostPlaces);
}

TEST(TlsReportRecord, unknown_fields_are_passed_over) {
    EXPECT_EQ(places({"v=TLSRPTv1; ext-1=some:thing; rua=mailto:a@x.example; z=1 ;"}),
              "mailto:a@x.example");
}

// Section 3: what does not begin so does not count; of the rest exactly one.
TEST(TlsReportRecord, exactly_one_record_counts) {
    const std::string good = "v=TLSRPTv1; rua=mailto:a@x.example";
    EXPECT_EQ(places({"v=spf1 -all", good, "something"}), "mailto:a@x.example");
    EXPECT_EQ(places({good, "v=TLSRPTv1; rua=mailto:b@x.example"}), "");
    EXPECT_EQ(places({}), "");
    EXPECT_EQ(places({"v=TLSRPTv2; rua=mailto:a@x.example"}), "");
    EXPECT_EQ(places({"v=tlsrptv1; rua=mailto:a@x.example"}), "");
    EXPECT_EQ(places({"v=TLSRPTv1 ; rua=mailto:a@x.example"}), "");
    EXPECT_EQ(places({" v=TLSRPTv1; rua=mailto:a@x.example"}), "");
    EXPECT_EQ(places({"v=TLSRPTv1"}), "");
}

TEST(TlsReportRecord, what_is_malformed_is_none) {
    for (const char* fields : {"", ";", "rua", "rua=", "RUA=mailto:a@x.example",
                               "rua=mailto:a@x.example; broken", "rua=mailto:a@x.example;; a=b",
                               "-a=b; rua=mailto:a@x.example", "a=b c; rua=mailto:a@x.example",
                               "rua=a@x.example", "rua=mailto:", "rua=mailto:a", "rua=https://"}) {
        EXPECT_EQ(places({std::string("v=TLSRPTv1;") + fields}), "") << fields;
    }
}

TEST(TlsReportRecord, mailboxes_are_percent_decoded) {
    EXPECT_EQ(parse_mailto("MAILTO:tls%2Dreports@x.example?subject=hello"),
              "tls-reports@x.example");
    for (const char* bad :
         {"mailto:a%2@x.example", "mailto:a%zz@x.example", "mailto:a%0Ab@x.example",
          "mailto:a@[192.0.2.1]", "mailto:a@x", "mailto:%C3%A9@x.example", "mail:a@x.example"}) {
        EXPECT_EQ(parse_mailto(bad), std::nullopt) << bad;
    }
}

TEST(TlsReportRecord, urls_are_names_with_a_path) {
    const auto text = [](std::string_view url) {
        const auto parsed = parse_https_url(url);
        return parsed ? parsed->to_string() : "";
    };
    EXPECT_EQ(text("HTTPS://X.Example"), "https://x.example/");
    EXPECT_EQ(text("https://x.example:443/a"), "https://x.example/a");
    EXPECT_EQ(text("https://x.example:8443/a?b=c#d"), "https://x.example:8443/a?b=c");
    EXPECT_EQ(text("https://x.example?b"), "https://x.example/?b");
    for (const char* bad :
         {"http://x.example/", "https:///a", "https://x/", "https://user@x.example/",
          "https://192.0.2.1/", "https://[2001:db8::1]/", "https://x.example:0/",
          "https://x.example:65536/", "https://x.example:a/", "https://x.example/a b",
          "https://x..example/", "https://x.example./", "https://-x.example/"}) {
        EXPECT_EQ(text(bad), "") << bad;
    }
    EXPECT_EQ(text("https://x.example/" + std::string(kMostUrl, 'a')), "");
}

}  // namespace
}  // namespace relay
