// The DNS message format (RFC 1035 section 4): builds queries, parses whole messages. Pure: octets
// in, values out; no clock, no socket, no state. Input is hostile: every read is bounded by the
// message, a compression pointer must point before the name it is part of (so names end), records
// of another class are skipped, and what does not fit its own counts or lengths is refused as a
// whole. Octets after the last counted record are ignored. The work is linear in the message but
// for names, which are bounded to 255 octets each; memory is bounded by the message (at most 65,535
// octets).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "dns/wire/record.h"

namespace dns {

inline constexpr std::size_t kMaxMessage = 65535;
inline constexpr std::size_t kHeaderOctets = 12;
inline constexpr std::size_t kMaxNameOctets = 255;  // on the wire, length octets included
inline constexpr std::size_t kMaxLabelOctets = 63;
// What we offer to receive by UDP (RFC 6891 section 6.2.5): fits a packet on every path.
inline constexpr std::uint16_t kUdpPayload = 1232;

enum class ResponseCode : std::uint16_t {
    no_error = 0,
    format_error = 1,
    server_failure = 2,
    name_error = 3,
    not_implemented = 4,
    refused = 5,
};

struct Message {
    std::uint16_t id = 0;
    bool response = false;
    std::uint8_t opcode = 0;
    bool authoritative = false;
    bool truncated = false;
    bool recursion_desired = false;
    bool recursion_available = false;
    bool authenticated = false;  // AD
    std::uint16_t code = 0;      // with the upper bits that OPT carries
    bool has_opt = false;
    std::string name;  // of the one question; empty when there was none
    RecordType type{};
    std::vector<Record> answers;
    std::vector<Record> authority;
    std::size_t length = 0;  // octets that the message took
};

struct QueryOptions {
    bool edns = true;    // an OPT record of 11 octets, the last of the message
    bool ask_ad = true;  // AD in a query asks for AD in the answer (RFC 6840 section 5.7)
};

// The form in which names are compared: see dns/wire/record.h. No value for what cannot be a name.
// A backslash and three digits stand for one octet; one trailing dot is dropped.
std::optional<std::string> normal_name(std::string_view text);

// Fails for a name that has no normal form.
core::Result<std::string> build_query(std::uint16_t id, std::string_view name, RecordType type,
                                      QueryOptions options);

// The octets of the question in what build_query() made.
std::string_view question_of(std::string_view query);

core::Result<Message> parse_message(std::string_view octets);

// The octets of a message: inverse of parse_message() for what Message holds, names uncompressed.
// Scripted servers and fuzzing use it. Fails when a name has no normal form or it gets too long.
core::Result<std::string> build_message(const Message& message);

}  // namespace dns
