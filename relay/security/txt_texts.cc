#include "relay/security/txt_texts.h"

#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace relay {

namespace {

// Strings of up to 255 octets, each after its length.
std::optional<std::string> joined(std::string_view octets) {
    std::string text;
    while (!octets.empty()) {
        const auto length = static_cast<std::size_t>(static_cast<unsigned char>(octets.front()));
        if (octets.size() < length + 1) return std::nullopt;
        text += octets.substr(1, length);
        octets.remove_prefix(length + 1);
    }
    return text;
}

}  // namespace

std::vector<std::string> txt_texts(const dns::DnsAnswer& answer) {
    std::vector<std::string> texts;
    if (answer.status != dns::DnsStatus::ok) return texts;
    for (const dns::Record& record : answer.records) {
        if (auto text = joined(std::get<dns::RawData>(record.data).octets)) {
            texts.push_back(std::move(*text));
        }
    }
    return texts;
}

}  // namespace relay
