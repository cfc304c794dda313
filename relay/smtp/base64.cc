#include "relay/smtp/base64.h"

#include <openssl/evp.h>

namespace relay {

std::string to_base64(std::string_view octets) {
    std::string text((octets.size() + 2) / 3 * 4 + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                       reinterpret_cast<const unsigned char*>(octets.data()),
                                       static_cast<int>(octets.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string octets(text.size() / 4 * 3, '\0');
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(octets.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
    if (length < 0) return std::nullopt;
    octets.resize(static_cast<std::size_t>(length));
    for (std::size_t i = text.size(); i > 0 && text[i - 1] == '='; --i) {
        if (text.size() - i >= 2 || octets.empty()) return std::nullopt;
        octets.pop_back();
    }
    return octets;
}

}  // namespace relay
