// What a report tells of (RFC 8460 section 4): under which policy TLS sessions were opened and what
// failed, as values. Pure. Texts from outside come in by clean(), so that they are one line of
// printable ASCII each, of a bounded length.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

// policy-type.
enum class TlsPolicyKind : std::uint8_t { none, sts, tlsa };
inline constexpr std::array<std::string_view, 3> kTlsPolicyKindWords{"no-policy-found", "sts",
                                                                     "tlsa"};

constexpr std::string_view to_string(TlsPolicyKind kind) {
    return kTlsPolicyKindWords[static_cast<std::size_t>(kind)];
}

// Result types of section 4.3.
enum class TlsFailureType : std::uint8_t {
    starttls_not_supported,
    certificate_host_mismatch,
    certificate_expired,
    certificate_not_trusted,
    validation_failure,  // whatever has no type of its own
    tlsa_invalid,
    dnssec_invalid,
    dane_required,
    sts_policy_fetch_error,
    sts_policy_invalid,
    sts_webpki_invalid,
};
inline constexpr std::array<std::string_view, 11> kTlsFailureWords{
    "starttls-not-supported", "certificate-host-mismatch",
    "certificate-expired",    "certificate-not-trusted",
    "validation-failure",     "tlsa-invalid",
    "dnssec-invalid",         "dane-required",
    "sts-policy-fetch-error", "sts-policy-invalid",
    "sts-webpki-invalid"};

constexpr std::string_view to_string(TlsFailureType type) {
    return kTlsFailureWords[static_cast<std::size_t>(type)];
}

struct ReportedPolicy {
    TlsPolicyKind kind = TlsPolicyKind::none;
    std::string domain{};              // of the recipients; with tlsa the TLSA base domain
    std::vector<std::string> lines{};  // of the policy file, or one for each TLSA record
    std::vector<std::string> hosts{};  // mx patterns of the policy file; with tlsa the host

    bool operator==(const ReportedPolicy&) const = default;
};

struct TlsFailure {
    TlsFailureType type = TlsFailureType::validation_failure;
    std::string sending_ip{};  // empty, like what follows: not known
    std::string host{};        // receiving MX host name
    std::string receiving_ip{};
    std::string reason{};

    bool operator==(const TlsFailure&) const = default;
};

}  // namespace relay
