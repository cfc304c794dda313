#include "relay/bounce/asked.h"

#include <array>
#include <utility>

#include "core/base/ascii.h"

namespace relay {

namespace {

using Name = std::pair<std::string_view, Asked>;

constexpr std::array<Name, 8> kNames = {{{"greeting", Asked::greeting},
                                         {"EHLO", Asked::hello},
                                         {"STARTTLS", Asked::starttls},
                                         {"AUTH", Asked::auth},
                                         {"MAIL", Asked::mail},
                                         {"RCPT", Asked::rcpt},
                                         {"DATA", Asked::data},
                                         {"content", Asked::content}}};
// Words of dispositions that rules have other names for.
constexpr std::array<Name, 5> kOthers = {{{"connect", Asked::greeting},
                                          {"HELO", Asked::hello},
                                          {"RSET", Asked::mail},
                                          {"BDAT", Asked::content},
                                          {".", Asked::content}}};

}  // namespace

std::optional<Asked> asked_named(std::string_view name) {
    for (const auto& [each, asked] : kNames) {
        if (core::equals_ignoring_case(name, each)) return asked;
    }
    return std::nullopt;
}

Asked asked_by(std::string_view command) {
    for (const auto& [each, asked] : kOthers) {
        if (command == each) return asked;
    }
    return asked_named(command).value_or(Asked::nothing);
}

}  // namespace relay
