#include "relay/egress/socks5.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::uint8_t kVersion = 5;
constexpr std::uint8_t kConnect = 1;
constexpr std::uint8_t kBind = 2;
constexpr std::uint8_t kIpv4 = 1;
constexpr std::uint8_t kDomainName = 3;
constexpr std::uint8_t kIpv6 = 4;

constexpr std::array<std::string_view, 9> kReplies{"succeeded",
                                                   "general failure",
                                                   "not allowed by its rules",
                                                   "network is unreachable",
                                                   "host is unreachable",
                                                   "connection refused",
                                                   "time is over",
                                                   "command is not supported",
                                                   "address family is not supported"};

bool is_of_peer(std::uint8_t code) {
    return code >= 3 && code <= 6;
}

std::uint8_t octet(std::string_view octets, std::size_t place) {
    return static_cast<std::uint8_t>(octets[place]);
}

}  // namespace

Socks5Dialogue::Socks5Dialogue(const core::SocketAddress& destination,
                               std::optional<core::IpAddress> source)
    : destination_(destination),
      source_(source),
      output_{static_cast<char>(kVersion), 1, 0} {}  // one method: no authentication

std::string Socks5Dialogue::output() {
    return std::exchange(output_, {});
}

std::size_t Socks5Dialogue::input(std::string_view octets) {
    std::size_t taken = 0;
    while (!is_over() && output_.empty()) {
        const std::size_t more =
            state_ == State::greeting ? method(octets.substr(taken)) : reply(octets.substr(taken));
        if (more == 0) break;
        taken += more;
    }
    return taken;
}

// Version and method.
std::size_t Socks5Dialogue::method(std::string_view octets) {
    const std::size_t taken = std::min(octets.size(), 2 - held_.size());
    held_.append(octets.substr(0, taken));
    if (held_.size() < 2) return taken;
    const std::string whole = std::exchange(held_, {});
    if (octet(whole, 0) != kVersion) {
        fail(State::proxy_failed, "does not speak SOCKS5");
    } else if (octet(whole, 1) != 0) {
        fail(State::proxy_failed, "wants authentication");
    } else if (source_) {
        state_ = State::binding;
        request(kBind, {*source_, 0});
    } else {
        state_ = State::connecting;
        request(kConnect, destination_);
    }
    return taken;
}

// Version, reply, reserved, type, address, port. How long it is shows in the fifth octet.
std::size_t Socks5Dialogue::reply(std::string_view octets) {
    std::size_t taken = 0;
    const auto take_up_to = [&](std::size_t size) {
        const std::size_t more = std::min(octets.size() - taken, size - held_.size());
        held_.append(octets.substr(taken, more));
        taken += more;
        return held_.size() >= size;
    };
    if (held_.size() < 5 && !take_up_to(5)) return taken;
    if (octet(held_, 0) != kVersion) {
        fail(State::proxy_failed, "does not speak SOCKS5");
        return taken;
    }
    std::size_t address = 0;
    switch (octet(held_, 3)) {
        case kIpv4:
            address = 4;
            break;
        case kIpv6:
            address = 16;
            break;
        case kDomainName:
            address = std::size_t{1} + octet(held_, 4);
            break;
        default:
            fail(State::proxy_failed, "sent a reply with an address of no known type");
            return taken;
    }
    if (!take_up_to(4 + address + 2)) return taken;
    replied(octet(std::exchange(held_, {}), 1));
    return taken;
}

void Socks5Dialogue::replied(std::uint8_t code) {
    const std::string_view word = code < kReplies.size() ? kReplies[code] : "unknown failure";
    if (state_ == State::binding) {
        if (code != 0) {
            std::string reason = "cannot connect from " + source_->to_string() + ": ";
            return fail(State::proxy_failed, reason.append(word));
        }
        state_ = State::connecting;
        return request(kConnect, destination_);
    }
    PH_ASSERT(state_ == State::connecting);
    if (code == 0) {
        state_ = State::connected;
    } else {
        fail(is_of_peer(code) ? State::peer_failed : State::proxy_failed, std::string(word));
    }
}

void Socks5Dialogue::fail(State how, std::string reason) {
    state_ = how;
    reason_ = std::move(reason);
    output_.clear();
}

void Socks5Dialogue::request(std::uint8_t command, const core::SocketAddress& address) {
    const bool v4 = address.ip.is_v4();
    output_ = {static_cast<char>(kVersion), static_cast<char>(command), 0,
               static_cast<char>(v4 ? kIpv4 : kIpv6)};
    output_.append(reinterpret_cast<const char*>(address.ip.octets().data()), v4 ? 4 : 16);
    output_.push_back(static_cast<char>(address.port >> 8));
    output_.push_back(static_cast<char>(address.port & 0xff));
}

}  // namespace relay
