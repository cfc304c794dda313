// MimeStructure: walks through the octets of a message (RFC 2045, 2046) and notes what has to be
// changed in it so that no octet is above 127 and every part still decodes to what it was: the
// edits. Content is fed in pieces of any size, then end(). Pure; holds no content, only the edits.
// Parts keep their place and their neighbours: a multipart or message/rfc822 is never encoded, only
// the leaves in it are (RFC 2045 section 6.4), and only those with octets above 127.
// With a fault nothing can be changed: what is signed must stay as it is (RFC 6376 section 5.3,
// RFC 1847 section 2.1), and what readers understand differently is left alone.
// Limits: kMaxDepth, kMaxParts, kMaxField, kMaxLine; beyond them a fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/message/content_limits.h"
#include "relay/mime/content_type.h"

namespace relay {

enum class MimeFault : std::uint8_t {
    none,
    is_signed,         // DKIM, ARC, or a multipart/signed with octets above 127
    eight_bit_header,  // a matter of SMTPUTF8 (RFC 6532)
    already_encoded,   // octets above 127 in base64 or in an encoding of its own
    unclear,           // fields there twice, no boundary, or a line that some take for one; a
                       // message whose header section ends without an empty line
    too_large,         // a limit
};
std::string_view to_string(MimeFault fault);

struct MimeEdit {
    enum class Kind : std::uint8_t {
        replace,           // by text; with an empty range: insert it
        quoted_printable,  // encode
        base64,
        mend,  // quoted-printable with octets above 127: encode those
        mask,  // text between parts, which nobody reads: a question mark for each such octet
    };
    Kind kind;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string text{};
    bool operator==(const MimeEdit&) const = default;
};

class MimeStructure {
  public:
    static constexpr std::size_t kMaxDepth = 50;
    static constexpr std::size_t kMaxParts = 10'000;
    static constexpr std::size_t kMaxField = 8192;
    static constexpr std::size_t kMaxLine = kMaxContentLine + 2;  // with CRLF

    void feed(std::string_view octets);
    void end();

    MimeFault fault() const { return fault_; }  // once there is one, nothing more is looked at
    // In order, not overlapping; complete after end().
    const std::vector<MimeEdit>& edits() const { return edits_; }

  private:
    enum class Place : std::uint8_t { header, leaf, between };
    enum class Field : std::uint8_t { other, type, encoding };
    struct Header {
        bool message = false;  // of a message rather than of a part
        bool digest = false;   // a part of multipart/digest
        bool any_field = false;
        bool mime_version = false;
        Field field = Field::other;  // the one that a folded line continues
        unsigned types = 0;
        unsigned encodings = 0;
        std::string type;
        std::string encoding;
        std::size_t encoding_begin = 0;
        std::size_t encoding_end = 0;
    };
    struct Level {  // an open multipart
        std::string boundary;
        std::size_t depth = 0;  // of its parts
        bool sealed = false;    // its parts must not be changed
        bool digest = false;
    };
    struct Leaf {
        TransferEncoding encoding = TransferEncoding::seven_bit;
        bool text = true;
        bool unclear = false;
        std::size_t begin = 0;
        std::size_t high = 0;    // octets above 127
        std::size_t quoted = 0;  // what it would have as quoted-printable, about
        void count(std::string_view line);
    };

    void take_line(std::string_view line);
    bool take_boundary(std::string_view line);
    void take_header_line(std::string_view line);
    void take_field(std::string_view line);
    void mask_line(std::size_t length);
    void end_header(std::size_t begin, bool blank_line);
    void begin_entity(bool message);
    bool clashes(std::string_view boundary) const;
    void begin_leaf(const ContentType& type, TransferEncoding encoding);
    void end_leaf(std::size_t end);
    void relabel(const Header& header, std::string_view encoding);
    bool sealed() const { return !levels_.empty() && levels_.back().sealed; }
    void fail(MimeFault fault);

    Place place_ = Place::header;
    bool begun_ = false;
    Header header_;
    std::size_t header_end_ = 0;  // where fields can be added
    bool blank_line_ = true;      // whether one follows there
    Leaf leaf_;
    std::vector<Level> levels_;
    std::size_t depth_ = 0;
    std::size_t parts_ = 0;
    std::size_t at_ = 0;             // where the line at hand begins
    std::size_t between_begin_ = 0;  // where the place between parts begins that we are in
    std::string partial_;            // a line whose end has not come
    std::vector<MimeEdit> edits_;
    MimeFault fault_ = MimeFault::none;
};

}  // namespace relay
