// DANE for mail hosts (RFC 7672): the TLSA records that DNSSEC vouches for, of one host and port.
// Functions over a Resolver; they keep no state and run on the caller's shard. What "authenticated"
// means is the resolver's matter: never true without [dns] trust_ad.
//
// Whether DANE applies is the caller's to know: the way to the host (its MX records, a route) must
// be authenticated too. resolve_tlsa() asks for the rest (sections 2.2.2 and 2.2.3):
//   the addresses are authenticated   records at the name where the host's aliases end, else at its
//                                     own name
//   only its first alias is           records at its own name
//   nothing is                        no question: name servers without DNSSEC may not survive it
// A lookup that fails is a failure, and the host must not be used: whoever can break DNS must not
// be able to switch TLS off (section 2.1.2). Limit: kMaxTlsaRecords of a host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "core/runtime/task.h"
#include "dns/mx.h"

namespace dns {

inline constexpr std::size_t kMaxTlsaRecords = 100;

struct HostTlsa {
    std::string base;  // TLSA base domain: SNI and the certificate's name
    std::vector<TlsaData> records;

    // An authenticated record set, usable or not: TLS is a must (section 2.2).
    bool exists() const { return !records.empty(); }
    bool usable() const;  // some record is: then so is authentication
};

using TlsaResult = std::expected<HostTlsa, RouteFailure>;

core::Task<TlsaResult> resolve_tlsa(Resolver& resolver, HostAddresses host, std::uint16_t port);

// A record that SMTP has a use for (section 3.1.3: usages 2 and 3 only), with data of the right
// length for a digest. Whether data that is not a digest is a certificate only TLS can say.
bool is_usable(const TlsaData& record);

}  // namespace dns
