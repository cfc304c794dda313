// Reply: what a server says to a command (RFC 5321 section 4.2), or what we say in its place: the
// code, the enhanced status code (RFC 3463) and the text without either, its lines joined by a
// newline. The one value for it: dispositions, events, bounce rules, reports and the spool all hold
// a Reply, or a ReplyView where the text belongs to somebody else. Pure. Limits: those of the owner
// (kMaxReplyRead where it is read, kMaxReplyText where it is kept).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

struct EnhancedCode {
    std::uint8_t klass = 0;  // 2, 4, 5; 0: none given
    std::uint16_t subject = 0;
    std::uint16_t detail = 0;
    bool operator==(const EnhancedCode&) const = default;
};

template <typename Text>
struct BasicReply {
    std::uint16_t code = 0;  // 0: there was none
    EnhancedCode enhanced;
    Text text;

    bool positive() const { return code >= 200 && code < 300; }
    bool intermediate() const { return code >= 300 && code < 400; }
    bool transient() const { return code >= 400 && code < 500; }
    bool permanent() const { return code >= 500 && code < 600; }
    bool operator==(const BasicReply&) const = default;
};

using Reply = BasicReply<std::string>;
using ReplyView = BasicReply<std::string_view>;

inline ReplyView view_of(const Reply& reply) {
    return {reply.code, reply.enhanced, reply.text};
}
inline Reply copy_of(const ReplyView& reply) {
    return {reply.code, reply.enhanced, std::string(reply.text)};
}

// "550 5.1.1 text", without the codes that there are not.
std::string to_string(const ReplyView& reply);

}  // namespace relay
