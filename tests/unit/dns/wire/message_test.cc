#include "dns/wire/message.h"

#include <string>

#include <gtest/gtest.h>

namespace dns {
namespace {

using namespace std::string_literals;

// A header with the given counts, flags of an answer, no question unless counted.
std::string header(int questions, int answers, int authority = 0, int additional = 0) {
    std::string wire = "\x12\x34\x81\x80"s;
    for (const int count : {questions, answers, authority, additional}) {
        wire += static_cast<char>(count >> 8);
        wire += static_cast<char>(count & 0xff);
    }
    return wire;
}

std::string record(const std::string& owner, int type, const std::string& data, int klass = 1) {
    std::string wire = owner;
    for (const int word : {type, klass, 0, 300, static_cast<int>(data.size())}) {
        wire += static_cast<char>(word >> 8);
        wire += static_cast<char>(word & 0xff);
    }
    return wire + data;
}

const std::string kExample =
    "\x07"
    "example\x03"
    "com\0"s;
const std::string kQuestion = kExample + "\0\x0f\0\x01"s;  // MX IN
const std::string kPointer = "\xc0\x0c"s;                  // to the question's name

TEST(DnsMessage, builds_the_query_of_rfc1035) {
    const auto query =
        build_query(0xabcd, "Example.COM.", RecordType::mx, {.edns = false, .ask_ad = false});
    ASSERT_TRUE(query);
    EXPECT_EQ(*query, "\xab\xcd\x01\0\0\x01\0\0\0\0\0\0"s +
                          "\x07"
                          "Example\x03"
                          "COM\0"s +
                          "\0\x0f\0\x01"s);
}

TEST(DnsMessage, query_with_edns_ends_in_eleven_octets_of_opt) {
    const auto plain = build_query(1, "a.b", RecordType::a, {.edns = false});
    const auto query = build_query(1, "a.b", RecordType::a, {});
    ASSERT_TRUE(plain && query);
    ASSERT_EQ(query->size(), plain->size() + 11);
    EXPECT_EQ(query->substr(query->size() - 11), "\0\0\x29\x04\xd0\0\0\0\0\0\0"s);
    EXPECT_EQ((*query)[3] & 0x20, 0x20);  // AD
    EXPECT_EQ((*query)[11], 1);           // one additional record
}

TEST(DnsMessage, refuses_names_that_have_no_wire_form) {
    for (const std::string& name :
         {""s, "a..b"s, ".a"s, std::string(64, 'x') + ".com", "a\\12"s, "a\\999.b"s, "a\\xyz"s,
          std::string(63, 'a') + '.' + std::string(63, 'b') + '.' + std::string(63, 'c') + '.' +
              std::string(62, 'd')}) {
        EXPECT_FALSE(build_query(1, name, RecordType::a, {})) << name;
        EXPECT_FALSE(normal_name(name)) << name;
    }
    const std::string longest = std::string(63, 'a') + '.' + std::string(63, 'b') + '.' +
                                std::string(63, 'c') + '.' + std::string(61, 'd');
    EXPECT_EQ(normal_name(longest + '.'), longest);
}

TEST(DnsMessage, normal_names) {
    EXPECT_EQ(normal_name("MX1.Example.COM."), "mx1.example.com");
    EXPECT_EQ(normal_name("."), ".");
    EXPECT_EQ(normal_name("_25._tcp.mx"), "_25._tcp.mx");
    EXPECT_EQ(normal_name("a b.c"), "a\\032b.c");
    EXPECT_EQ(normal_name("a\\046b.c"), "a\\046b.c");  // a dot inside a label stays one
    EXPECT_EQ(normal_name("a\\065b"), "aab");          // \065 is 'A'
}

TEST(DnsMessage, parses_compressed_answers) {
    const std::string mx =
        "\0\x0a\x03"
        "mx1\xc0\x0c"s;
    const std::string wire = header(1, 2) + kQuestion + record(kPointer, 15, mx) +
                             record(kPointer, 15, "\0\x14\xc0\x2b"s);  // the exchange of the first
    const auto message = parse_message(wire);
    ASSERT_TRUE(message) << message.error();
    EXPECT_EQ(message->id, 0x1234);
    EXPECT_TRUE(message->response);
    EXPECT_TRUE(message->recursion_available);
    EXPECT_EQ(message->name, "example.com");
    EXPECT_EQ(message->type, RecordType::mx);
    ASSERT_EQ(message->answers.size(), 2U);
    EXPECT_EQ(message->answers[0].ttl, 300U);
    EXPECT_EQ(std::get<MxData>(message->answers[0].data), (MxData{10, "mx1.example.com"}));
    EXPECT_EQ(std::get<MxData>(message->answers[1].data), (MxData{20, "mx1.example.com"}));
    EXPECT_EQ(message->length, wire.size());
}

TEST(DnsMessage, parses_each_form_of_data) {
    const std::string soa = "\0\0"s + std::string(16, '\x01') + "\0\0\x0e\x10"s;
    const std::string wire =
        header(1, 5, 1) + kQuestion + record(kPointer, 1, "\xc0\0\x02\x01"s) +
        record(kPointer, 28, "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01"s) +
        record(kPointer, 5,
               "\x03"
               "www\xc0\x0c"s) +
        record(kPointer, 16, "\x02hi"s) +
        record(kPointer, 52,
               "\x03\x01\x01"
               "abcd"s) +
        record(kPointer, 6, soa);
    const auto message = parse_message(wire);
    ASSERT_TRUE(message) << message.error();
    ASSERT_EQ(message->answers.size(), 5U);
    EXPECT_EQ(std::get<core::IpAddress>(message->answers[0].data).to_string(), "192.0.2.1");
    EXPECT_EQ(std::get<core::IpAddress>(message->answers[1].data).to_string(), "2001:db8::1");
    EXPECT_EQ(std::get<CnameData>(message->answers[2].data).target, "www.example.com");
    EXPECT_EQ(std::get<RawData>(message->answers[3].data).octets, "\x02hi");
    EXPECT_EQ(message->answers[4].type, RecordType::tlsa);
    EXPECT_EQ(std::get<TlsaData>(message->answers[4].data), (TlsaData{3, 1, 1, "abcd"}));
    ASSERT_EQ(message->authority.size(), 1U);
    EXPECT_EQ(std::get<SoaData>(message->authority[0].data).minimum, 3600U);
}

// RFC 6698 section 2.1: usage, selector, matching type, then anything; less is no TLSA record.
TEST(DnsMessage, tlsa_needs_its_three_octets) {
    for (const std::string& data : {""s, "\x03"s, "\x03\x01"s}) {
        EXPECT_FALSE(parse_message(header(1, 1, 0) + kQuestion + record(kPointer, 52, data)));
    }
    const auto message =
        parse_message(header(1, 1, 0) + kQuestion + record(kPointer, 52, "\x02\0\xff"s));
    ASSERT_TRUE(message) << message.error();
    EXPECT_EQ(std::get<TlsaData>(message->answers[0].data), (TlsaData{2, 0, 255, ""}));
}

// RFC 2782: priority, weight, port, target; a compressed target is read too (RFC 3597 section 4).
TEST(DnsMessage, reads_service_records) {
    const std::string fixed = "\0\x0a\0\x14\x01\xd1"s;
    const std::string target = "\3MX1\7example\0"s;
    for (const std::string& data :
         {fixed, fixed + "\3mx", fixed.substr(0, 5), fixed + target + "x"}) {
        EXPECT_FALSE(parse_message(header(1, 1, 0) + kQuestion + record(kPointer, 33, data)));
    }
    const auto message = parse_message(
        header(1, 3, 0) + kQuestion + record(kPointer, 33, fixed + target) +
        record(kPointer, 33, fixed + kPointer) + record(kPointer, 33, "\0\0\0\0\0\0\0"s));
    ASSERT_TRUE(message) << message.error();
    ASSERT_EQ(message->answers.size(), 3U);
    EXPECT_EQ(message->answers[0].type, RecordType::srv);
    EXPECT_EQ(std::get<SrvData>(message->answers[0].data), (SrvData{10, 20, 465, "mx1.example"}));
    EXPECT_EQ(std::get<SrvData>(message->answers[1].data).target, message->name);
    EXPECT_EQ(std::get<SrvData>(message->answers[2].data), (SrvData{0, 0, 0, "."}));
    EXPECT_EQ(to_string(RecordType::srv), "SRV");
}

TEST(DnsMessage, skips_other_classes_and_reads_the_upper_bits_of_the_code) {
    const std::string opt = "\0\0\x29\x04\xd0\x01\0\0\0\0\0"s;  // extended code 1
    const std::string wire =
        header(1, 1, 0, 1) + kQuestion + record(kPointer, 16, "\x02hi"s, 3) + opt;
    const auto message = parse_message(wire);
    ASSERT_TRUE(message) << message.error();
    EXPECT_TRUE(message->answers.empty());
    EXPECT_TRUE(message->has_opt);
    EXPECT_EQ(message->code, 16);  // BADVERS
}

TEST(DnsMessage, ttl_with_the_high_bit_is_zero) {
    std::string wire = header(1, 1) + kQuestion + record(kPointer, 1, "\x01\x02\x03\x04"s);
    wire[wire.size() - 10] = '\x80';
    const auto message = parse_message(wire);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->answers[0].ttl, 0U);
}

TEST(DnsMessage, refuses_pointers_that_do_not_lead_back) {
    const std::string data = "\x01\x02\x03\x04"s;
    // To itself, forward, into the header, and to a label of its own name.
    for (const std::string& owner : {"\xc0\x1d"s, "\xc0\x40"s, "\xc0\x00"s,
                                     "\x01"
                                     "a\xc0\x1d"s,
                                     "\xff\xff"s, "\x40"s}) {
        EXPECT_FALSE(parse_message(header(1, 1) + kQuestion + record(owner, 1, data)));
    }
    EXPECT_TRUE(parse_message(header(1, 1) + kQuestion + record("\xc0\x14"s, 1, data)));
}

TEST(DnsMessage, refuses_names_beyond255_octets_by_compression) {
    // Each record's owner is 63 more octets in front of the one before.
    std::string wire = header(1, 4) + kQuestion;
    std::string previous = kPointer;
    for (int i = 0; i < 4; ++i) {
        const std::size_t here = wire.size();
        wire += record('\x3f' + std::string(63, 'x') + previous, 1, "\x01\x02\x03\x04"s);
        previous = {static_cast<char>(0xc0 | here >> 8), static_cast<char>(here & 0xff)};
    }
    EXPECT_FALSE(parse_message(wire));
}

TEST(DnsMessage, refuses_data_of_the_wrong_length) {
    for (const auto& [type, data] :
         std::vector<std::pair<int, std::string>>{{1, "\x01\x02\x03"s},
                                                  {1, "\x01\x02\x03\x04\x05"s},
                                                  {28, std::string(15, 'x')},
                                                  {15, "\0"s},
                                                  {15, "\0\x0a"s},
                                                  {15, "\0\x0a\xc0\x0c\0"s},
                                                  {5, ""s},
                                                  {6, "\0\0"s + std::string(19, 'x')}}) {
        EXPECT_FALSE(parse_message(header(1, 1) + kQuestion + record(kPointer, type, data)))
            << type;
    }
}

TEST(DnsMessage, no_prefix_of_a_message_is_a_message) {
    const std::string wire = header(1, 1, 1) + kQuestion +
                             record(kPointer, 15,
                                    "\0\x0a\x03"
                                    "mx1\xc0\x0c"s) +
                             record(kPointer, 6, "\0\0"s + std::string(20, '\0'));
    ASSERT_TRUE(parse_message(wire));
    for (std::size_t length = 0; length < wire.size(); ++length) {
        EXPECT_FALSE(parse_message(std::string_view(wire).substr(0, length))) << length;
    }
    const auto longer = parse_message(wire + "rest");
    ASSERT_TRUE(longer);
    EXPECT_EQ(longer->length, wire.size());
}

TEST(DnsMessage, refuses_two_questions_and_two_opts) {
    const std::string opt = "\0\0\x29\x04\xd0\0\0\0\0\0\0"s;
    EXPECT_FALSE(parse_message(header(2, 0) + kQuestion + kQuestion));
    EXPECT_FALSE(parse_message(header(1, 0, 0, 2) + kQuestion + opt + opt));
    EXPECT_TRUE(parse_message(header(1, 0, 0, 1) + kQuestion + opt));
}

TEST(DnsMessage, build_is_the_inverse_of_parse) {
    Message message;
    message.id = 7;
    message.response = true;
    message.authenticated = true;
    message.code = 3;
    message.has_opt = true;
    message.name = "example.com";
    message.type = RecordType::aaaa;
    message.answers = {
        {"example.com", RecordType::cname, 60, CnameData{"other.example.net"}},
        {"other.example.net", RecordType::aaaa, 30, *core::IpAddress::parse("2001:db8::1")},
        {"other.example.net", RecordType::a, 30, *core::IpAddress::parse("192.0.2.1")},
        {"example.com", RecordType::mx, 5, MxData{0, "."}},
        {"a\\046b.example.com", RecordType::txt, 5, RawData{"\x01x"}},
        {"_25._tcp.example.com", RecordType::tlsa, 5, TlsaData{2, 0, 255, ""}},
        {"_submissions._tcp.example.com", RecordType::srv, 5, SrvData{1, 2, 3, "mx.example.com"}}};
    message.authority = {{"example.com", RecordType::soa, 900, SoaData{60}}};
    const auto wire = build_message(message);
    ASSERT_TRUE(wire) << wire.error();
    const auto parsed = parse_message(*wire);
    ASSERT_TRUE(parsed) << parsed.error();
    EXPECT_EQ(parsed->answers, message.answers);
    EXPECT_EQ(parsed->authority, message.authority);
    EXPECT_EQ(parsed->code, message.code);
    EXPECT_TRUE(parsed->authenticated);
    EXPECT_EQ(*build_message(*parsed), *wire);
}

}  // namespace
}  // namespace dns
