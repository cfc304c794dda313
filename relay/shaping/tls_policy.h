// TlsPolicy: what encryption a path must have, as a word of the configuration. From weak to strong:
// none; opportunistic, STARTTLS where it is offered, any certificate, clear text where TLS is
// broken; encrypt, never clear text, any certificate; verify, and the certificate is trusted and
// the host's own; implicit, the same with TLS from the first octet (RFC 8314). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace relay {

enum class TlsPolicy : std::uint8_t { none, opportunistic, encrypt, verify, implicit };

inline constexpr std::array<std::string_view, 5> kTlsPolicyWords{"none", "opportunistic", "encrypt",
                                                                 "verify", "implicit"};

constexpr std::string_view to_string(TlsPolicy policy) {
    return kTlsPolicyWords[static_cast<std::size_t>(policy)];
}

// KumoMTA's words for `enable_tls`. Its Opportunistic falls back when the certificate is wrong,
// which ours, not looking at it, never needs.
inline constexpr std::array<std::pair<std::string_view, TlsPolicy>, 5> kKumoTlsWords{
    {{"Disabled", TlsPolicy::none},
     {"Opportunistic", TlsPolicy::opportunistic},
     {"OpportunisticInsecure", TlsPolicy::opportunistic},
     {"RequiredInsecure", TlsPolicy::encrypt},
     {"Required", TlsPolicy::verify}}};

}  // namespace relay
