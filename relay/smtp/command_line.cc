#include "relay/smtp/command_line.h"

#include <utility>

namespace relay {

CommandLine::Step CommandLine::feed(std::string_view input) {
    if (std::exchange(ended_, false)) {
        begun_.clear();
        too_long_ = ends_in_cr_ = false;
    }
    const std::size_t lf = input.find('\n');
    const std::size_t length = lf == std::string_view::npos ? input.size() : lf + 1;
    const std::string_view part = input.substr(0, length);
    const bool had_cr = begun_.empty() ? ends_in_cr_ : begun_.back() == '\r';
    too_long_ = too_long_ || begun_.size() + part.size() > kMaxLine;
    if (lf == std::string_view::npos) {
        if (too_long_) {
            begun_.clear();
            ends_in_cr_ = part.ends_with('\r') || (part.empty() && had_cr);
        } else {
            begun_ += part;
        }
        return {length, End::open, {}};
    }
    ended_ = true;
    const bool crlf = length > 1 ? part[length - 2] == '\r' : had_cr;
    if (!crlf) return {length, End::bare_lf, {}};
    if (too_long_) return {length, End::too_long, {}};
    if (begun_.empty()) return {length, End::crlf, part.substr(0, length - 2)};
    begun_ += part;
    return {length, End::crlf, std::string_view(begun_).substr(0, begun_.size() - 2)};
}

}  // namespace relay
