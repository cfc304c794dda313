// ask_proxy(): what is said over a connection to the proxy of an egress source, before the server's
// words come: the PROXY header, or the dialogue of SOCKS5. Who calls it sets the deadline of the
// stream and owns both. What the proxy sends after its last reply stays unread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/net/byte_stream.h"
#include "core/runtime/task.h"
#include "relay/egress/source.h"

namespace relay {

struct ProxyAnswer {
    enum class Kind : std::uint8_t {
        connected,
        proxy_failed,  // it does not work, whoever the peer is
        peer_failed,   // it could not reach the peer
    };
    Kind kind = Kind::connected;
    std::string reason;  // in the middle of a sentence
};

// The source has a proxy, and reaches the peer.
core::Task<ProxyAnswer> ask_proxy(core::ByteStream* stream,
                                  std::shared_ptr<const EgressSource> source,
                                  core::SocketAddress peer);

}  // namespace relay
