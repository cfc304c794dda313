// DNS resource records as values. Names are text: lower case, no trailing dot, the root is ".".
// An octet of a label that is not a letter, digit, '-' or '_' is written as \DDD (RFC 1035 section
// 5.1), so a dot in the text always separates labels. Pure; limits are in dns/wire/message.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/address.h"

namespace dns {

enum class RecordType : std::uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    soa = 6,
    mx = 15,
    txt = 16,
    aaaa = 28,
    srv = 33,
    dname = 39,
    opt = 41,
    tlsa = 52,
};

std::string_view to_string(RecordType type);  // "MX"; "other" for a type that has no name here

struct MxData {
    std::uint16_t preference = 0;
    std::string exchange;
    bool operator==(const MxData&) const = default;
};

struct CnameData {
    std::string target;
    bool operator==(const CnameData&) const = default;
};

struct SoaData {
    std::uint32_t minimum = 0;  // RFC 2308 section 4: bounds the life of a negative answer
    bool operator==(const SoaData&) const = default;
};

// RFC 6698 section 2.1. Any values and any data: whether a record can be used is the reader's to
// say.
struct TlsaData {
    std::uint8_t usage = 3;
    std::uint8_t selector = 1;
    std::uint8_t matching = 1;
    std::string data;  // octets
    bool operator==(const TlsaData&) const = default;
};

// RFC 2782. A target of "." means that there is no such service.
struct SrvData {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;
    bool operator==(const SrvData&) const = default;
};

// RDATA as it came: TXT and every type without a form of its own. No names are expanded.
struct RawData {
    std::string octets;
    bool operator==(const RawData&) const = default;
};

struct Record {
    std::string owner;
    RecordType type{};
    std::uint32_t ttl =
        0;  // seconds; a value with the high bit set counts as 0 (RFC 2181 section 8)
    std::variant<RawData, core::IpAddress, MxData, CnameData, SoaData, TlsaData, SrvData> data;
    bool operator==(const Record&) const = default;
};

}  // namespace dns
