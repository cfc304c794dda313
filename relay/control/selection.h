// Selection: which mail an operator's order is about. A field that is empty selects all mail; those
// that are set must all match. MailFacts is what is known of a recipient's mail: while it is not
// routed, nothing is known of its site, and a selection by site, provider or source does not match.
// Values; pure. Limit: kMaxField octets of a field.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "relay/message/tenant_policy.h"

namespace relay {

struct MailFacts {
    std::string_view tenant{};  // empty: kDefaultTenant
    std::string_view campaign{};
    std::string_view domain{};  // of the recipient, in any case
    bool routed = false;        // the following are known
    std::string_view site{};    // as events and logs name it
    std::string_view hosts{};   // the same without what else tells paths apart
    std::string_view provider{};
    std::string_view source{};
};

struct Selection {
    static constexpr std::size_t kMaxField = 1000;

    std::string tenant{};
    std::string campaign{};
    std::string domain{};  // lower case
    std::string site{};    // lower case
    std::string provider{};
    std::string source{};

    bool empty() const { return *this == Selection{}; }
    // It can be told before the mail is routed whether it matches.
    bool needs_site() const { return !site.empty() || !provider.empty() || !source.empty(); }
    bool matches(const MailFacts& mail) const;
    // "domain example.com, tenant a": for logs and people; "all mail".
    std::string to_string() const;
    bool operator==(const Selection&) const = default;
};

// Lower case where case means nothing. Complains in a sentence about a field that is too long or
// has control characters, and about a domain that is none.
core::Result<Selection> checked(Selection selection);

}  // namespace relay
