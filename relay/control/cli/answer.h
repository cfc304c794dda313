// Values of an answer's JSON, for printing. What is absent, or of another kind, is empty or zero,
// so that a newer relay can be asked too. Pure but for stdout.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace relay {

inline std::string text(simdjson::dom::element object, const char* key) {
    std::string_view value;
    if (object[key].get(value)) return {};
    return std::string(value);
}

inline std::uint64_t number(simdjson::dom::element object, const char* key) {
    std::uint64_t value = 0;
    if (object[key].get(value)) return 0;
    return value;
}

inline void print_line(const std::string& line) {
    std::puts(line.c_str());
}

}  // namespace relay
