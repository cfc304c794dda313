#include "core/base/toml.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace core {
namespace {

int line_of(const toml::source_region& source) {
    return static_cast<int>(source.begin.line);
}

// Recursion is bounded by the nesting that toml++ accepts.
TomlValue convert(const toml::node& node) {
    using Kind = TomlValue::Kind;
    TomlValue value;
    value.line = line_of(node.source());
    if (const auto* text = node.as_string()) {
        value.kind = Kind::text;
        value.text = text->get();
    } else if (const auto* integer = node.as_integer()) {
        value.kind = Kind::integer;
        value.integer = integer->get();
    } else if (const auto* real = node.as_floating_point()) {
        value.kind = Kind::real;
        value.real = real->get();
    } else if (const auto* boolean = node.as_boolean()) {
        value.kind = Kind::boolean;
        value.boolean = boolean->get();
    } else if (const auto* array = node.as_array()) {
        value.kind = Kind::array;
        for (const toml::node& item : *array)
            value.items.push_back(convert(item));
    } else if (const auto* table = node.as_table()) {
        value.kind = Kind::table;
        for (const auto& [key, member] : *table) {
            value.members.push_back(
                {std::string(key.str()), line_of(key.source()), convert(member)});
        }
    } else {
        value.kind = Kind::date;
    }
    return value;
}

}  // namespace

const TomlMember* TomlValue::find(std::string_view key) const {
    const auto found = std::ranges::find(members, key, &TomlMember::key);
    return found == members.end() ? nullptr : &*found;
}

std::string_view to_string(TomlValue::Kind kind) {
    switch (kind) {
        case TomlValue::Kind::text:
            return "a string";
        case TomlValue::Kind::integer:
            return "an integer";
        case TomlValue::Kind::real:
            return "a number with a fraction";
        case TomlValue::Kind::boolean:
            return "true or false";
        case TomlValue::Kind::date:
            return "a date or time";
        case TomlValue::Kind::array:
            return "an array";
        case TomlValue::Kind::table:
            return "a table";
    }
    PH_ASSERT(false && "a kind of TOML value");
    std::unreachable();
}

std::expected<TomlValue, TomlError> parse_toml(std::string_view text) {
    if (text.size() > kMostTomlOctets) {
        return std::unexpected(TomlError{0, "the file is larger than 4 MiB"});
    }
    const toml::parse_result result = toml::parse(text);
    if (!result) {
        const toml::parse_error& error = result.error();
        return std::unexpected(
            TomlError{line_of(error.source()), std::string(error.description())});
    }
    return convert(result.table());
}

}  // namespace core
