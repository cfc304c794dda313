#include "relay/message/header_scan.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

struct Seen {
    std::size_t received;
    bool utf8;
    bool ended;
    bool operator==(const Seen&) const = default;
};

Seen seen(std::string_view text, std::size_t piece) {
    HeaderScan scan;
    for (std::size_t at = 0; at < text.size(); at += piece)
        scan.feed(text.substr(at, piece));
    return {scan.received_fields(), scan.has_utf8(), scan.ended()};
}

void expect(std::string_view text, const Seen& wanted) {
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        EXPECT_EQ(seen(text, piece), wanted) << text << " in pieces of " << piece;
    }
}

TEST(HeaderScan, counts_received_fields) {
    expect(
        "Received: a\r\nRECEIVED: b\r\n\tReceived: c\r\nreceived : d\r\nX-Received: e\r\n"
        "Received-SPF: f\r\nReceive: g\r\nSubject: Received: h\r\n\r\nReceived: i\r\n",
        {3, false, true});
}

// RFC 8689 section 5: the one value is "No".
TEST(HeaderScan, sees_that_tls_is_not_required) {
    const auto waived = [](std::string_view text) {
        HeaderScan whole;
        whole.feed(text);
        for (std::size_t piece = 1; piece < text.size(); ++piece) {
            HeaderScan scan;
            for (std::size_t at = 0; at < text.size(); at += piece)
                scan.feed(text.substr(at, piece));
            EXPECT_EQ(scan.tls_waived(), whole.tls_waived()) << text << piece;
        }
        return whole.tls_waived();
    };
    for (const char* text : {"TLS-Required: No\r\n\r\n", "tls-required:no\r\nSubject: x\r\n\r\n",
                             "Subject: x\r\nTLS-REQUIRED :\r\n\tNO \r\n\r\n",
                             "TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n"}) {
        EXPECT_TRUE(waived(text)) << text;
    }
    for (const char* text :
         {"TLS-Required: Yes\r\n\r\n", "TLS-Required: None\r\n\r\n", "TLS-Required:\r\n\r\nNo\r\n",
          "TLS-Required: N\r\n\r\n", "X-TLS-Required: No\r\n\r\n", "TLS-Require: No\r\n\r\n",
          "TLS-Requireds: No\r\n\r\n", "Subject: TLS-Required: No\r\n\r\n",
          "Subject: x\r\n\r\nTLS-Required: No\r\n", "TLS-Required: \r\nNo: No\r\n\r\n"}) {
        EXPECT_FALSE(waived(text)) << text;
    }
}

TEST(HeaderScan, sees_utf8_in_fields_only) {
    expect("Subject: \xc3\xa9\r\n\r\nbody\r\n", {0, true, true});
    expect("Subject: e\r\n\t\xc3\xa9\r\n\r\n", {0, true, true});
    expect("Subject: e\r\n\r\n\xc3\xa9\r\n", {0, false, true});
}

TEST(HeaderScan, ends_at_the_first_line_that_is_no_field) {
    expect("h\xc3\xa9llo: x\r\nReceived: a\r\n", {0, false, true});
    expect("hello there\r\nReceived: a\r\n", {0, false, true});
    expect(" folded: x\r\nReceived: a\r\n", {0, false, true});
    expect("\r\nReceived: a\r\n", {0, false, true});
    expect(": x\r\nReceived: a\r\n", {0, false, true});
    expect("Subject: x\r\n", {0, false, false});
}

}  // namespace
}  // namespace relay
