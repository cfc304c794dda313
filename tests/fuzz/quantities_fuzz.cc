// Quantities and addresses from any text. What parses keeps within its bounds, and an address that
// is written out and read again is the same address.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/assert.h"
#include "core/base/log.h"
#include "core/base/units.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto duration = core::parse_duration(text)) PH_ASSERT(duration->count() >= 0);
    if (const auto rate = core::parse_rate(text)) {
        PH_ASSERT(rate->count > 0 && rate->interval().count() > 0);
    }
    if (const auto octets = core::parse_size(text)) PH_ASSERT(*octets <= (~0ULL >> 1));
    if (const auto ip = core::IpAddress::parse(text)) {
        PH_ASSERT(core::IpAddress::parse(ip->to_string()) == *ip);
        PH_ASSERT(core::IpNetwork::parse(text)->contains(*ip));
    }
    if (const auto address = core::SocketAddress::parse(text, 25)) {
        PH_ASSERT(core::SocketAddress::parse(address->to_string()) == *address);
        sockaddr_storage storage;
        address->to_native(storage);
        PH_ASSERT(core::SocketAddress::from_native(reinterpret_cast<sockaddr*>(&storage)) ==
                  *address);
    }
    if (const auto network = core::IpNetwork::parse(text)) {
        PH_ASSERT(core::IpNetwork::parse(network->to_string()) == *network);
        PH_ASSERT(network->prefix_length() >= 0 && network->prefix_length() <= 128);
    }
    const std::string line = core::escaped(text);
    PH_ASSERT(line.find_first_of(std::string_view("\0\r\n\x1b", 4)) == std::string::npos);
    return 0;
}
