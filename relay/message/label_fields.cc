#include "relay/message/label_fields.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/utf8.h"
#include "relay/message/header_field.h"

namespace relay {

namespace {

// Where the field at the beginning of a header section ends: before the first line that does not
// begin with white space.
std::size_t field_length(std::string_view head) {
    std::size_t end = 0;
    do {
        end = head.find("\r\n", end);
        end = end == std::string_view::npos ? head.size() : end + 2;
    } while (end < head.size() && (head[end] == ' ' || head[end] == '\t'));
    return end;
}

struct Range {
    std::size_t begin;
    std::size_t octets;
};

}  // namespace

std::string_view label_complaint(std::string_view label) {
    if (label.empty() || label.size() > kMaxLabelOctets) return "must have 1 to 128 octets";
    const bool control = std::ranges::any_of(
        label, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
    if (control || !core::is_utf8(label)) return "must be text without control characters";
    return {};
}

LabelFields take_label_fields(Content& content, const LabelFieldNames& names) {
    LabelFields found;
    const std::array<std::pair<std::string_view, std::optional<std::string>*>, 3> wanted{
        {{names.tenant, &found.tenant},
         {names.campaign, &found.campaign},
         {names.priority, &found.priority}}};
    const std::string text = content.head(LabelFields::kMaxLookedThrough);
    const std::string_view section = header_section(text);
    std::vector<Range> cut;
    for (std::size_t at = 0; at < section.size();) {
        const std::size_t length = field_length(section.substr(at));
        const std::string_view field = section.substr(at, length);
        at += length;
        if (at == text.size() && text.size() < content.size()) break;  // its end is not here
        const std::size_t colon = field.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view name = core::trim(field.substr(0, colon));
        for (const auto& [of, into] : wanted) {
            if (of.empty() || !core::equals_ignoring_case(of, name)) continue;
            if (!*into) *into = std::string(core::trim(field.substr(colon + 1)));
            cut.push_back({at - length, length});
            break;
        }
    }
    for (auto range = cut.rbegin(); range != cut.rend(); ++range)
        content.cut(range->begin, range->octets);
    return found;
}

}  // namespace relay
