// The shaping file of the program: the providers that most mail goes to, with what they allow. The
// operator's files come over it (docs/configuration.md, "Built-in providers").
#pragma once

#include <string_view>

#include "relay/shaping/policy.h"

namespace relay {

inline constexpr std::string_view kBuiltInShapingFile = "built-in shaping file";

std::string_view built_in_shaping_text();
inline ShapingText built_in_shaping() {
    return {std::string(kBuiltInShapingFile), std::string(built_in_shaping_text())};
}

}  // namespace relay
