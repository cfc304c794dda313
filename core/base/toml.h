// A TOML document as a tree of values that know their lines, so that whoever reads a configuration
// can say where a mistake is. Parsed by toml++, which stays out of this header. Pure. Members of a
// table come in the order of their keys, not of the text. Limits: kMostTomlOctets of text; nesting
// as toml++ limits it (256).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace core {

inline constexpr std::size_t kMostTomlOctets = 4U << 20;

struct TomlMember;

struct TomlValue {
    enum class Kind : std::uint8_t { text, integer, real, boolean, date, array, table };

    Kind kind = Kind::table;
    int line = 0;
    std::string text;  // of a string, or of a date without a time: "2026-12-01"
    std::int64_t integer = 0;
    double real = 0;
    bool boolean = false;
    std::vector<TomlValue> items;     // of an array
    std::vector<TomlMember> members;  // of a table

    const TomlMember* find(std::string_view key) const;
};

struct TomlMember {
    std::string key;
    int line = 0;  // of the key
    TomlValue value;
};

// "a string", "an array", ... for sentences.
std::string_view to_string(TomlValue::Kind kind);

struct TomlError {
    int line = 0;
    std::string sentence;
};

std::expected<TomlValue, TomlError> parse_toml(std::string_view text);

}  // namespace core
