#include "relay/delivery/proxy_handshake.h"

#include <cerrno>

#include "core/base/assert.h"
#include "relay/egress/proxy_header.h"
#include "relay/egress/socks5.h"

namespace relay {

namespace {

using Kind = ProxyAnswer::Kind;

core::Task<ProxyAnswer> say_header(core::ByteStream* stream, std::string header) {
    const auto sent = co_await stream->write(header);
    if (sent) co_return ProxyAnswer{};
    co_return ProxyAnswer{Kind::proxy_failed, sent.error().message()};
}

// While the proxy connects, time that passes is the peer's.
ProxyAnswer lost(const std::error_code& error, Socks5Dialogue::State state) {
    const bool peer = error.value() == ETIMEDOUT && state == Socks5Dialogue::State::connecting;
    return {peer ? Kind::peer_failed : Kind::proxy_failed, error.message()};
}

core::Task<ProxyAnswer> speak_socks5(core::ByteStream* stream, core::SocketAddress peer,
                                     std::optional<core::IpAddress> from) {
    Socks5Dialogue dialogue(peer, from);
    while (!dialogue.is_over()) {
        if (const std::string output = dialogue.output(); !output.empty()) {
            const auto sent = co_await stream->write(output);
            if (!sent) co_return lost(sent.error(), dialogue.state());
        }
        const auto input = co_await stream->read();
        if (!input) co_return lost(input.error(), dialogue.state());
        if (input->empty()) co_return ProxyAnswer{Kind::proxy_failed, "it closed the connection"};
        stream->consume(dialogue.input(*input));
    }
    if (dialogue.state() == Socks5Dialogue::State::connected) co_return ProxyAnswer{};
    const bool peer_failed = dialogue.state() == Socks5Dialogue::State::peer_failed;
    co_return ProxyAnswer{peer_failed ? Kind::peer_failed : Kind::proxy_failed, dialogue.reason()};
}

}  // namespace

core::Task<ProxyAnswer> ask_proxy(core::ByteStream* stream,
                                  std::shared_ptr<const EgressSource> source,
                                  core::SocketAddress peer) {
    const auto from = EgressSource::for_peer(source->seen(), peer.ip);
    if (source->socks5_proxy_server) co_return co_await speak_socks5(stream, peer, from);
    PH_ASSERT(source->ha_proxy_server && from);
    co_return co_await say_header(stream, proxy_header({*from, 0}, peer));
}

}  // namespace relay
