// L1: what a web page makes a browser send is not for us (DNS rebinding).
#include "core/http/site_guard.h"

#include <string>

#include <gtest/gtest.h>

#include "core/http/request_parser.h"

namespace {

// The status for a request with this head; 200: it is for us.
int status_of(const std::string& head) {
    const core::SiteGuard guard({"mta1.example.com", "Relay.Example"});
    core::RequestParser parser;
    const auto failure = parser.parse_head(head + "\r\n");
    if (failure) return failure->status;
    const auto refusal = guard.check(parser.request());
    return refusal ? refusal->status : 200;
}

int host(const std::string& value) {
    return status_of("POST /api/inject/v1 HTTP/1.1\r\nHost: " + value + "\r\n");
}

int origin(const std::string& host, const std::string& value) {
    return status_of("POST / HTTP/1.1\r\nHost: " + host + "\r\nOrigin: " + value + "\r\n");
}

TEST(SiteGuard, a_host_that_is_not_ours_is_misdirected) {
    for (const char* ours : {"192.0.2.1", "192.0.2.1:8025", "[::1]:8025", "[2001:db8::1]",
                             "localhost", "LOCALHOST:8025", "mta1.example.com", "MTA1.example.com.",
                             "mta1.example.com:8025", "relay.example:1"}) {
        EXPECT_EQ(host(ours), 200) << ours;
    }
    for (const char* foreign :
         {"attacker.example", "attacker.example:8025", "localhost.attacker.example",
          "mta1.example.com.attacker.example", "192.0.2.1.attacker.example", "192.0.2.1x",
          "xn--localhost", "localhost@attacker.example", "[::1", "::1", "x"}) {
        EXPECT_EQ(host(foreign), 421) << foreign;
    }
}

TEST(SiteGuard, the_authority_of_an_absolute_target_counts) {
    EXPECT_EQ(status_of("GET http://attacker.example/ HTTP/1.1\r\nHost: localhost\r\n"), 421);
    EXPECT_EQ(status_of("GET http://localhost:8025/ HTTP/1.1\r\nHost: attacker.example\r\n"), 200);
}

TEST(SiteGuard, a_request_without_host_is_no_browsers) {
    EXPECT_EQ(status_of("GET / HTTP/1.0\r\n"), 200);
}

TEST(SiteGuard, a_page_of_another_site_is_refused) {
    EXPECT_EQ(origin("127.0.0.1:8025", "http://127.0.0.1:8025"), 200);
    EXPECT_EQ(origin("mta1.example.com", "https://mta1.example.com"), 200);
    EXPECT_EQ(origin("127.0.0.1:8025", "https://relay.example"), 200);  // a proxy changed Host
    for (const char* foreign :
         {"https://attacker.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:3000",
          "http://127.0.0.1:8025.attacker.example", "file://", "http://localhost:8025",
          "http://mta1.example.com.attacker.example", "attacker"}) {
        EXPECT_EQ(origin("127.0.0.1:8025", foreign), 403) << foreign;
    }
}

}  // namespace
