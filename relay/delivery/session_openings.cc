#include "relay/delivery/session_openings.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"

namespace relay {

namespace {

TlsFailureType type_of(core::TlsFault fault) {
    switch (fault) {
        case core::TlsFault::untrusted:
            return TlsFailureType::certificate_not_trusted;
        case core::TlsFault::expired:
            return TlsFailureType::certificate_expired;
        case core::TlsFault::wrong_name:
            return TlsFailureType::certificate_host_mismatch;
        case core::TlsFault::none:
        case core::TlsFault::network:
        case core::TlsFault::protocol:
        case core::TlsFault::dane:  // there are records, and the certificate is none of them
            break;
    }
    return TlsFailureType::validation_failure;
}

// As in a zone file (RFC 6698 section 2.2).
std::string text_of(const dns::TlsaData& record) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text = std::to_string(record.usage) + ' ' + std::to_string(record.selector) + ' ' +
                       std::to_string(record.matching) + ' ';
    for (const char c : record.data) {
        const auto octet = static_cast<unsigned char>(c);
        text += kDigits[octet >> 4];
        text += kDigits[octet & 15];
    }
    return text;
}

DaneFacts dane_of(const dns::HostTlsa& tlsa) {
    DaneFacts dane;
    dane.base = tlsa.base;
    for (const dns::TlsaData& record : tlsa.records)
        dane.records.push_back(text_of(record));
    std::ranges::sort(dane.records);  // resolvers turn sets around: it is the same policy
    dane.usable = tlsa.usable();
    return dane;
}

}  // namespace

SessionOpenings::SessionOpenings(SessionCounts* counts, const SiteFacts& site) : counts_(counts) {
    const bool waived = site.tls_request == TlsRequest::waived;
    if (site.routed || waived || site.tls == TlsPolicy::none) counts_ = nullptr;
}

void SessionOpenings::add(TlsOpening opening) {
    if (openings_.size() < kMostOpenings) openings_.push_back(std::move(opening));
}

void SessionOpenings::barred(const std::string& host) {
    if (counts_ == nullptr) return;
    TlsOpening opening;
    opening.failure = TlsFailureType::validation_failure;
    opening.host = host;
    add(std::move(opening));
}

void SessionOpenings::without_tlsa(const std::string& host, const std::string& reason) {
    if (counts_ == nullptr) return;
    TlsOpening opening;
    opening.failure = TlsFailureType::dnssec_invalid;
    opening.reason = reason;
    opening.host = host;
    opening.dane.emplace().base = host;
    add(std::move(opening));
}

void SessionOpenings::ended(const TlsDemand& demand, metrics::TlsResult result, const Ends& ends,
                            Fault fault) {
    using metrics::TlsResult;
    if (counts_ == nullptr) return;
    TlsOpening opening;
    opening.reason = std::move(fault.reason);
    opening.host = ends.host;
    opening.sending_ip = ends.sending_ip;
    opening.receiving_ip = ends.receiving_ip;
    if (demand.by_dane) opening.dane = dane_of(demand.tlsa);
    switch (result) {
        case TlsResult::verified:
            break;
        case TlsResult::unverified:
            opening.certificate = type_of(fault.kind);
            break;
        case TlsResult::refused:
        case TlsResult::not_offered:
        case TlsResult::stripped:
            opening.failure = TlsFailureType::starttls_not_supported;
            break;
        case TlsResult::failed:
        case TlsResult::untrusted:
            opening.failure = type_of(fault.kind);
            break;
        case TlsResult::avoided:
            opening.failure = TlsFailureType::validation_failure;
            opening.reason = "TLS with this host failed some minutes ago";
            break;
    }
    add(std::move(opening));
}

void SessionOpenings::carries(std::string_view domain) {
    if (openings_.empty()) return;
    const auto same = [domain](const std::string& one) {
        return core::equals_ignoring_case(one, domain);
    };
    if (std::ranges::any_of(domains_, same) || domains_.size() >= kMostDomains) return;
    domains_.emplace_back(domain);
    counts_->count(domain, openings_);
}

void SessionOpenings::failed(const std::vector<std::string>& domains) {
    for (const std::string& domain : domains)
        carries(domain);
}

}  // namespace relay
