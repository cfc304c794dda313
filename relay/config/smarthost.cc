#include "relay/config/smarthost.h"

#include <string_view>
#include <utility>

#include "core/base/text_file.h"

namespace relay {

namespace {

core::Result<std::string> read_password(const std::filesystem::path& file) {
    // One more octet than a password has, and the end of its line.
    auto text = core::read_secret_file(file, kMostPassword + 2);
    if (!text) return text;
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
        text->pop_back();
    if (text->empty() || text->size() > kMostPassword ||
        text->find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
        return core::failure("must hold a password in one line");
    }
    return text;
}

}  // namespace

void load_smarthost(Smarthost& smarthost, const std::string& config_file, Problems& problems) {
    const auto complain = [&](std::string_view key, const NamedFile& file,
                              const std::string& sentence) {
        problems.push_back(
            {config_file, file.line,
             "[[route]] " + std::string(key) + ": " + file.path.string() + ": " + sentence});
    };
    if (smarthost.has_login()) {
        auto password = read_password(smarthost.password_file.path);
        if (password) {
            smarthost.password = std::move(*password);
        } else {
            complain("password_file", smarthost.password_file, password.error());
        }
    }
    if (!smarthost.ca_file.empty()) {
        auto roots = core::TlsRoots::load(smarthost.ca_file.path);
        if (roots) {
            smarthost.roots = std::move(*roots);
        } else {
            complain("tls_ca_file", smarthost.ca_file, roots.error());
        }
    }
    if (smarthost.certificate_file.empty() || smarthost.key_file.empty()) return;
    auto certificate = core::read_text_file(smarthost.certificate_file.path, core::kMaxPemOctets);
    if (!certificate) {
        complain("certificate", smarthost.certificate_file, certificate.error());
    }
    auto key = core::read_secret_file(smarthost.key_file.path, core::kMaxPemOctets);
    if (!key) complain("private_key", smarthost.key_file, key.error());
    if (!certificate || !key) return;
    smarthost.identity = core::TlsIdentity{std::move(*certificate), std::move(*key)};
    if (const auto sound = smarthost.identity->check(); !sound) {
        complain("certificate", smarthost.certificate_file,
                 "with private_key " + smarthost.key_file.path.string() + ": " + sound.error());
    }
}

}  // namespace relay
