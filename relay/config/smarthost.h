// Smarthost: what a [[route]] says about TLS and AUTH beyond the policy: the name that its hosts go
// by, our certificate, whom to trust, and the login. Parsed with the route; what is in files is
// read by load_smarthost() when the configuration is checked. Immutable afterwards, shared by all
// shards. The password is in memory only and is never logged.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/net/tls_context.h"

namespace relay {

struct Smarthost {
    std::string tls_name;  // expected in the certificate instead of the host's name
    std::filesystem::path ca_file;
    std::filesystem::path certificate_file;
    std::filesystem::path key_file;
    std::string username;
    std::filesystem::path password_file;
    bool auth_insecure = false;

    // From the files.
    std::optional<core::TlsRoots> roots;
    std::optional<core::TlsIdentity> identity;
    std::string password;

    bool has_login() const { return !username.empty(); }
    bool is_set() const {
        return has_login() || !tls_name.empty() || !ca_file.empty() || !certificate_file.empty();
    }
};

inline constexpr std::size_t kMostPassword = 1024;  // octets

// Reads the files; a sentence when one is not there or not right, or when everybody may read a
// secret.
core::Result<void> load_smarthost(Smarthost& smarthost);

}  // namespace relay
