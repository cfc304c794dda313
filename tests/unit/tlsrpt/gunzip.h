// gunzipped(): what a gzip file holds, for tests: reports and fuzzing. Empty when it is none, or
// when it holds more than 4 MiB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <isa-l/igzip_lib.h>

namespace relay::test {

inline std::string gunzipped(std::string_view file) {
    std::vector<std::uint8_t> input(file.begin(), file.end());
    std::vector<std::uint8_t> output(std::size_t{4} << 20);
    inflate_state state;
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    state.next_in = input.data();
    state.avail_in = static_cast<std::uint32_t>(input.size());
    state.next_out = output.data();
    state.avail_out = static_cast<std::uint32_t>(output.size());
    if (isal_inflate(&state) != ISAL_DECOMP_OK || state.block_state != ISAL_BLOCK_FINISH) return {};
    return {output.begin(), output.begin() + state.total_out};
}

}  // namespace relay::test
