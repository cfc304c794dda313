// ContentDecoder: turns the octets after DATA (RFC 5321 section 4.5.2: dots undone, ended by
// CRLF.CRLF and by nothing else) or in BDAT chunks (RFC 3030: counted) into the Content of a
// message, with leading dots marked. What may not be relayed is a fault: it is kept in faults(),
// the content is dropped, and the octets are read on to their true end, so that framing is never
// lost. Pure.
//
// A bare CR, bare LF or NUL is a fault with BareEndings::reject. With normalize a bare LF becomes
// CRLF, a bare CR and a NUL a space, but none of them can end the content.
// Limits: size (counted as Content counts), kMaxContentLine, kMaxReceivedFields.
// The result does not depend on how the input was cut.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "relay/message/content.h"
#include "relay/message/header_scan.h"
#include "relay/smtp/bare_endings.h"

namespace relay {

// Several may be found in one message; the lowest bit is the one to answer.
enum class ContentFault : std::uint8_t {
    none = 0,
    bare_line_ending = 1,
    nul = 2,
    too_big = 4,
    loop = 8,  // RFC 5321 section 6.3
    line_too_long = 16,
    no_header = 32,  // a byte order mark or the "From " line of a mailbox file comes first
};

class ContentDecoder {
  public:
    // Starts with a new message; content must live until its end.
    void begin_data(Content& content, std::uint64_t max_size, BareEndings endings);
    void begin_chunks(Content& content, std::uint64_t max_size, BareEndings endings);

    // Takes octets up to the end of data; answers how many. at_end() tells when it is reached.
    std::size_t feed_data(std::string_view input);
    bool at_end() const { return place_ == Place::end; }
    // Takes all of it: octets of a chunk. end_chunks() after the last one.
    void feed_chunk(std::string_view input);
    void end_chunks();

    ContentFault fault() const;
    bool eight_bit() const { return eight_bit_; }
    const HeaderScan& header() const { return header_; }
    std::uint64_t octets_read() const { return octets_read_; }

  private:
    enum class Place : std::uint8_t {
        line_start,       // after CRLF, or at the beginning
        soft_line_start,  // after a bare LF: a dot alone does not end data here
        dot,              // a dot at the beginning of a line
        dot_cr,
        text,
        cr,
        end,
    };

    void begin(Content& content, std::uint64_t max_size, BareEndings endings, bool dots);
    std::size_t take(std::string_view input);
    std::size_t take_lines(std::string_view lines);
    std::size_t take_octets(std::string_view input, bool stop_at_line_start);

    void take_run(std::string_view run);
    Place step(char c);
    Place step_at_line_start(char c);
    Place step_in_text(char c);
    Place bare_cr(char next);
    Place leading_dot();
    void put(char c);
    void end_line();
    void flush_staged();
    void emit(std::string_view octets);
    void note(ContentFault fault);

    // Constant while a message is read.
    Content* content_ = nullptr;
    BareEndings endings_ = BareEndings::reject;
    bool dots_ = true;  // undo dot-stuffing, and end at a dot alone
    std::uint64_t max_size_ = 0;

    Place place_ = Place::line_start;
    bool hard_ = true;  // the dot at hand stands after CRLF
    bool eight_bit_ = false;
    std::uint8_t faults_ = 0;
    std::size_t line_ = 0;  // octets of the current line
    std::uint64_t size_ = 0;
    std::uint64_t octets_read_ = 0;
    HeaderScan header_;
    std::size_t staged_size_ = 0;
    std::array<char, 256> staged_;  // what single steps put, on its way into the content
};

}  // namespace relay
