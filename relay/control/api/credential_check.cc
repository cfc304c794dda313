#include "relay/control/api/credential_check.h"

#include <algorithm>
#include <memory>

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "core/base/ascii.h"
#include "relay/smtp/base64.h"

namespace relay {

namespace {

constexpr std::size_t kMaxSecret = 512;  // octets
constexpr core::Duration kSecond = std::chrono::seconds{1};

std::string crypt_text(const std::string& secret, const std::string& setting) {
    const auto data = std::make_unique<crypt_data>();
    const char* const text = crypt_r(secret.c_str(), setting.c_str(), data.get());
    return text == nullptr || text[0] == '*' ? std::string() : std::string(text);
}

bool equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool may(const Permissions& have, Permission wanted) {
    switch (wanted) {
        case Permission::read:
            return have.read || have.admin;
        case Permission::inject:
            return have.inject;
        case Permission::admin:
            return have.admin;
    }
    return false;
}

}  // namespace

std::optional<std::pair<std::string, std::string>> secret_of(std::string_view authorization) {
    const std::size_t space = authorization.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const std::string_view scheme = authorization.substr(0, space);
    const std::string_view rest = core::trim(authorization.substr(space + 1));
    std::string text(rest);
    if (core::equals_ignoring_case(scheme, "Basic")) {
        auto decoded = from_base64(rest);
        if (!decoded) return std::nullopt;
        text = std::move(*decoded);
    } else if (!core::equals_ignoring_case(scheme, "Bearer")) {
        return std::nullopt;
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || text.size() > kMaxSecret || text.contains('\0')) {
        return std::nullopt;
    }
    return std::pair{text.substr(0, colon), text.substr(colon + 1)};
}

std::string hash_secret(const std::string& secret) {
    std::string setting(CRYPT_GENSALT_OUTPUT_SIZE, '\0');
    if (crypt_gensalt_rn("$6$", 0, nullptr, 0, setting.data(), CRYPT_GENSALT_OUTPUT_SIZE) ==
        nullptr) {
        return {};
    }
    return crypt_text(secret, setting.c_str());
}

// SHA-256 or SHA-512 with the usual 5000 rounds: some milliseconds. Slower ones would hold the loop
// up; what a secret of a program needs is length.
bool is_usable_hash(const std::string& hash) {
    const bool sha = hash.starts_with("$6$") || hash.starts_with("$5$");
    return sha && !hash.contains("rounds=") && !crypt_text("x", hash).empty();
}

CredentialCheck::CredentialCheck(std::vector<Credential> credentials,
                                 std::array<unsigned char, 32> key)
    : credentials_(std::move(credentials)), key_(key) {}

CredentialCheck::Digest CredentialCheck::digest_of(std::string_view name,
                                                   std::string_view secret) const {
    const std::string text = std::string(name) + '\0' + std::string(secret);
    Digest digest{};
    unsigned length = digest.size();
    HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &length);
    return digest;
}

bool CredentialCheck::may_hash(core::Instant now) {
    if (now - second_ >= kSecond) {
        second_ = now;
        hashes_ = 0;
    }
    return hashes_++ < kMaxHashes;
}

CredentialCheck::Answer CredentialCheck::check(std::string_view authorization, Permission wanted,
                                               core::Instant now) {
    const auto given = secret_of(authorization);
    if (!given) return {};
    const auto& [name, secret] = *given;
    const auto who = std::ranges::find(credentials_, name, &Credential::name);
    const Digest digest = digest_of(name, secret);
    const auto known = known_.find(name);
    const bool right_once = known != known_.end() &&
                            CRYPTO_memcmp(known->second.data(), digest.data(), digest.size()) == 0;
    if (!right_once) {
        if (!may_hash(now)) return {.verdict = Verdict::too_often};
        // A name that there is not costs the same time.
        const std::string& hash = who != credentials_.end() ? who->hash : credentials_.front().hash;
        const std::string made = crypt_text(secret, hash);
        const bool right = !made.empty() && equal(made, hash);
        if (!right || who == credentials_.end()) return {};
        known_[name] = digest;
    }
    return {may(who->may, wanted) ? Verdict::fine : Verdict::forbidden, &*who};
}

}  // namespace relay
