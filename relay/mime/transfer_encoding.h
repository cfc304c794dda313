// Quoted-printable and base64 (RFC 2045 sections 6.7 and 6.8) as encoders that are fed in pieces of
// any size and append to a string: at most 76 octets a line. Pure. A line of quoted-printable never
// begins with a dot, with "From " or with "--", so that no server mends it (RFC 2049 section 3) and
// none of it can be taken for a boundary. finish() ends what was encoded without a line end.
// Limit: kMaxLine octets of an unfinished line are held; a longer one is broken by soft breaks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

// Text: CRLF of the input are the hard line breaks.
class QuotedPrintable {
  public:
    static constexpr std::size_t kMaxLine = 1024;
    // mend: the input is quoted-printable already, but for octets above 127, and stays what it is.
    enum class Input : std::uint8_t { text, mend };

    explicit QuotedPrintable(Input input = Input::text) : mend_(input == Input::mend) {}
    void feed(std::string_view octets, std::string& out);
    void finish(std::string& out);

  private:
    void write_line(std::string_view line, bool ends, std::string& out);
    void write_mended(std::string_view line, bool ends, std::string& out);
    void put(std::string_view token, std::string& out);

    const bool mend_;
    std::size_t width_ = 0;  // of the line being written
    std::string line_;       // the beginning of one whose end has not come
};

class Base64 {
  public:
    void feed(std::string_view octets, std::string& out);
    void finish(std::string& out);

  private:
    static constexpr std::size_t kLine = 57;  // octets that make 76
    void write(std::string_view octets, std::string& out);

    bool begun_ = false;
    std::size_t held_ = 0;
    std::array<char, kLine> line_{};
};

}  // namespace relay
