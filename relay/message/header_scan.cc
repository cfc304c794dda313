#include "relay/message/header_scan.h"

#include <cstring>

#include "core/base/ascii.h"
#include "core/base/blanks.h"

namespace relay {

namespace {

constexpr std::string_view kReceived = "received";
constexpr std::string_view kTlsRequired = "tls-required";

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

void HeaderScan::keep_first(std::string_view octets) {
    for (const char c : octets.substr(0, first_.size() - first_length_))
        first_[first_length_++] = c;
}

HeaderScan::Beginning HeaderScan::beginning() const {
    if (any_field_) return Beginning::field;
    const std::string_view first(first_.data(), first_length_);
    if (first.empty() || first.starts_with("\r\n")) return Beginning::nothing;
    if (first.starts_with("\xef\xbb\xbf")) return Beginning::byte_order_mark;
    if (first.starts_with("From ") || first == ">From ") return Beginning::mbox_line;
    return Beginning::other;
}

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
        if (watching_) watch_value(octets.substr(0, length));
        octets.remove_prefix(length);
    }
}

void HeaderScan::step(char c) {
    if (place_ == Place::line_start) {
        if (core::is_blank(c) && any_field_) {  // a folded value goes on (RFC 5322 section 2.2.3)
            place_ = Place::value;
            return;
        }
        place_ = Place::name;
        name_length_ = matched_ = matched_tls_ = 0;
    }
    if (c == ':' && name_length_ > 0) {
        end_name();
    } else if (core::is_blank(c) && name_length_ > 0) {  // before the colon: RFC 5322 section 4.5
        place_ = Place::name_space;
    } else if (place_ == Place::name && is_ftext(c)) {
        if (matched_ == name_length_ && matched_ < kReceived.size() &&
            core::ascii_lower(c) == kReceived[matched_]) {
            ++matched_;
        }
        if (matched_tls_ == name_length_ && matched_tls_ < kTlsRequired.size() &&
            core::ascii_lower(c) == kTlsRequired[matched_tls_]) {
            ++matched_tls_;
        }
        ++name_length_;
    } else {
        ended_ = true;
    }
}

void HeaderScan::end_name() {
    if (matched_ == kReceived.size() && name_length_ == matched_) ++received_;
    waived_ = tls_waived();
    watching_ = matched_tls_ == kTlsRequired.size() && name_length_ == matched_tls_;
    value_ = {};
    value_length_ = 0;
    any_field_ = true;
    place_ = Place::value;
}

void HeaderScan::watch_value(std::string_view octets) {
    for (const char c : octets) {
        if (core::is_blank(c) || c == '\r' || c == '\n') continue;
        if (value_length_ == value_.size()) return;
        value_[value_length_++] = core::ascii_lower(c);
    }
}

}  // namespace relay
