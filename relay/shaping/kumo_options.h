// KumoOption: an option of KumoMTA's that this version does not have. A shaping file may say it: a
// value of the right kind is a warning that says what holds instead, and a value that asks for what
// is done anyway is not even that. Pure values that live for ever.
#pragma once

#include <span>
#include <string_view>

#include "core/base/toml.h"

namespace relay {

struct KumoOption {
    enum class Form : std::uint8_t { number, limit, flag, text, time, rate, list, limits, rates };

    std::string_view name;
    Form form = Form::text;
    std::string_view instead;  // the sentence after "has no effect: "
    std::string_view same{};   // the value, as TOML has it, that is what is done anyway

    // Empty: the value is of the right kind; otherwise what it must be.
    std::string_view complaint(const core::TomlValue& value) const;
    bool is_same(const core::TomlValue& value) const;
};

std::span<const KumoOption> kumo_options();
const KumoOption* find_kumo_option(std::string_view name);  // nullptr: there is none

}  // namespace relay
