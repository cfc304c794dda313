#include "relay/config/credential.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/text_file.h"
#include "relay/config/kinds.h"
#include "relay/config/schema.h"

namespace relay {
namespace {

constexpr std::size_t kMostHash = 256;  // octets

std::string name_complaint(std::string_view text) {
    const bool odd = std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) <= 32 || c == 127 || c == ':'; });
    return text.empty() || text.size() > 64 || odd
               ? "must have 1 to 64 characters, no colon and no blank"
               : "";
}

std::string tenant_complaint(std::string_view text) {
    return text.size() > 64 ? "must have at most 64 characters" : "";
}

bool is_crypt_text(std::string_view text, std::size_t least, std::size_t most) {
    return text.size() >= least && text.size() <= most && std::ranges::all_of(text, [](char c) {
               return core::is_alnum(c) || c == '.' || c == '/';
           });
}

// SHA-512 or SHA-256 with the usual rounds (no "rounds="): the hash is made while others wait.
std::string hash_complaint(std::string_view text) {
    const bool longer = text.starts_with("$6$");
    if (longer || text.starts_with("$5$")) {
        const std::string_view rest = text.substr(3);
        const std::size_t end = rest.find('$');
        const std::size_t octets = longer ? 86 : 43;
        if (end != std::string_view::npos && is_crypt_text(rest.substr(0, end), 1, 16) &&
            is_crypt_text(rest.substr(end + 1), octets, octets)) {
            return "";
        }
    }
    return "must be a crypt(3) hash that begins with \"$6$\", as `posthaste hash` prints it";
}

struct Scopes {
    static std::string type() { return "list of `\"read\"`, `\"inject\"`, `\"admin\"`"; }
    static bool read(Section& from, std::string_view key, CredentialConfig& into) {
        std::vector<TextAtLine> scopes;
        if (!from.texts(key, scopes)) return false;
        for (const TextAtLine& item : scopes) {
            if (item.text == "read") {
                into.read = true;
            } else if (item.text == "inject") {
                into.inject = true;
            } else if (item.text == "admin") {
                into.admin = true;
            } else {
                from.problem_with(key, item.line,
                                  "has no scope " + toml_text(item.text.substr(0, 80)) +
                                      "; there are \"read\", \"inject\" and \"admin\"");
            }
        }
        return true;
    }
    static std::string write(const CredentialConfig& credential) {
        std::vector<std::string> scopes;
        if (credential.read) scopes.emplace_back("read");
        if (credential.inject) scopes.emplace_back("inject");
        if (credential.admin) scopes.emplace_back("admin");
        return toml_text(scopes);
    }
};

}  // namespace

const Keys<CredentialConfig>& credential_keys() {
    using Credential = CredentialConfig;
    static const Keys<Credential> kKeys{
        {"name", &Credential::name, Text{name_complaint}, InForce::restart,
         "who asks: in Basic, in `Bearer name:secret` and in the audit log", "required"},
        {"secret", &Credential::secret, Text{hash_complaint, "hash"}, InForce::restart,
         "crypt(3) hash of the secret, SHA-512, as `posthaste hash` prints it; or `secret_file`",
         "none"},
        {"secret_file", &Credential::secret_file, File{}, InForce::restart,
         "holds that hash in one line; must not be readable by everybody", "none"},
        {"tenant", &Credential::tenant, Text{tenant_complaint}, InForce::restart,
         "the tenant of all mail that comes with it, whatever a request or a header says",
         "as the "
         "mail says"},
        {"scopes", Scopes{}, InForce::restart,
         "`\"read\"`: views and `/metrics`; `\"inject\"`: mail; `\"admin\"`: changes, and what "
         "`\"read\"` may"},
    };
    return kKeys;
}

CredentialConfig read_credential(Section& from) {
    CredentialConfig credential;
    credential.line = from.line();
    read_keys(from, credential_keys(), credential, credential.lines);
    if (from.take("name") == nullptr) {
        from.problem(from.line(), "[[credential]] needs a name");
    }
    const bool named = from.take("secret") != nullptr;
    if (named == !credential.secret_file.empty()) {
        from.problem(from.line(), "[[credential]] needs one of secret and secret_file");
    }
    if (from.take("scopes") == nullptr) {
        from.problem(from.line(), "[[credential]] needs scopes: \"read\", \"inject\" or \"admin\"");
    }
    from.finish();
    return credential;
}

void check_distinct(const std::vector<CredentialConfig>& credentials, Section& top) {
    std::set<std::string_view> names;
    for (const CredentialConfig& one : credentials) {
        if (one.name.empty() || names.insert(one.name).second) continue;
        top.problem(one.line, "[[credential]] name = " + toml_text(one.name) + " is there twice");
    }
}

void load_credential(CredentialConfig& credential, const std::string& config_file,
                     Problems& problems) {
    const NamedFile& file = credential.secret_file;
    if (file.empty()) return;
    const auto complain = [&](const std::string& sentence) {
        problems.push_back({config_file, file.line,
                            "[[credential]] secret_file: " + file.path.string() + ": " + sentence});
    };
    auto text = core::read_secret_file(file.path, kMostHash + 2);
    if (!text) return complain(text.error());
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
        text->pop_back();
    if (text->empty() || !hash_complaint(*text).empty()) {
        return complain(
            "must hold a crypt(3) hash that begins with \"$6$\", as `posthaste hash` "
            "prints it");
    }
    credential.secret = std::move(*text);
}

}  // namespace relay
