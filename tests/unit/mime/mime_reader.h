// A reader of MIME messages for tests, written apart from relay/mime and in another way (whole
// texts, recursion, the outermost boundary first): the leaves of a message, decoded. What a lenient
// reader would make of octets above 127 in quoted-printable is what this one makes of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/ascii.h"
#include "relay/mime/content_type.h"

namespace relay_test {

struct ReadLeaf {
    std::string type;
    std::string octets;
    bool operator==(const ReadLeaf&) const = default;
};

inline int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

inline std::string decode_quoted_printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto end = text.find("\r\n");
        std::string_view line = text.substr(0, end);
        const bool ends = end != std::string_view::npos;
        text.remove_prefix(ends ? end + 2 : text.size());
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t'))
            line.remove_suffix(1);
        const bool soft = line.ends_with('=');
        if (soft) line.remove_suffix(1);
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (line[i] == '=' && i + 2 < line.size() && hex_value(line[i + 1]) >= 0 &&
                hex_value(line[i + 2]) >= 0) {
                out += static_cast<char>(hex_value(line[i + 1]) * 16 + hex_value(line[i + 2]));
                i += 2;
            } else {
                out += line[i];
            }
        }
        if (!soft && ends) out += "\r\n";
    }
    return out;
}

inline std::string decode_base64(std::string_view text) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const auto value = kAlphabet.find(c);
        if (value == std::string_view::npos) continue;
        held = (held << 6 | static_cast<unsigned>(value)) & 0xffffff;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        out += static_cast<char>(held >> bits & 0xff);
    }
    return out;
}

class MimeReader {
  public:
    static std::vector<ReadLeaf> read(std::string_view message) {
        MimeReader reader;
        reader.entity(message, false, 0);
        return reader.leaves_;
    }

  private:
    struct Header {
        relay::ContentType type;
        relay::TransferEncoding encoding = relay::TransferEncoding::seven_bit;
    };

    static bool is_field(std::string_view line, bool any) {
        if (line.starts_with(' ') || line.starts_with('\t')) return any;
        std::size_t i = 0;
        while (i < line.size() && line[i] > 32 && line[i] < 127 && line[i] != ':')
            ++i;
        if (i == 0) return false;
        while (i < line.size() && (line[i] == ' ' || line[i] == '\t'))
            ++i;
        return i < line.size() && line[i] == ':';
    }

    static Header take_header(std::string_view& text, bool digest) {
        Header header;
        if (digest) header.type = {"message", "rfc822", {}};
        std::vector<std::string> fields;
        while (!text.empty()) {
            const auto end = text.find("\r\n");
            const auto length = end == std::string_view::npos ? text.size() : end;
            const std::string_view line = text.substr(0, length);
            const std::size_t whole = end == std::string_view::npos ? length : length + 2;
            if (line.empty()) {
                text.remove_prefix(whole);
                break;
            }
            if (!is_field(line, !fields.empty())) break;
            if (line.front() == ' ' || line.front() == '\t') {
                fields.back() += line;
            } else {
                fields.emplace_back(line);
            }
            text.remove_prefix(whole);
        }
        for (const std::string& field : fields) {
            const auto colon = field.find(':');
            const auto name = core::trim(std::string_view(field).substr(0, colon));
            const auto value = std::string_view(field).substr(colon + 1);
            if (core::equals_ignoring_case(name, "Content-Type")) {
                header.type = relay::parse_content_type(value).value_or(relay::ContentType{});
            } else if (core::equals_ignoring_case(name, "Content-Transfer-Encoding")) {
                header.encoding = relay::parse_transfer_encoding(value);
            }
        }
        return header;
    }

    void entity(std::string_view text, bool digest, int depth) {
        const Header header = take_header(text, digest);
        const bool plain = header.encoding <= relay::TransferEncoding::eight_bit;
        if (depth < 60 && plain && header.type.is("message", "rfc822")) {
            return entity(text, false, depth + 1);
        }
        if (depth < 60 && plain && header.type.type == "multipart" &&
            !header.type.boundary.empty()) {
            return parts(text, header.type, depth);
        }
        std::string octets(text);
        if (header.encoding == relay::TransferEncoding::quoted_printable) {
            octets = decode_quoted_printable(text);
        } else if (header.encoding == relay::TransferEncoding::base64) {
            octets = decode_base64(text);
        }
        leaves_.push_back({header.type.type + "/" + header.type.subtype, std::move(octets)});
    }

    void parts(std::string_view text, const relay::ContentType& type, int depth) {
        const std::string delimiter = "--" + type.boundary;
        const bool digest = type.subtype == "digest";
        std::size_t begin = std::string_view::npos;  // of the part at hand
        for (std::size_t at = 0; at < text.size();) {
            const auto found = text.find("\r\n", at);
            const auto end = found == std::string_view::npos ? text.size() : found;
            const auto next = found == std::string_view::npos ? text.size() : found + 2;
            std::string_view line = text.substr(at, end - at);
            while (line.ends_with(' ') || line.ends_with('\t'))
                line.remove_suffix(1);
            const bool last = line == delimiter + "--";
            if (line == delimiter || last) {
                if (begin != std::string_view::npos) {
                    const std::size_t stop = at >= begin + 2 ? at - 2 : begin;
                    entity(text.substr(begin, stop - begin), digest, depth + 1);
                }
                begin = last ? std::string_view::npos : next;
                if (last) return;
            }
            at = next;
        }
        if (begin != std::string_view::npos) entity(text.substr(begin), digest, depth + 1);
    }

    std::vector<ReadLeaf> leaves_;
};

}  // namespace relay_test
