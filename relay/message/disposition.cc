#include "relay/message/disposition.h"

#include <algorithm>
#include <array>

namespace relay {

std::string_view to_string(Outcome outcome) {
    constexpr std::array<std::string_view, 5> kNames = {"none", "delivered", "deferred", "bounced",
                                                        "expired"};
    return kNames[static_cast<std::size_t>(outcome)];
}

std::string_view cut_text(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    std::size_t end = limit;
    const std::size_t least = limit - std::min<std::size_t>(limit, 3);
    while (end > least && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    return text.substr(0, end);
}

std::string abridged_text(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return std::string(text);
    constexpr std::string_view kGap = " ... ";
    const std::size_t behind = limit / 4;
    std::string short_text(cut_text(text, limit - behind - kGap.size()));
    std::string_view end = text.substr(text.size() - behind);
    while (!end.empty() && (static_cast<unsigned char>(end.front()) & 0xc0U) == 0x80U)
        end.remove_prefix(1);
    return short_text.append(kGap).append(end);
}

void Disposition::quote(const Reply& said) {
    reply = {said.code, said.enhanced, std::string(cut_text(said.text, kMaxReplyText))};
    const bool cut = reply.text.size() < said.text.size();
    whole = cut ? std::make_shared<const std::string>(said.text) : nullptr;
}

void Disposition::quote(const LastReply& last) {
    reply = last.reply;
    whole = nullptr;
    command = last.command;
    local = last.local;
}

}  // namespace relay
