#include "dns/wire/answer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "dns/wire/message.h"

namespace dns {
namespace {

// Records of one answer that are kept; what follows is ignored. Far above any honest set.
constexpr std::size_t kMaxRecords = 1000;

const Record* find_alias(const Message& message, std::string_view owner) {
    const auto found = std::ranges::find_if(message.answers, [&](const Record& record) {
        return record.type == RecordType::cname && record.owner == owner;
    });
    return found == message.answers.end() ? nullptr : &*found;
}

const Record* find_authority(const Message& message, RecordType type) {
    const auto found = std::ranges::find(message.authority, type, &Record::type);
    return found == message.authority.end() ? nullptr : &*found;
}

// RFC 2308 section 2.2: an empty answer with NS and no SOA is a referral, not the absence of
// records.
bool is_referral(const Message& message) {
    return !message.authoritative && find_authority(message, RecordType::ns) != nullptr &&
           find_authority(message, RecordType::soa) == nullptr;
}

// That there is nothing is said by a server of the zone, by a resolver, or with the zone's SOA (RFC
// 2308 section 2). An empty answer by none of these comes from a server that does not know.
bool may_deny(const Message& message) {
    return message.authoritative || message.recursion_available ||
           find_authority(message, RecordType::soa) != nullptr;
}

}  // namespace

std::string_view to_string(DnsStatus status) {
    switch (status) {
        case DnsStatus::ok:
            return "ok";
        case DnsStatus::nodata:
            return "nodata";
        case DnsStatus::nxdomain:
            return "nxdomain";
        case DnsStatus::servfail:
            return "servfail";
        case DnsStatus::timeout:
            return "timeout";
    }
    return "servfail";
}

DnsAnswer conclude(const Message& message, std::string_view name, RecordType type) {
    DnsAnswer failed;
    failed.canonical_name = name;
    const auto asked = normal_name(name);
    if (!asked) {
        failed.status = DnsStatus::nxdomain;
        return failed;
    }
    const bool known_code = message.code == std::to_underlying(ResponseCode::no_error) ||
                            message.code == std::to_underlying(ResponseCode::name_error);
    if (!message.response || message.opcode != 0 || message.truncated || !known_code ||
        message.name != *asked || message.type != type) {
        return failed;
    }

    DnsAnswer answer;
    answer.canonical_name = *asked;
    answer.authenticated = message.authenticated;
    std::uint32_t ttl = ~std::uint32_t{0};
    if (type != RecordType::cname) {
        int aliases = 0;
        while (const Record* alias = find_alias(message, answer.canonical_name)) {
            if (++aliases > kMaxAliases) return failed;
            answer.canonical_name = std::get<CnameData>(alias->data).target;
            ttl = std::min(ttl, alias->ttl);
        }
    }
    for (const Record& record : message.answers) {
        if (record.type != type || record.owner != answer.canonical_name) continue;
        if (answer.records.size() == kMaxRecords) break;
        answer.records.push_back(record);
        ttl = std::min(ttl, record.ttl);
    }
    if (!answer.records.empty()) {
        answer.status = DnsStatus::ok;
        answer.ttl = std::chrono::seconds{ttl};
        return answer;
    }
    if (answer.canonical_name == *asked && !may_deny(message)) return failed;
    if (message.code == std::to_underlying(ResponseCode::name_error)) {
        answer.status = DnsStatus::nxdomain;
    } else if (answer.canonical_name == *asked && is_referral(message)) {
        return failed;
    } else {
        answer.status = DnsStatus::nodata;
    }
    const Record* soa = find_authority(message, RecordType::soa);
    const std::uint32_t negative =
        soa == nullptr ? 0 : std::min(soa->ttl, std::get<SoaData>(soa->data).minimum);
    answer.ttl = std::chrono::seconds{std::min(ttl, negative)};
    return answer;
}

}  // namespace dns
