#include "relay/smtp/sasl.h"

#include <charconv>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/base/ascii.h"
#include "relay/smtp/base64.h"

namespace relay {

namespace {

constexpr std::size_t kDigest = 32;

std::string hmac(std::string_view key, std::string_view data) {
    std::string digest(kDigest, '\0');
    unsigned int length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(data.data()), data.size(),
         reinterpret_cast<unsigned char*>(digest.data()), &length);
    return digest;
}

std::string sha256(std::string_view data) {
    std::string digest(kDigest, '\0');
    unsigned int length = 0;
    EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(digest.data()), &length,
               EVP_sha256(), nullptr);
    return digest;
}

// RFC 5802 section 5.1: "," and "=" in names.
std::string scram_name(std::string_view name) {
    std::string text;
    for (const char octet : name) {
        if (octet == '=') {
            text += "=3D";
        } else if (octet == ',') {
            text += "=2C";
        } else {
            text += octet;
        }
    }
    return text;
}

bool offers(std::string_view offered, std::string_view mechanism) {
    while (!offered.empty()) {
        const std::size_t end = std::min(offered.find(' '), offered.size());
        if (core::equals_ignoring_case(offered.substr(0, end), mechanism)) return true;
        offered.remove_prefix(std::min(end + 1, offered.size()));
    }
    return false;
}

// The value of "r=…" and the like, which must come in this order; takes it and its comma away.
std::optional<std::string_view> attribute(std::string_view& text, char name) {
    if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view value = text.substr(2, end - 2);
    text.remove_prefix(std::min(end + 1, text.size()));
    return value;
}

}  // namespace

std::optional<SaslClient> SaslClient::choose(const Login& login, std::string_view offered,
                                             bool verified, std::string nonce) {
    const bool may_tell = verified || login.insecure;
    if (offers(offered, "SCRAM-SHA-256")) {
        return SaslClient(login, Mechanism::scram_sha_256, std::move(nonce));
    }
    if (may_tell && offers(offered, "PLAIN")) return SaslClient(login, Mechanism::plain, {});
    if (may_tell && offers(offered, "LOGIN")) return SaslClient(login, Mechanism::login, {});
    return std::nullopt;
}

std::string SaslClient::begin() {
    switch (mechanism_) {
        case Mechanism::plain: {
            std::string message(1, '\0');
            message.append(login_->username).append(1, '\0').append(login_->password);
            return "AUTH PLAIN " + to_base64(message);
        }
        case Mechanism::login:
            return "AUTH LOGIN";
        case Mechanism::scram_sha_256:
            break;
    }
    first_bare_ = "n=" + scram_name(login_->username) + ",r=" + nonce_;
    return "AUTH SCRAM-SHA-256 " + to_base64("n,," + first_bare_);
}

core::Result<std::string> SaslClient::answer(std::string_view challenge) {
    const unsigned step = step_++;
    if (mechanism_ == Mechanism::login) {  // whatever the words of its questions
        if (step == 0) return to_base64(login_->username);
        if (step == 1) return to_base64(login_->password);
    }
    if (mechanism_ == Mechanism::scram_sha_256) {
        const auto message = from_base64(core::trim(challenge));
        if (!message) return core::failure("a challenge that is not base64");
        if (step == 0) return scram_final(*message);
        if (step == 1) return check_server(*message);
    }
    return core::failure("one challenge too many");
}

core::Result<std::string> SaslClient::scram_final(std::string_view server_first) {
    std::string_view rest = server_first;
    const auto nonce = attribute(rest, 'r');
    const auto salt_text = attribute(rest, 's');
    const auto iterations_text = attribute(rest, 'i');
    const auto salt = salt_text ? from_base64(*salt_text) : std::nullopt;
    if (!nonce || !salt || salt->empty() || !iterations_text) {
        return core::failure("a malformed challenge");
    }
    if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
        return core::failure("a challenge to somebody else");
    }
    unsigned iterations = 0;
    const auto [end, error] = std::from_chars(
        iterations_text->data(), iterations_text->data() + iterations_text->size(), iterations);
    if (error != std::errc{} || end != iterations_text->data() + iterations_text->size() ||
        iterations < kLeastIterations || iterations > kMostIterations) {
        return core::failure("an iteration count out of bounds");
    }
    std::string salted(kDigest, '\0');
    PKCS5_PBKDF2_HMAC(login_->password.data(), static_cast<int>(login_->password.size()),
                      reinterpret_cast<const unsigned char*>(salt->data()),
                      static_cast<int>(salt->size()), static_cast<int>(iterations), EVP_sha256(),
                      kDigest, reinterpret_cast<unsigned char*>(salted.data()));
    const std::string without_proof = "c=biws,r=" + std::string(*nonce);
    const std::string everything =
        first_bare_ + "," + std::string(server_first) + "," + without_proof;
    std::string proof = hmac(salted, "Client Key");
    const std::string signature = hmac(sha256(proof), everything);
    for (std::size_t i = 0; i < proof.size(); ++i)
        proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    server_signature_ = hmac(hmac(salted, "Server Key"), everything);
    return to_base64(without_proof + ",p=" + to_base64(proof));
}

core::Result<std::string> SaslClient::check_server(std::string_view server_final) {
    const auto verifier = attribute(server_final, 'v');
    const auto signature = verifier ? from_base64(*verifier) : std::nullopt;
    server_proved_ =
        signature && signature->size() == server_signature_.size() &&
        CRYPTO_memcmp(signature->data(), server_signature_.data(), server_signature_.size()) == 0;
    if (!server_proved_) return core::failure("a server that does not know the password");
    return std::string{};
}

}  // namespace relay
