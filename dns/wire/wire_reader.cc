#include "dns/wire/wire_reader.h"

#include "dns/wire/message.h"
#include "dns/wire/wire_name.h"

namespace dns {

// Reads one name, following compression pointers. A pointer must lead before the start of the run
// of labels it ends, so the starts decrease and the walk ends.
std::optional<std::string> WireReader::name() {
    std::string text;
    std::size_t octets = 1;
    std::size_t at = at_;
    std::size_t end = end_;
    std::size_t run_start = at_;
    bool jumped = false;
    while (true) {
        if (at >= end) return std::nullopt;
        const auto length = static_cast<std::uint8_t>(message_[at]);
        if ((length & 0xc0) == 0xc0) {
            if (end - at < 2) return std::nullopt;
            const auto low = static_cast<std::uint8_t>(message_[at + 1]);
            const auto target = static_cast<std::size_t>((length & 0x3f) << 8 | low);
            if (target < kHeaderOctets || target >= run_start) return std::nullopt;
            if (!jumped) at_ = at + 2;
            jumped = true;
            end = run_start;  // what a pointer leads to ends before the run that holds the pointer
            at = run_start = target;
            continue;
        }
        if ((length & 0xc0) != 0) return std::nullopt;
        if (length == 0) {
            if (!jumped) at_ = at + 1;
            break;
        }
        octets += length + std::size_t{1};
        if (octets > kMaxNameOctets || end - at < length + std::size_t{1}) return std::nullopt;
        if (!text.empty()) text += '.';
        for (const char octet : message_.substr(at + 1, length))
            append_octet(text, octet);
        at += length + std::size_t{1};
    }
    if (text.empty()) text = ".";
    return text;
}

}  // namespace dns
