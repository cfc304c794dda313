// Reply: what an SMTP server answered (RFC 5321 section 4.2), and ReplyParser, which reads replies
// from octets as they come. Pure. Tolerant of what real servers send (bare code, LF for CRLF, codes
// with text of any kind), strict about what decides: three digits, equal codes on all lines.
// Limits: kMaxReplyLine octets a line, kMaxReplyLines lines; a reply over them is malformed, and
// the session with it. Of the text the first kMaxReplyText octets are kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/message/disposition.h"

namespace relay {

inline constexpr std::size_t kMaxReplyLine = 4096;
inline constexpr std::size_t kMaxReplyLines = 128;

struct Reply {
    std::uint16_t code = 0;
    EnhancedCode enhanced;  // RFC 3463, when the text begins with one
    std::string text;       // without codes; lines joined by a newline

    bool positive() const { return code >= 200 && code < 300; }
    bool intermediate() const { return code >= 300 && code < 400; }
    bool transient() const { return code >= 400 && code < 500; }
    bool permanent() const { return code >= 500 && code < 600; }
};

class ReplyParser {
  public:
    enum class Status : std::uint8_t { need_input, complete, malformed };

    // Takes octets from the front of input up to the end of one reply.
    Status feed(std::string_view& input);
    // The reply completed last; valid until the next feed().
    const Reply& reply() const { return reply_; }
    bool in_the_middle() const { return lines_ > 0 || !line_.empty(); }

  private:
    Status take_line(std::string_view line);

    Reply reply_;
    std::string line_;  // an incomplete line
    std::size_t lines_ = 0;
};

// The code at the front of text, which must be followed by a space or the end; none: klass 0.
EnhancedCode parse_enhanced_code(std::string_view text, std::size_t* length = nullptr);

}  // namespace relay
