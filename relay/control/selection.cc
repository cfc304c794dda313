#include "relay/control/selection.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "relay/message/address.h"

namespace relay {

namespace {

bool is_site(const std::string& wanted, const MailFacts& mail) {
    return core::equals_ignoring_case(wanted, mail.site) ||
           core::equals_ignoring_case(wanted, mail.hosts);
}

std::string complaint(std::string_view name, std::string_view text) {
    const bool control = std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
    if (text.size() <= Selection::kMaxField && !control) return {};
    return std::string(name) + " must be one line of at most " +
           std::to_string(Selection::kMaxField) + " octets";
}

}  // namespace

bool Selection::matches(const MailFacts& mail) const {
    if (!domain.empty() && !core::equals_ignoring_case(domain, mail.domain)) return false;
    if (!tenant.empty() && tenant != (mail.tenant.empty() ? kDefaultTenant : mail.tenant)) {
        return false;
    }
    if (!campaign.empty() && campaign != mail.campaign) return false;
    if (!needs_site()) return true;
    return mail.routed && (site.empty() || is_site(site, mail)) &&
           (provider.empty() || provider == mail.provider) &&
           (source.empty() || source == mail.source);
}

std::string Selection::to_string() const {
    const std::pair<std::string_view, const std::string*> fields[] = {
        {"domain", &domain}, {"site", &site},         {"provider", &provider},
        {"tenant", &tenant}, {"campaign", &campaign}, {"source", &source}};
    std::string text;
    for (const auto& [name, value] : fields) {
        if (value->empty()) continue;
        if (!text.empty()) text += ", ";
        text.append(name).append(" ").append(*value);
    }
    return text.empty() ? "all mail" : text;
}

core::Result<Selection> checked(Selection selection) {
    const std::pair<std::string_view, std::string*> fields[] = {
        {"domain", &selection.domain},     {"site", &selection.site},
        {"provider", &selection.provider}, {"tenant", &selection.tenant},
        {"campaign", &selection.campaign}, {"source", &selection.source}};
    for (const auto& [name, value] : fields) {
        if (std::string wrong = complaint(name, *value); !wrong.empty()) {
            return core::failure(std::move(wrong));
        }
    }
    const std::string& domain = selection.domain;
    if (!domain.empty() && !is_domain(domain)) {
        return core::failure("domain \"" + domain.substr(0, 80) +
                             "\" is not a domain such as \"example.com\"");
    }
    selection.domain = core::to_lower(domain);
    selection.site = core::to_lower(selection.site);
    return selection;
}

}  // namespace relay
