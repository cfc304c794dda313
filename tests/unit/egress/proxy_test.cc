#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/egress/proxy_header.h"
#include "relay/egress/socks5.h"

namespace relay {
namespace {

using namespace std::string_literals;
using State = Socks5Dialogue::State;

core::SocketAddress at(const std::string& text) {
    return *core::SocketAddress::parse(text);
}

TEST(ProxyHeader, is_that_of_version_2) {
    EXPECT_EQ(proxy_header(at("192.0.2.1:0"), at("198.51.100.2:25")),
              "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\0\0\0\x19"s);
    const std::string six = proxy_header(at("[2001:db8::1]:0"), at("[2001:db8::2]:587"));
    EXPECT_EQ(six.size(), 16U + 36U);
    EXPECT_EQ(six.substr(12, 4), "\x21\x21\0\x24"s);
    EXPECT_EQ(six.substr(16, 4), "\x20\x01\x0d\xb8"s);
    EXPECT_EQ(six.substr(48), "\0\0\x02\x4b"s);
}

const std::string kChosen = "\x05\0"s;
const std::string kDone = "\x05\0\0\x01\x7f\0\0\x01\x12\x34"s;

std::size_t feed(Socks5Dialogue& dialogue, std::string_view input, std::size_t step) {
    std::size_t all = 0;
    dialogue.output();
    while (all < input.size()) {
        const std::size_t taken = dialogue.input(input.substr(all, step));
        all += taken;
        if (dialogue.output().empty() && taken == 0) break;
    }
    return all;
}

// All at once, and octet by octet: to the same end.
void expect_end(const std::string& input, State state, const std::string& reason,
                const std::string& rest = {}, std::optional<core::IpAddress> source = {}) {
    for (const std::size_t step : {std::size_t{1}, input.size()}) {
        Socks5Dialogue dialogue(at("198.51.100.2:25"), source);
        EXPECT_EQ(feed(dialogue, input, step), input.size() - rest.size());
        EXPECT_EQ(dialogue.state(), state);
        EXPECT_EQ(dialogue.reason(), reason);
    }
}

TEST(Socks5, asks_for_the_destination_and_leaves_the_servers_words) {
    Socks5Dialogue dialogue(at("198.51.100.2:25"), std::nullopt);
    EXPECT_EQ(dialogue.output(), "\x05\x01\0"s);
    EXPECT_EQ(dialogue.output(), "");
    EXPECT_EQ(dialogue.input(kChosen), 2U);
    EXPECT_EQ(dialogue.output(), "\x05\x01\0\x01\xc6\x33\x64\x02\0\x19"s);
    EXPECT_EQ(dialogue.input(kDone + "220 mx"), kDone.size());
    EXPECT_EQ(dialogue.state(), State::connected);
    expect_end(kChosen + kDone + "220 mx", State::connected, "", "220 mx");
    expect_end(kChosen + "\x05\0\0\x03\x04"s + "host\0\0"s + "220", State::connected, "", "220");
    expect_end(kChosen + "\x05\0\0\x04"s + std::string(18, '\1') + "2", State::connected, "", "2");
}

TEST(Socks5, a_source_is_asked_for_by_bind) {
    const auto source = core::IpAddress::parse("2001:db8::9");
    Socks5Dialogue dialogue(at("[2001:db8::2]:25"), *source);
    dialogue.output();
    dialogue.input(kChosen);
    EXPECT_EQ(dialogue.output().substr(0, 8), "\x05\x02\0\x04\x20\x01\x0d\xb8"s);
    EXPECT_EQ(dialogue.input(kDone), kDone.size());
    EXPECT_EQ(dialogue.state(), State::connecting);
    EXPECT_EQ(dialogue.output().substr(0, 4), "\x05\x01\0\x04"s);
    EXPECT_EQ(dialogue.input(kDone), kDone.size());
    EXPECT_EQ(dialogue.state(), State::connected);
    expect_end(kChosen + "\x05\x07\0\x01\0\0\0\0\0\0"s, State::proxy_failed,
               "cannot connect from 192.0.2.7: command is not supported", {},
               *core::IpAddress::parse("192.0.2.7"));
}

TEST(Socks5, tells_failures_of_the_proxy_from_those_of_the_peer) {
    expect_end("HT", State::proxy_failed, "does not speak SOCKS5");
    expect_end("\x05\xff", State::proxy_failed, "wants authentication");
    expect_end(kChosen + "\x04\x01\0\0\0"s, State::proxy_failed, "does not speak SOCKS5");
    expect_end(kChosen + "\x05\0\0\x09\0"s, State::proxy_failed,
               "sent a reply with an address of no known type");
    const std::string nowhere = "\0\x01\0\0\0\0\0\0"s;
    const std::vector<std::pair<char, State>> codes{
        {1, State::proxy_failed}, {2, State::proxy_failed}, {3, State::peer_failed},
        {4, State::peer_failed},  {5, State::peer_failed},  {6, State::peer_failed},
        {7, State::proxy_failed}, {8, State::proxy_failed}, {99, State::proxy_failed}};
    for (const auto& [code, state] : codes) {
        Socks5Dialogue dialogue(at("198.51.100.2:25"), std::nullopt);
        feed(dialogue, kChosen + "\x05" + code + nowhere, 1);
        EXPECT_EQ(dialogue.state(), state) << int{code};
        EXPECT_FALSE(dialogue.reason().empty());
        EXPECT_EQ(dialogue.output(), "");
    }
}

}  // namespace
}  // namespace relay
