#include "relay/message/idna.h"

#include <algorithm>
#include <expected>
#include <memory>
#include <utility>

#include <idn2.h>

#include "core/base/ascii.h"

namespace relay {

namespace {

constexpr std::size_t kMaxDomain = 253;  // RFC 1035 section 2.3.4, as text

struct FreeIdn {
    void operator()(char* text) const { idn2_free(text); }
};

}  // namespace

bool has_utf8(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

namespace {

// As libidn2 says it, in lower case.
std::expected<std::string, int> converted(std::string_view domain) {
    char* found = nullptr;
    const std::string name(domain);
    const int status =
        idn2_to_ascii_8z(name.c_str(), &found, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    const std::unique_ptr<char, FreeIdn> owned(found);
    if (status != IDN2_OK) return std::unexpected(status);
    return core::to_lower(found);
}

}  // namespace

AForm a_form(std::string_view domain) {
    using Fit = AForm::Fit;
    const auto text = converted(domain);
    if (text) return {text->size() <= kMaxDomain ? Fit::fits : Fit::too_long, text->size()};
    const bool too_long = text.error() == IDN2_TOO_BIG_LABEL ||
                          text.error() == IDN2_TOO_BIG_DOMAIN ||
                          text.error() == IDN2_PUNYCODE_BIG_OUTPUT;
    return {too_long ? Fit::too_long : Fit::no_name, 0};
}

std::optional<std::string> to_a_labels(std::string_view domain) {
    if (!has_utf8(domain)) return core::to_lower(domain);
    auto name = converted(domain);
    if (!name) return std::nullopt;
    std::string text = std::move(*name);
    // The mapping may leave what is no name any more, e.g. for a full-width dot at the end.
    const bool sound =
        !text.empty() && text.size() <= kMaxDomain && std::ranges::all_of(text, [](char c) {
            return core::is_alnum(c) || c == '-' || c == '.' || c == '_';
        });
    if (!sound || text.front() == '.' || text.back() == '.' || text.contains("..")) {
        return std::nullopt;
    }
    return text;
}

}  // namespace relay
