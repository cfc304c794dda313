#include "dns/wire/message.h"

#include <utility>

#include "dns/wire/wire_name.h"
#include "dns/wire/wire_reader.h"

namespace dns {
namespace {

constexpr std::uint16_t kClassInternet = 1;

constexpr std::uint16_t kResponseFlag = 0x8000;
constexpr std::uint16_t kAuthoritativeFlag = 0x0400;
constexpr std::uint16_t kTruncatedFlag = 0x0200;
constexpr std::uint16_t kRecursionDesiredFlag = 0x0100;
constexpr std::uint16_t kRecursionAvailableFlag = 0x0080;
constexpr std::uint16_t kAuthenticatedFlag = 0x0020;

// RDATA of the types that have a form of their own. The reader covers exactly the RDATA.
bool parse_data(Record& record, WireReader reader) {
    switch (record.type) {
        case RecordType::a: {
            const auto value = reader.long_word();
            if (!value) return false;
            record.data = core::IpAddress::v4(*value);
            break;
        }
        case RecordType::aaaa: {
            const auto octets = reader.take(16);
            if (!octets) return false;
            std::array<std::uint8_t, 16> address{};
            for (std::size_t i = 0; i < 16; ++i)
                address[i] = static_cast<std::uint8_t>((*octets)[i]);
            record.data = core::IpAddress::v6(address);
            break;
        }
        case RecordType::mx: {
            const auto preference = reader.word();
            if (!preference) return false;
            auto exchange = reader.name();
            if (!exchange) return false;
            record.data = MxData{*preference, std::move(*exchange)};
            break;
        }
        case RecordType::cname: {
            auto target = reader.name();
            if (!target) return false;
            record.data = CnameData{std::move(*target)};
            break;
        }
        case RecordType::soa: {
            if (!reader.name() || !reader.name()) return false;
            if (!reader.take(16)) return false;  // serial, refresh, retry, expire
            const auto minimum = reader.long_word();
            if (!minimum) return false;
            record.data = SoaData{*minimum};
            break;
        }
        case RecordType::tlsa: {
            const auto usage = reader.octet();
            const auto selector = reader.octet();
            const auto matching = reader.octet();
            if (!usage || !selector || !matching) return false;
            record.data = TlsaData{*usage, *selector, *matching, std::string(reader.rest())};
            break;
        }
        case RecordType::srv: {
            const auto priority = reader.word();
            const auto weight = reader.word();
            const auto port = reader.word();
            if (!priority || !weight || !port) return false;
            auto target = reader.name();  // compressed too: some servers do (RFC 3597 section 4)
            if (!target) return false;
            record.data = SrvData{*priority, *weight, *port, std::move(*target)};
            break;
        }
        default:
            return true;
    }
    return reader.at_end();
}

struct Section {
    std::vector<Record>* kept;  // null: read for its form only
    std::uint16_t count;
};

bool parse_record(std::string_view octets, WireReader& reader, std::vector<Record>* kept,
                  Message& message) {
    auto owner = reader.name();
    if (!owner) return false;
    const auto type = reader.word();
    const auto klass = reader.word();
    const auto ttl = reader.long_word();
    const auto length = reader.word();
    if (!type || !klass || !ttl || !length) return false;
    const std::size_t begin = reader.at();
    const auto data = reader.take(*length);
    if (!data) return false;

    Record record;
    record.owner = std::move(*owner);
    record.type = static_cast<RecordType>(*type);
    if (record.type == RecordType::opt) {
        if (message.has_opt) return false;  // RFC 6891 section 6.1.1: at most one
        message.has_opt = true;
        message.code = static_cast<std::uint16_t>(message.code | (*ttl >> 24) << 4);
        return true;
    }
    if (*klass != kClassInternet) return true;
    record.ttl = *ttl > 0x7fffffffU ? 0 : *ttl;
    record.data = RawData{};
    if (!parse_data(record, WireReader(octets, begin, begin + *length))) return false;
    if (kept == nullptr) return true;
    if (auto* raw = std::get_if<RawData>(&record.data)) raw->octets = *data;
    kept->push_back(std::move(record));
    return true;
}

void append_word(std::string& wire, std::uint16_t value) {
    wire += static_cast<char>(value >> 8);
    wire += static_cast<char>(value & 0xff);
}

void append_long(std::string& wire, std::uint32_t value) {
    append_word(wire, static_cast<std::uint16_t>(value >> 16));
    append_word(wire, static_cast<std::uint16_t>(value & 0xffff));
}

void append_opt(std::string& wire, std::uint16_t code) {
    wire += '\0';  // the root
    append_word(wire, std::to_underlying(RecordType::opt));
    append_word(wire, kUdpPayload);
    append_long(wire, static_cast<std::uint32_t>(code >> 4) << 24);
    append_word(wire, 0);
}

bool append_name(std::string& wire, std::string_view name) {
    const auto encoded = encode_name(name);
    if (!encoded) return false;
    wire += *encoded;
    return true;
}

std::optional<std::string> encode_data(const Record& record) {
    std::string data;
    if (const auto* raw = std::get_if<RawData>(&record.data)) {
        data = raw->octets;
    } else if (const auto* address = std::get_if<core::IpAddress>(&record.data)) {
        const std::size_t length = address->is_v4() ? 4 : 16;
        for (std::size_t i = 0; i < length; ++i)
            data += static_cast<char>(address->octets()[i]);
    } else if (const auto* mx = std::get_if<MxData>(&record.data)) {
        append_word(data, mx->preference);
        if (!append_name(data, mx->exchange)) return std::nullopt;
    } else if (const auto* alias = std::get_if<CnameData>(&record.data)) {
        if (!append_name(data, alias->target)) return std::nullopt;
    } else if (const auto* tlsa = std::get_if<TlsaData>(&record.data)) {
        for (const std::uint8_t octet : {tlsa->usage, tlsa->selector, tlsa->matching})
            data += static_cast<char>(octet);
        data += tlsa->data;
    } else if (const auto* srv = std::get_if<SrvData>(&record.data)) {
        for (const std::uint16_t word : {srv->priority, srv->weight, srv->port})
            append_word(data, word);
        if (!append_name(data, srv->target)) return std::nullopt;
    } else {
        data.append(2 + 16, '\0');  // MNAME and RNAME as the root, four counters as zero
        append_long(data, std::get<SoaData>(record.data).minimum);
    }
    if (data.size() > 0xffff) return std::nullopt;
    return data;
}

bool append_record(std::string& wire, const Record& record) {
    const auto data = encode_data(record);
    if (!data || !append_name(wire, record.owner)) return false;
    append_word(wire, std::to_underlying(record.type));
    append_word(wire, kClassInternet);
    append_long(wire, record.ttl);
    append_word(wire, static_cast<std::uint16_t>(data->size()));
    wire += *data;
    return true;
}

}  // namespace

std::string_view to_string(RecordType type) {
    switch (type) {
        case RecordType::a:
            return "A";
        case RecordType::ns:
            return "NS";
        case RecordType::cname:
            return "CNAME";
        case RecordType::soa:
            return "SOA";
        case RecordType::mx:
            return "MX";
        case RecordType::txt:
            return "TXT";
        case RecordType::aaaa:
            return "AAAA";
        case RecordType::srv:
            return "SRV";
        case RecordType::dname:
            return "DNAME";
        case RecordType::opt:
            return "OPT";
        case RecordType::tlsa:
            return "TLSA";
    }
    return "other";
}

std::optional<std::string> normal_name(std::string_view text) {
    const auto wire = encode_name(text);
    if (!wire) return std::nullopt;
    return WireReader(*wire, 0, wire->size()).name();
}

core::Result<std::string> build_query(std::uint16_t id, std::string_view name, RecordType type,
                                      QueryOptions options) {
    if (name.empty()) return core::failure("not a domain name");
    Message query;
    query.id = id;
    query.recursion_desired = true;
    query.authenticated = options.ask_ad;
    query.has_opt = options.edns;
    query.name = name;
    query.type = type;
    return build_message(query);
}

// Its name is never compressed, and it is followed by type and class.
std::string_view question_of(std::string_view query) {
    std::size_t end = kHeaderOctets;
    while (query[end] != '\0')
        end += 1 + static_cast<unsigned char>(query[end]);
    return query.substr(kHeaderOctets, end + 1 + 4 - kHeaderOctets);
}

core::Result<std::string> build_message(const Message& message) {
    std::string wire;
    unsigned flags = static_cast<unsigned>(message.opcode & 0xf) << 11 | (message.code & 0xfU);
    if (message.response) flags |= kResponseFlag;
    if (message.authoritative) flags |= kAuthoritativeFlag;
    if (message.truncated) flags |= kTruncatedFlag;
    if (message.recursion_desired) flags |= kRecursionDesiredFlag;
    if (message.recursion_available) flags |= kRecursionAvailableFlag;
    if (message.authenticated) flags |= kAuthenticatedFlag;
    append_word(wire, message.id);
    append_word(wire, static_cast<std::uint16_t>(flags));
    append_word(wire, message.name.empty() ? 0 : 1);
    append_word(wire, static_cast<std::uint16_t>(message.answers.size()));
    append_word(wire, static_cast<std::uint16_t>(message.authority.size()));
    append_word(wire, message.has_opt ? 1 : 0);
    if (!message.name.empty()) {
        if (!append_name(wire, message.name)) return core::failure("not a domain name");
        append_word(wire, std::to_underlying(message.type));
        append_word(wire, kClassInternet);
    }
    for (const auto* section : {&message.answers, &message.authority}) {
        for (const Record& record : *section) {
            if (!append_record(wire, record)) return core::failure("a record has no wire form");
            if (wire.size() > kMaxMessage) return core::failure("the message gets too long");
        }
    }
    if (message.has_opt) append_opt(wire, message.code);
    if (wire.size() > kMaxMessage) return core::failure("the message gets too long");
    return wire;
}

core::Result<Message> parse_message(std::string_view octets) {
    if (octets.size() < kHeaderOctets) return core::failure("shorter than a header");
    if (octets.size() > kMaxMessage) return core::failure("longer than a message can be");
    WireReader reader(octets, 0, octets.size());
    Message message;
    message.id = *reader.word();
    const unsigned flags = *reader.word();
    message.response = (flags & kResponseFlag) != 0;
    message.opcode = static_cast<std::uint8_t>(flags >> 11 & 0xf);
    message.authoritative = (flags & kAuthoritativeFlag) != 0;
    message.truncated = (flags & kTruncatedFlag) != 0;
    message.recursion_desired = (flags & kRecursionDesiredFlag) != 0;
    message.recursion_available = (flags & kRecursionAvailableFlag) != 0;
    message.authenticated = (flags & kAuthenticatedFlag) != 0;
    message.code = flags & 0xf;
    const std::uint16_t questions = *reader.word();
    const Section sections[] = {{&message.answers, *reader.word()},
                                {&message.authority, *reader.word()},
                                {nullptr, *reader.word()}};

    if (questions > 1) return core::failure("more than one question");
    if (questions == 1) {
        auto name = reader.name();
        const auto type = reader.word();
        const auto klass = reader.word();
        if (!name || !type || !klass) return core::failure("a broken question");
        if (*klass != kClassInternet) return core::failure("a question of another class");
        message.name = std::move(*name);
        message.type = static_cast<RecordType>(*type);
    }
    for (const Section& section : sections) {
        for (int i = 0; i < section.count; ++i) {
            if (!parse_record(octets, reader, section.kept, message)) {
                return core::failure("a broken record");
            }
        }
    }
    message.length = reader.at();
    return message;
}

}  // namespace dns
