// CommandLine: gathers the octets of one command of a client until the line ends. Only CRLF ends a
// line well: who ends lines otherwise might see other commands than we do in the same octets (RFC
// 5321 section 2.3.8). Pure; owned by one ServerDialogue. A line that arrives in one piece is not
// copied. Limit: kMaxLine octets; of a longer line nothing is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

class CommandLine {
  public:
    static constexpr std::size_t kMaxLine = 2048;  // with CRLF

    enum class End : std::uint8_t {
        open,      // all input was taken, and the line goes on
        crlf,      // a line
        bare_lf,   // LF without CR before it
        too_long,  // CRLF, more than kMaxLine octets from the beginning of the line
    };
    struct Step {
        std::size_t used;  // octets of the input
        End end;
        std::string_view line;  // of End::crlf, without it; valid until the next call
    };

    Step feed(std::string_view input);

  private:
    std::string begun_;        // the beginning of a line whose end has not come
    bool ended_ = false;       // what begun_ holds was answered
    bool too_long_ = false;    // the line at hand is, and is not kept
    bool ends_in_cr_ = false;  // of a line that is too long, so far
};

}  // namespace relay
