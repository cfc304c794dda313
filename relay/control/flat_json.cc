#include "relay/control/flat_json.h"

#include <charconv>

#include <simdjson.h>

namespace relay {

core::Result<FlatJson> FlatJson::parse(std::string_view text) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (const auto wrong = parser.parse(text.data(), text.size()).get(root)) {
        return core::failure("the body is not JSON: " +
                             std::string(simdjson::error_message(wrong)));
    }
    simdjson::dom::object object;
    if (root.get(object)) return core::failure("the body must be a JSON object");
    FlatJson flat;
    for (const simdjson::dom::key_value_pair field : object) {
        if (field.value.is_null()) continue;
        std::string value;
        std::string_view words;
        std::int64_t number = 0;
        if (!field.value.get(words)) {
            value = words;
        } else if (!field.value.get(number)) {
            value = std::to_string(number);
        } else {
            return core::failure("\"" + std::string(field.key.substr(0, 80)) + "\" must be a text");
        }
        flat.fields_.insert_or_assign(std::string(field.key), std::move(value));
        if (flat.fields_.size() > kMaxFields) {
            return core::failure("the body has more than " + std::to_string(kMaxFields) +
                                 " fields");
        }
    }
    return flat;
}

std::string FlatJson::text(std::string_view name) const {
    const auto found = fields_.find(name);
    return found == fields_.end() ? std::string() : found->second;
}

std::optional<std::int64_t> FlatJson::number(std::string_view name) const {
    const std::string digits = text(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

}  // namespace relay
