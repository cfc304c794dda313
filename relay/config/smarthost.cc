#include "relay/config/smarthost.h"

#include <fstream>
#include <iterator>
#include <utility>

namespace relay {

namespace {

core::Result<void> check_secrecy(const std::filesystem::path& file) {
    std::error_code error;
    const auto status = std::filesystem::status(file, error);
    if (error) return core::failure(file.string() + ": " + error.message());
    using std::filesystem::perms;
    if ((status.permissions() & (perms::others_read | perms::others_write)) != perms::none) {
        return core::failure(
            file.string() + " holds a secret and everybody may read it: chmod o= " + file.string());
    }
    return {};
}

core::Result<std::string> read_password(const std::filesystem::path& file) {
    if (auto secret = check_secrecy(file); !secret) return core::failure(secret.error());
    std::ifstream in(file, std::ios::binary);
    if (!in) return core::failure(file.string() + ": cannot be read");
    std::string text(std::istreambuf_iterator<char>(in), {});
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
        text.pop_back();
    if (text.empty() || text.size() > kMostPassword ||
        text.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
        return core::failure(file.string() + ": must hold a password in one line");
    }
    return text;
}

}  // namespace

core::Result<void> load_smarthost(Smarthost& smarthost) {
    if (smarthost.has_login()) {
        auto password = read_password(smarthost.password_file);
        if (!password) return core::failure(password.error());
        smarthost.password = std::move(*password);
    }
    if (!smarthost.ca_file.empty()) {
        auto roots = core::TlsRoots::load(smarthost.ca_file.string());
        if (!roots) return core::failure(roots.error());
        smarthost.roots = std::move(*roots);
    }
    if (!smarthost.certificate_file.empty()) {
        if (auto secret = check_secrecy(smarthost.key_file); !secret) {
            return core::failure(secret.error());
        }
        auto identity = core::TlsIdentity::load(smarthost.certificate_file.string(),
                                                smarthost.key_file.string());
        if (!identity) return core::failure(identity.error());
        smarthost.identity = std::move(*identity);
    }
    return {};
}

}  // namespace relay
