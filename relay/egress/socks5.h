// Socks5Dialogue: the client's side of a SOCKS5 connection (RFC 1928, without authentication), from
// the greeting until the proxy has connected us. Where the address that the proxy is to connect
// from is given, BIND asks for it before CONNECT, on the same connection: KumoMTA's proxy knows
// this, others do not. Pure: the caller writes what output() says, and gives input() what comes;
// what follows the last reply is the server's, and stays with the caller. Owned by who connects.
// Limit: a reply has at most kMostReply octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/address.h"

namespace relay {

class Socks5Dialogue {
  public:
    static constexpr std::size_t kMostReply = 4 + 1 + 255 + 2;

    enum class State : std::uint8_t {
        greeting,    // the method is to be chosen
        binding,     // the reply to BIND is to come
        connecting,  // the reply to CONNECT is to come
        connected,
        proxy_failed,  // the proxy does not do it, for whatever destination
        peer_failed,   // the proxy could not reach the destination
    };

    Socks5Dialogue(const core::SocketAddress& destination, std::optional<core::IpAddress> source);

    // What is to be written now; empty: nothing, input is to come.
    std::string output();
    // Takes what is there, as far as it belongs to the dialogue: so many octets. Nothing while
    // there is output: a reply comes after its request.
    std::size_t input(std::string_view octets);

    State state() const { return state_; }
    bool is_over() const { return state_ >= State::connected; }
    // In the middle of a sentence: what failed.
    const std::string& reason() const { return reason_; }

  private:
    std::size_t method(std::string_view octets);
    std::size_t reply(std::string_view octets);
    void replied(std::uint8_t code);
    void fail(State how, std::string reason);
    void request(std::uint8_t command, const core::SocketAddress& address);

    core::SocketAddress destination_;
    std::optional<core::IpAddress> source_;
    State state_ = State::greeting;
    std::string output_;
    std::string held_;  // of a reply that is not whole
    std::string reason_;
};

}  // namespace relay
