// ContentText: a message as a caller of the HTTP interface writes it, with LF or CRLF line ends,
// becomes the octets that SMTP carries. Pure; one owner. Text is fed in pieces, the result does not
// depend on how it was cut. Every line ends in CRLF afterwards; a CR that is not part of a line
// end, a NUL, or a line longer than kMaxContentLine is refused, so that no receiver sees lines
// where we see none (RFC 5321 section 2.3.8, RFC 5322 section 2.1.1). What does not begin with a
// header field is refused too: fields that a relay puts before it would be all the header there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/message/content.h"
#include "relay/message/header_scan.h"

namespace relay {

bool has_octets_above_127(std::string_view text);

class ContentText {
  public:
    // Appends to content, which holds whole lines (or nothing) before and outlives this.
    explicit ContentText(Content& content) : content_(content) {}

    // A sentence for the caller: this is no mail, and content is of no use.
    std::optional<std::string> feed(std::string_view text);
    // The text has ended; the content can be sealed.
    std::optional<std::string> finish();

    bool eight_bit() const { return eight_bit_; }  // octets above 127
    const HeaderScan& header() const { return scan_; }

  private:
    std::optional<std::string> check(std::string_view line);
    std::optional<std::string> take_partial(std::string_view& text);
    std::optional<std::string> keep_partial(std::string_view text);
    std::size_t take_lines(std::string_view text, std::optional<std::string>& fault);
    void scan(std::string_view line);

    Content& content_;
    HeaderScan scan_;
    std::string partial_;       // a line whose end has not come
    std::uint64_t number_ = 0;  // of the line at hand
    bool eight_bit_ = false;
};

}  // namespace relay
