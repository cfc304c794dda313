#include "relay/mime/structure.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/blanks.h"

namespace relay {

namespace {

constexpr std::string_view kEncodingField = "Content-Transfer-Encoding";

bool has_high_octet(std::string_view octets) {
    unsigned char seen = 0;
    for (const char c : octets)
        seen |= static_cast<unsigned char>(c);
    return seen >= 0x80;
}

std::string_view without_crlf(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

// The name of the field that begins with this line; empty: none does (RFC 5322 sections 2.2, 4.5).
std::string_view field_name(std::string_view line) {
    const auto is_ftext = [](char c) { return c > 32 && c < 127 && c != ':'; };
    const auto end = std::ranges::find_if_not(line, is_ftext);
    const std::string_view name(line.begin(), end);
    const auto colon = line.find_first_not_of(" \t", name.size());
    if (colon == std::string_view::npos || line[colon] != ':') return {};
    return name;
}

constexpr std::size_t kQuotedLine = 75;  // without the soft break

}  // namespace

std::string_view to_string(MimeFault fault) {
    constexpr std::array<std::string_view, 6> kNames = {
        "none", "is_signed", "eight_bit_header", "already_encoded", "unclear", "too_large"};
    return kNames[static_cast<std::size_t>(fault)];
}

void MimeStructure::feed(std::string_view octets) {
    while (!octets.empty() && fault_ == MimeFault::none) {
        const std::size_t end = octets.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view part = octets.substr(0, whole ? end + 1 : octets.size());
        octets.remove_prefix(part.size());
        if (partial_.size() + part.size() > kMaxLine) return fail(MimeFault::too_large);
        if (!whole) {
            partial_ += part;
        } else if (partial_.empty()) {
            take_line(part);
        } else {
            partial_ += part;
            take_line(partial_);
            partial_.clear();
        }
    }
}

void MimeStructure::end() {
    if (!partial_.empty() && fault_ == MimeFault::none) take_line(partial_);
    partial_.clear();
    if (fault_ == MimeFault::none && place_ == Place::leaf) end_leaf(at_);
}

void MimeStructure::fail(MimeFault fault) {
    fault_ = fault;
    edits_.clear();
}

void MimeStructure::take_line(std::string_view line) {
    if (!begun_) {
        begun_ = true;
        begin_entity(true);
    }
    if (!take_boundary(line) && fault_ == MimeFault::none) {
        switch (place_) {
            case Place::header:
                take_header_line(line);
                break;
            case Place::leaf:
                leaf_.count(without_crlf(line));
                break;
            case Place::between:
                if (!has_high_octet(line)) break;
                if (sealed()) return fail(MimeFault::is_signed);
                mask_line(line.size());
                break;
        }
    }
    at_ += line.size();
}

// One edit for all lines of the same place: without octets above 127 a line is masked as it is.
void MimeStructure::mask_line(std::size_t length) {
    const bool goes_on = !edits_.empty() && edits_.back().kind == MimeEdit::Kind::mask &&
                         edits_.back().end > between_begin_;
    if (!goes_on) edits_.push_back({MimeEdit::Kind::mask, at_, at_});
    edits_.back().end = at_ + length;
}

// Any open boundary ends what is inside (RFC 2046 section 5.1.2). Some readers take every line that
// begins with one for it, others compare the whole: where these differ, nobody knows the structure.
bool MimeStructure::take_boundary(std::string_view line) {
    if (levels_.empty() || !line.starts_with("--")) return false;
    std::string_view rest = without_crlf(line).substr(2);
    while (!rest.empty() && core::is_blank(rest.back()))
        rest.remove_suffix(1);
    bool resembles = false;
    for (std::size_t i = levels_.size(); i-- > 0;) {
        const std::string& boundary = levels_[i].boundary;
        if (!rest.starts_with(boundary)) continue;
        const std::string_view behind = rest.substr(boundary.size());
        if (!behind.empty() && behind != "--") {
            resembles = true;
            continue;
        }
        if (place_ == Place::leaf) end_leaf(std::max(leaf_.begin, at_ < 2 ? at_ : at_ - 2));
        if (fault_ != MimeFault::none) return true;
        levels_.resize(i + 1);
        depth_ = levels_[i].depth;
        if (behind.empty()) {
            begin_entity(false);
            return true;
        }
        levels_.pop_back();
        place_ = Place::between;
        between_begin_ = at_;
        return true;
    }
    if (resembles) fail(MimeFault::unclear);
    return resembles;
}

void MimeStructure::begin_entity(bool message) {
    if (++parts_ > kMaxParts || depth_ > kMaxDepth) return fail(MimeFault::too_large);
    place_ = Place::header;
    header_ = {};
    header_.message = message;
    header_.digest = !message && !levels_.empty() && levels_.back().digest;
}

// ---- header sections

void MimeStructure::take_header_line(std::string_view line) {
    if (without_crlf(line).empty()) return end_header(at_ + line.size(), true);
    const bool folded = core::is_blank(line.front()) && header_.any_field;
    if (!folded && field_name(line).empty()) {  // the body begins without an empty line
        end_header(at_, false);
        if (fault_ != MimeFault::none) return;
        if (place_ != Place::leaf) return fail(MimeFault::unclear);
        return leaf_.count(without_crlf(line));
    }
    if (has_high_octet(line)) return fail(MimeFault::eight_bit_header);
    header_.any_field = true;
    if (!folded) return take_field(line);
    if (header_.field == Field::other) return;
    std::string& value = header_.field == Field::type ? header_.type : header_.encoding;
    if (value.size() + line.size() > kMaxField) return fail(MimeFault::too_large);
    value += line;
    if (header_.field == Field::encoding) header_.encoding_end = at_ + line.size();
}

void MimeStructure::take_field(std::string_view line) {
    const std::string_view name = field_name(line);
    const std::string_view value = line.substr(line.find(':') + 1);
    const auto is = [&](std::string_view word) { return core::equals_ignoring_case(name, word); };
    header_.field = Field::other;
    if (is("Content-Type")) {
        header_.field = Field::type;
        header_.type = value;
        ++header_.types;
    } else if (is(kEncodingField)) {
        header_.field = Field::encoding;
        header_.encoding = value;
        header_.encoding_begin = at_;
        header_.encoding_end = at_ + line.size();
        ++header_.encodings;
    } else if (is("MIME-Version")) {
        header_.mime_version = true;
    } else if (depth_ == 0 && (is("DKIM-Signature") || is("ARC-Message-Signature"))) {
        fail(MimeFault::is_signed);
    }
}

// begin: of the body. What the fields say decides what the body is.
void MimeStructure::end_header(std::size_t begin, bool blank_line) {
    // A message whose header section breaks off: fields that we add would stand before those that
    // follow, and an empty line of ours would make them body.
    if (!blank_line && header_.message) return fail(MimeFault::unclear);
    header_end_ = at_;
    blank_line_ = blank_line;
    ContentType type;
    if (header_.digest) type = {"message", "rfc822", {}};
    const auto read = header_.types > 0 ? parse_content_type(header_.type) : type;
    auto encoding = TransferEncoding::seven_bit;
    if (header_.encodings > 0) encoding = parse_transfer_encoding(header_.encoding);
    const bool composite = read && (read->type == "multipart" || read->is("message", "rfc822"));
    const bool plain = encoding <= TransferEncoding::eight_bit;
    const bool lost = read && read->type == "multipart" && read->boundary.empty();
    // 7bit by their definition (RFC 2046 section 5.2, RFC 3464), but for those of RFC 6532 and
    // 6533.
    const bool rigid = read && read->type == "message" && !read->subtype.starts_with("global");
    leaf_ = {};
    leaf_.begin = begin;
    leaf_.unclear = !read || header_.types > 1 || header_.encodings > 1 || lost;
    if (composite && clashes(read->boundary)) return fail(MimeFault::unclear);
    if (!composite || !plain || leaf_.unclear) {
        leaf_.unclear = leaf_.unclear || composite || rigid;
        return begin_leaf(read.value_or(ContentType{}), encoding);
    }
    if (encoding == TransferEncoding::eight_bit && !sealed()) relabel(header_, "7bit");
    ++depth_;
    if (read->type == "multipart") {
        levels_.push_back({read->boundary, depth_, sealed() || read->subtype == "signed",
                           read->subtype == "digest"});
        place_ = Place::between;
        between_begin_ = at_;
    } else {
        begin_entity(true);
    }
}

// Could a line be taken for this boundary and for one that is open already?
bool MimeStructure::clashes(std::string_view boundary) const {
    const auto alike = [](std::string_view one, std::string_view other) {
        return other.starts_with(one) &&
               (other.size() == one.size() || other.substr(one.size()) == "--");
    };
    return !boundary.empty() && std::ranges::any_of(levels_, [&](const Level& level) {
        return alike(level.boundary, boundary) || alike(boundary, level.boundary);
    });
}

void MimeStructure::begin_leaf(const ContentType& type, TransferEncoding encoding) {
    leaf_.encoding = encoding;
    leaf_.text = type.type == "text";
    place_ = Place::leaf;
}

// ---- leaves

void MimeStructure::Leaf::count(std::string_view line) {
    std::size_t above = 0;
    std::size_t escaped = 0;
    for (const char c : line) {
        const auto octet = static_cast<unsigned char>(c);
        above += octet >= 0x80;
        escaped += octet >= 0x7f || octet == '=' || (octet < 32 && octet != '\t');
    }
    high += above;
    const std::size_t width = line.size() + 2 * escaped;
    quoted += width + 2 + (width > kQuotedLine + 1 ? width / kQuotedLine * 3 : 0);
}

void MimeStructure::end_leaf(std::size_t end) {
    place_ = Place::between;
    if (leaf_.high == 0) {
        if (leaf_.encoding != TransferEncoding::eight_bit || leaf_.unclear || sealed()) return;
        return relabel(header_, "7bit");
    }
    if (sealed()) return fail(MimeFault::is_signed);
    if (leaf_.unclear) return fail(MimeFault::unclear);
    if (leaf_.encoding == TransferEncoding::quoted_printable) {
        if (!blank_line_) return fail(MimeFault::unclear);
        edits_.push_back({MimeEdit::Kind::mend, leaf_.begin, end});
        return;
    }
    if (leaf_.encoding > TransferEncoding::eight_bit) return fail(MimeFault::already_encoded);
    // Line ends of what is no text may be data, and readers change those of quoted-printable.
    const std::size_t coded = (end - leaf_.begin + 56) / 57 * 78;
    const bool readable = leaf_.text && leaf_.quoted <= coded;
    relabel(header_, readable ? "quoted-printable" : "base64");
    edits_.push_back(
        {readable ? MimeEdit::Kind::quoted_printable : MimeEdit::Kind::base64, leaf_.begin, end});
}

void MimeStructure::relabel(const Header& header, std::string_view encoding) {
    std::string field;
    field.append(kEncodingField).append(": ").append(encoding).append("\r\n");
    std::string missing;
    if (header.message && !header.mime_version) {
        missing += "MIME-Version: 1.0\r\n";
        // No MIME at all: what the octets are, nobody said (RFC 1428 section 3).
        if (header.types == 0 && encoding != "7bit")
            missing += "Content-Type: text/plain; charset=unknown-8bit\r\n";
    }
    if (header.encodings > 0) {
        edits_.push_back({MimeEdit::Kind::replace, header.encoding_begin, header.encoding_end,
                          std::move(field)});
    } else {
        missing += field;
    }
    if (!blank_line_) missing += "\r\n";
    if (missing.empty()) return;
    edits_.push_back({MimeEdit::Kind::replace, header_end_, header_end_, std::move(missing)});
}

}  // namespace relay
