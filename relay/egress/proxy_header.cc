#include "relay/egress/proxy_header.h"

#include <string_view>

#include "core/base/assert.h"

namespace relay {

namespace {

void append_address(std::string& out, const core::IpAddress& address) {
    const std::size_t length = address.is_v4() ? 4 : 16;
    out.append(reinterpret_cast<const char*>(address.octets().data()), length);
}

void append_number(std::string& out, std::size_t number) {  // 16 bits in network order
    out.push_back(static_cast<char>(number >> 8 & 0xff));
    out.push_back(static_cast<char>(number & 0xff));
}

}  // namespace

std::string proxy_header(const core::SocketAddress& source,
                         const core::SocketAddress& destination) {
    PH_ASSERT(source.ip.is_v4() == destination.ip.is_v4());
    constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
    constexpr char kVersion2Proxy = 0x21;
    constexpr char kTcp4 = 0x11;
    constexpr char kTcp6 = 0x21;
    const bool v4 = source.ip.is_v4();
    std::string header(kSignature);
    header.push_back(kVersion2Proxy);
    header.push_back(v4 ? kTcp4 : kTcp6);
    append_number(header, v4 ? 12 : 36);
    append_address(header, source.ip);
    append_address(header, destination.ip);
    append_number(header, source.port);
    append_number(header, destination.port);
    return header;
}

}  // namespace relay
