#include "relay/smtp/extensions.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/ascii.h"

namespace relay {

Extensions Extensions::read(std::string_view text) {
    Extensions found;
    bool first = true;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (std::exchange(first, false)) continue;
        // "AUTH=LOGIN" is what servers said to clients from before RFC 2554.
        const std::size_t space = std::min(line.find_first_of(" ="), line.size());
        const std::string_view keyword = line.substr(0, space);
        const std::string_view value = core::trim(line.substr(std::min(space + 1, line.size())));
        const auto is = [&](std::string_view word) {
            return core::equals_ignoring_case(keyword, word);
        };
        if (is("PIPELINING")) found.pipelining = true;
        if (is("CHUNKING")) found.chunking = true;
        if (is("8BITMIME")) found.eight_bit = true;
        if (is("SMTPUTF8")) found.utf8 = true;
        if (is("ENHANCEDSTATUSCODES")) found.enhanced_codes = true;
        if (is("DSN")) found.dsn = true;
        if (is("STARTTLS")) found.starttls = true;
        if (is("AUTH")) found.auth.append(found.auth.empty() ? "" : " ").append(value);
        if (is("SIZE")) {
            found.size = true;
            std::from_chars(value.data(), value.data() + value.size(), found.size_limit);
        }
    }
    return found;
}

}  // namespace relay
