// CredentialCheck: who a request comes from, by HTTP Basic or "Bearer name:secret", and whether
// they may do what they ask. Secrets are kept as crypt(3) hashes; a hash costs milliseconds, so a
// secret that was right once is remembered as a keyed digest and compared in constant time. One per
// listener and shard. Without any credential everybody is let through; the caller asks `allow`.
// Limit: kMaxHashes hashes in a second; further unknown secrets are told to come later.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.h"

namespace relay {

struct Permissions {
    bool read = false;
    bool inject = false;
    bool admin = false;  // and what read may
    bool operator==(const Permissions&) const = default;
};

enum class Permission : std::uint8_t { read, inject, admin };

struct Credential {
    std::string name{};
    std::string hash{};  // crypt(3)
    std::string tenant{};
    Permissions may{};
};

class CredentialCheck {
  public:
    static constexpr unsigned kMaxHashes = 10;

    CredentialCheck(std::vector<Credential> credentials, std::array<unsigned char, 32> key);

    bool empty() const { return credentials_.empty(); }
    enum class Verdict : std::uint8_t { fine, unknown, forbidden, too_often };
    struct Answer {
        Verdict verdict = Verdict::unknown;
        const Credential* who = nullptr;  // fine, forbidden
    };
    // authorization: the header; empty: there is none.
    Answer check(std::string_view authorization, Permission wanted, core::Instant now);

  private:
    using Digest = std::array<unsigned char, 32>;
    Digest digest_of(std::string_view name, std::string_view secret) const;
    bool may_hash(core::Instant now);

    std::vector<Credential> credentials_;
    std::array<unsigned char, 32> key_;
    std::map<std::string, Digest, std::less<>> known_;  // right once, by name
    core::Instant second_{};
    unsigned hashes_ = 0;  // in it
};

// Name and secret of the header; none: it is in no form that we know.
std::optional<std::pair<std::string, std::string>> secret_of(std::string_view authorization);

// A hash of the secret for [[credential]] secret, with fresh salt. Empty: the system has none.
std::string hash_secret(const std::string& secret);
// Whether it is the text of a hash that check() can use, in a time that a loop can spare.
bool is_usable_hash(const std::string& hash);

}  // namespace relay
