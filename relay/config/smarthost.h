// Smarthost: what a [[route]] says about TLS and AUTH beyond the policy: the name that its hosts go
// by, our certificate, whom to trust, and the login. Parsed with the route; what is in files is
// read by load_smarthost() when the configuration is checked. Immutable afterwards, shared by all
// shards. The password is in memory only and is never logged.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/net/tls_context.h"
#include "relay/config/named_file.h"
#include "relay/shaping/problem.h"

namespace relay {

struct Smarthost {
    std::string tls_name;  // expected in the certificate instead of the host's name
    NamedFile ca_file;
    NamedFile certificate_file;
    NamedFile key_file;
    std::string username;
    NamedFile password_file;
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

// Reads the files. What is not there or not right, and a secret that everybody may read, is a
// problem with the line of the configuration that names the file.
void load_smarthost(Smarthost& smarthost, const std::string& config_file, Problems& problems);

}  // namespace relay
