// TlsExpectation: what a client asks of the server's certificate, as a value. Whoever knows about a
// host (configuration, MTA-STS, DANE) writes it; the TlsEngine keeps to it. Pure, no owner.
// Levels: unauthenticated, any certificate will do (RFC 7435); pkix, the chain ends at a trusted
// root, a DNS-ID is one of `names`, and the time is right (RFC 9525); dane, one of `tlsa` matches
// (RFC 7672): DANE-EE(3) by the leaf alone, without name and time, DANE-TA(2) by a chain to it and
// `names`. Records of other usages and ones that OpenSSL cannot use are passed over; when none is
// left the certificate is not looked at (RFC 7672 section 2.2: TLS without authentication).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace core {

enum class TlsLevel : std::uint8_t { unauthenticated, pkix, dane };

// RFC 6698 section 2.1, as it stands in DNS.
struct TlsaRecord {
    std::uint8_t usage = 3;
    std::uint8_t selector = 1;
    std::uint8_t matching = 1;
    std::string data;  // octets
    bool operator==(const TlsaRecord&) const = default;
};

struct TlsExpectation {
    TlsLevel level = TlsLevel::unauthenticated;
    std::string server_name;         // SNI, and with dane the TLSA base domain; none for addresses
    std::vector<std::string> names;  // one must match; also tried, for the record, when none need
    std::vector<TlsaRecord> tlsa;

    // Equal for expectations that may share a session, and for no others.
    std::string fingerprint() const;
};

}  // namespace core
