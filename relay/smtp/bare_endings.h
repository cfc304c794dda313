// BareEndings: what content gets for a CR without LF, an LF without CR, or a NUL. A listener's
// setting. Plain value; see ContentDecoder.
#pragma once

#include <cstdint>

namespace relay {

enum class BareEndings : std::uint8_t { reject, normalize };

}  // namespace relay
