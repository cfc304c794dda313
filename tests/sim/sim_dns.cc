#include "tests/sim/sim_dns.h"

#include <algorithm>
#include <utility>

#include "dns/ares_channel.h"

namespace sim {

void SimZone::add_mx(const std::string& domain, std::uint16_t preference, const std::string& host) {
    names[domain][dns::RecordType::mx].records.push_back({domain, dns::RecordType::mx,
                                                          static_cast<std::uint32_t>(ttl.count()),
                                                          dns::MxData{preference, host}});
}

void SimZone::add_address(const std::string& host, const core::IpAddress& address) {
    const auto type = address.is_v4() ? dns::RecordType::a : dns::RecordType::aaaa;
    names[host][type].records.push_back(
        {host, type, static_cast<std::uint32_t>(ttl.count()), address});
}

void SimZone::add_srv(const std::string& service, dns::SrvData data) {
    names[service][dns::RecordType::srv].records.push_back(
        {service, dns::RecordType::srv, static_cast<std::uint32_t>(ttl.count()), std::move(data)});
}

void SimZone::add_tlsa(const std::string& host, std::uint16_t port, dns::TlsaData data) {
    const std::string name = "_" + std::to_string(port) + "._tcp." + host;
    names[name][dns::RecordType::tlsa].records.push_back(
        {name, dns::RecordType::tlsa, static_cast<std::uint32_t>(ttl.count()), std::move(data)});
}

void SimZone::add_txt(const std::string& name, const std::string& text) {
    std::string octets;
    for (std::size_t at = 0; at < text.size(); at += 255) {
        const std::string part = text.substr(at, 255);
        octets += static_cast<char>(part.size());
        octets += part;
    }
    names[name][dns::RecordType::txt].records.push_back({name, dns::RecordType::txt,
                                                         static_cast<std::uint32_t>(ttl.count()),
                                                         dns::RawData{std::move(octets)}});
}

void SimZone::fail(const std::string& name, dns::RecordType type, dns::DnsStatus status) {
    names[name][type].status = status;
}

void SimZone::heal(const std::string& name, dns::RecordType type) {
    names[name][type].status = dns::DnsStatus::ok;
}

core::Task<dns::DnsAnswer> SimDns::query(std::string name, dns::RecordType type) {
    return answer_within(std::move(name), type, std::chrono::milliseconds{10'500});
}

core::Task<dns::DnsAnswer> SimDns::query_briefly(std::string name, dns::RecordType type) {
    return answer_within(std::move(name), type, dns::kBriefTimeout);
}

bool SimDns::is_silent(const std::string& name, dns::RecordType type) const {
    return !zone_.silent_below.empty() && name.ends_with(zone_.silent_below) &&
           type == zone_.silent_type.value_or(type);
}

core::Task<dns::DnsAnswer> SimDns::answer_within(std::string name, dns::RecordType type,
                                                 core::Duration most) {
    ++zone_.questions;
    ++zone_.asked[{name, type}];
    dns::DnsAnswer answer;
    answer.canonical_name = name;
    const core::Duration takes = is_silent(name, type) ? core::Duration::max() : zone_.delay;
    if (takes > core::Duration{}) {
        if (co_await closing_.wait(shard_.now() + std::min(takes, most))) co_return answer;
    }
    if (takes > most) {
        answer.status = dns::DnsStatus::timeout;
        co_return answer;
    }
    answer.ttl = zone_.ttl;
    answer.authenticated = zone_.is_signed && !zone_.unsigned_names.contains(name);
    const auto found = zone_.names.find(name);
    if (found == zone_.names.end()) {
        answer.status = dns::DnsStatus::nxdomain;
        co_return answer;
    }
    const auto entry = found->second.find(type);
    if (entry == found->second.end()) {
        answer.status = dns::DnsStatus::nodata;
    } else if (entry->second.status != dns::DnsStatus::ok) {
        answer.status = entry->second.status;
        answer.ttl = std::chrono::seconds{0};
        answer.authenticated = false;
    } else if (entry->second.records.empty()) {
        answer.status = dns::DnsStatus::nodata;
    } else {
        answer.status = dns::DnsStatus::ok;
        answer.records = entry->second.records;
    }
    co_return answer;
}

}  // namespace sim
