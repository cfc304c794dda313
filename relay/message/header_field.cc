#include "relay/message/header_field.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace relay {

std::string_view header_section(std::string_view text) {
    if (text.starts_with("\r\n")) return {};
    const std::size_t end = text.find("\r\n\r\n");
    return end == std::string_view::npos ? text : text.substr(0, end + 2);
}

std::string_view header_field(std::string_view head, std::string_view name) {
    head = header_section(head);
    while (!head.empty()) {
        // A field ends at the first line that does not begin with white space.
        std::size_t end = 0;
        do {
            end = head.find("\r\n", end);
            end = end == std::string_view::npos ? head.size() : end + 2;
        } while (end < head.size() && (head[end] == ' ' || head[end] == '\t'));
        const std::string_view field = head.substr(0, end);
        head.remove_prefix(end);
        const std::size_t colon = field.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view found = core::trim(field.substr(0, colon));
        if (core::equals_ignoring_case(found, name)) return core::trim(field.substr(colon + 1));
    }
    return {};
}

}  // namespace relay
