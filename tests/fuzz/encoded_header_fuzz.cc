// Any octets as a header section given over HTTP: what comes back has no octet above 127 that was
// not there, is as signed as it was, and is the same where there was nothing to encode.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "relay/mime/encoded_header.h"

namespace {

bool is_high(char c) {
    return static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::string encoded = relay::encode_header(input);
    PH_ASSERT(std::ranges::count_if(encoded, is_high) <= std::ranges::count_if(input, is_high));
    if (std::ranges::none_of(input, is_high)) PH_ASSERT(encoded == input);
    PH_ASSERT(relay::is_signed_header(encoded) == relay::is_signed_header(input));
    return 0;
}
