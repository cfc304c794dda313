// DnsAnswer: what a lookup of one name and type came to. conclude() draws it from a parsed message:
// it follows the aliases inside the answer (bounded, loop-safe), keeps only records of the name
// they end at, and takes the life of a negative answer from the SOA (RFC 2308 section 5). Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dns/wire/record.h"

namespace dns {

struct Message;

// RFC 5321 section 5.1 asks for a limit; ten is ample and ends loops.
inline constexpr int kMaxAliases = 10;

enum class DnsStatus : std::uint8_t {
    ok,        // records holds at least one
    nodata,    // the name exists, or is an alias whose end is canonical_name; no such record
    nxdomain,  // neither the name nor anything below it exists
    servfail,  // the servers refused, failed, or sent what cannot be understood
    timeout,   // no server answered in time
};

std::string_view to_string(DnsStatus status);

struct DnsAnswer {
    DnsStatus status = DnsStatus::servfail;
    std::vector<Record> records;  // of the type asked for, owned by canonical_name
    std::string canonical_name;   // where the aliases lead; the name asked for if it is none
    std::chrono::seconds ttl{0};  // how long this holds; 0 for servfail and timeout
    bool authenticated = false;   // AD, and the configuration trusts the resolver (trust_ad)
};

DnsAnswer conclude(const Message& message, std::string_view name, RecordType type);

}  // namespace dns
