#include "relay/message/header_scan.h"

#include <cstring>

#include "core/base/ascii.h"

namespace relay {

namespace {

constexpr std::string_view kReceived = "received";

bool is_space(char c) {
    return c == ' ' || c == '\t';
}
bool is_ftext(char c) {
    return c > 32 && c < 127 && c != ':';
}

bool has_high_octet(std::string_view octets) {
    unsigned char seen = 0;
    for (const char c : octets)
        seen |= static_cast<unsigned char>(c);
    return seen >= 0x80;
}

}  // namespace

void HeaderScan::scan(std::string_view octets) {
    while (!octets.empty() && !ended_) {
        if (place_ != Place::value) {
            step(octets.front());
            octets.remove_prefix(1);
            continue;
        }
        const void* found = std::memchr(octets.data(), '\n', octets.size());
        std::size_t length = octets.size();
        if (found != nullptr) {
            length = static_cast<std::size_t>(static_cast<const char*>(found) - octets.data()) + 1;
            place_ = Place::line_start;
        }
        utf8_ = utf8_ || has_high_octet(octets.substr(0, length));
        octets.remove_prefix(length);
    }
}

void HeaderScan::step(char c) {
    if (place_ == Place::line_start) {
        if (is_space(c) && any_field_) {  // a folded value goes on (RFC 5322 section 2.2.3)
            place_ = Place::value;
            return;
        }
        place_ = Place::name;
        name_length_ = matched_ = 0;
    }
    if (c == ':' && name_length_ > 0) {
        end_name();
    } else if (is_space(c) && name_length_ > 0) {  // before the colon: RFC 5322 section 4.5
        place_ = Place::name_space;
    } else if (place_ == Place::name && is_ftext(c)) {
        if (matched_ == name_length_ && matched_ < kReceived.size() &&
            core::ascii_lower(c) == kReceived[matched_]) {
            ++matched_;
        }
        ++name_length_;
    } else {
        ended_ = true;
    }
}

void HeaderScan::end_name() {
    if (matched_ == kReceived.size() && name_length_ == matched_) ++received_;
    any_field_ = true;
    place_ = Place::value;
}

}  // namespace relay
