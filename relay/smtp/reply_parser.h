// ReplyParser: reads replies of an SMTP server (RFC 5321 section 4.2) from octets as they come.
// Pure; owned by one ClientDialogue. Tolerant of what real servers send (bare code, LF for CRLF,
// blank lines, a tab after the code, text of any kind), strict about what decides: three digits,
// and one first digit on all lines (RFC 5321 section 4.2.1). The code is that of the last line.
// Limits: kMaxReplyLine octets a line, kMaxReplyLines lines, kMaxBlankLines blank lines in and
// before a reply; a reply over them is malformed, and the session with it. Every keyword of a reply
// to EHLO is read, whatever its length. Of other text the first kMaxReplyRead octets are read;
// what is kept of it for people is cut later (kMaxReplyText).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "relay/message/reply.h"
#include "relay/smtp/extensions.h"

namespace relay {

inline constexpr std::size_t kMaxReplyLine = 4096;
inline constexpr std::size_t kMaxReplyLines = 128;
inline constexpr std::size_t kMaxBlankLines = 16;
inline constexpr std::size_t kMaxReplyRead = 8192;

class ReplyParser {
  public:
    enum class Status : std::uint8_t { need_input, complete, malformed };

    // The reply that begins now answers EHLO: its lines after the first are keywords.
    void expect_keywords(bool expected) { expects_keywords_ = expected; }
    // Takes octets from the front of input up to the end of one reply.
    Status feed(std::string_view& input);
    // The reply completed last; valid until the next feed().
    const Reply& reply() const { return reply_; }
    Reply& reply() { return reply_; }
    // What that reply offered, if keywords were expected.
    const Extensions& keywords() const { return keywords_; }
    bool in_the_middle() const { return lines_ > 0 || !line_.empty(); }

  private:
    Status take_line(std::string_view line);
    bool take_code(std::uint16_t code);
    void take_text(std::string_view text);

    Reply reply_;
    Extensions keywords_;
    std::string line_;  // an incomplete line
    std::size_t lines_ = 0;
    std::size_t blank_lines_ = 0;
    bool expects_keywords_ = false;
};

// The code at the front of text, which must be followed by a space or the end; none: klass 0.
EnhancedCode parse_enhanced_code(std::string_view text, std::size_t* length = nullptr);

}  // namespace relay
