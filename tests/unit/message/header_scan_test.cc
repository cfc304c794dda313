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

TEST(HeaderScan, CountsReceivedFields) {
    expect(
        "Received: a\r\nRECEIVED: b\r\n\tReceived: c\r\nreceived : d\r\nX-Received: e\r\n"
        "Received-SPF: f\r\nReceive: g\r\nSubject: Received: h\r\n\r\nReceived: i\r\n",
        {3, false, true});
}

TEST(HeaderScan, SeesUtf8InFieldsOnly) {
    expect("Subject: \xc3\xa9\r\n\r\nbody\r\n", {0, true, true});
    expect("Subject: e\r\n\t\xc3\xa9\r\n\r\n", {0, true, true});
    expect("Subject: e\r\n\r\n\xc3\xa9\r\n", {0, false, true});
}

TEST(HeaderScan, EndsAtTheFirstLineThatIsNoField) {
    expect("h\xc3\xa9llo: x\r\nReceived: a\r\n", {0, false, true});
    expect("hello there\r\nReceived: a\r\n", {0, false, true});
    expect(" folded: x\r\nReceived: a\r\n", {0, false, true});
    expect("\r\nReceived: a\r\n", {0, false, true});
    expect(": x\r\nReceived: a\r\n", {0, false, true});
    expect("Subject: x\r\n", {0, false, false});
}

}  // namespace
}  // namespace relay
