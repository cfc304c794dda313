// DNS messages from anywhere. What must hold for any octets:
//   - parsing reads only what is there (the sanitizers watch a copy of exactly that size);
//   - a message is what its counts say, wherever the packet was cut: the octets that were taken
//   give
//     the same message again, and no shorter piece of them gives any;
//   - building is the inverse of parsing: what was parsed builds, and parses to the same;
//   - names are in their normal form, and conclude() ends with an answer that fits its status.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "dns/wire/answer.h"
#include "dns/wire/domain_name.h"
#include "dns/wire/message.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

bool same(const dns::Message& a, const dns::Message& b) {
    return a.id == b.id && a.response == b.response && a.opcode == b.opcode &&
           a.authoritative == b.authoritative && a.truncated == b.truncated &&
           a.authenticated == b.authenticated && a.code == b.code && a.has_opt == b.has_opt &&
           a.name == b.name && a.type == b.type && a.answers == b.answers &&
           a.authority == b.authority;
}

// Any length of the prefix would do; all of them would be quadratic, so the input chooses some.
void check_cuts(std::string_view octets, const dns::Message& message) {
    std::size_t cut = message.length;
    std::size_t step = 1;
    while (cut >= step) {
        cut -= step;
        require(!dns::parse_message(octets.substr(0, cut)));
        step = 1 + static_cast<std::uint8_t>(octets[cut % octets.size()]) % 16;
    }
}

void check_answer(const dns::Message& message) {
    for (const auto type :
         {message.type, dns::RecordType::mx, dns::RecordType::srv, dns::RecordType::a}) {
        const dns::DnsAnswer answer = dns::conclude(message, message.name, type);
        require((answer.status == dns::DnsStatus::ok) == !answer.records.empty());
        for (const dns::Record& record : answer.records) {
            require(record.type == type && record.owner == answer.canonical_name);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto copy = std::make_unique<char[]>(size);
    for (std::size_t i = 0; i < size; ++i)
        copy[i] = static_cast<char>(data[i]);
    const std::string_view octets(copy.get(), size);

    const auto message = dns::parse_message(octets);
    if (message) {
        require(message->length <= size);
        const auto again = dns::parse_message(octets.substr(0, message->length));
        require(again && same(*message, *again));
        check_cuts(octets, *message);
        if (!message->name.empty()) require(dns::normal_name(message->name) == message->name);
        const auto built = dns::build_message(*message);
        if (built) {  // uncompressed it may be too long for a message
            const auto parsed = dns::parse_message(*built);
            require(parsed && same(*message, *parsed));
            require(dns::build_message(*parsed) == *built);
        }
        check_answer(*message);
    }

    if (const auto normal = dns::normal_name(octets)) {
        require(dns::normal_name(*normal) == *normal);
        require(dns::build_query(1, *normal, dns::RecordType::a, {}).has_value());
    }
    if (const auto domain = dns::mail_domain(octets)) {
        require(dns::mail_domain(*domain) == *domain);
        require(dns::is_host_name(*domain));
    }
    if (const auto address = dns::address_literal(octets)) {
        const std::string plain = address->to_string();
        require(dns::address_literal((address->is_v4() ? "[" : "[IPv6:") + plain + "]") == address);
        require(!dns::mail_domain(octets));
    }
    return 0;
}
