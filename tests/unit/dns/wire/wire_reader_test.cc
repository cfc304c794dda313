#include "dns/wire/wire_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "dns/wire/message.h"

namespace dns {
namespace {

TEST(WireReader, reads_no_further_than_its_part) {
    const std::string octets("\x01\x02\x03\x04\x05\x06\x07", 7);
    WireReader reader(octets, 1, 6);
    EXPECT_EQ(reader.octet(), 2);
    EXPECT_EQ(reader.word(), 0x0304);
    EXPECT_FALSE(reader.long_word());
    EXPECT_FALSE(reader.take(3));
    EXPECT_EQ(reader.at(), 4U);  // what does not fit takes nothing
    EXPECT_EQ(reader.rest(), "\x05\x06");
}

// A message: twelve octets of header, "a.example" at 12, then "b" and a pointer to "example".
TEST(WireReader, a_compressed_name_ends_after_its_pointer) {
    const std::string octets = std::string(kHeaderOctets, '\0') +
                               std::string("\1a\7example\0", 11) +
                               std::string(
                                   "\1b\xc0\x0e"
                                   "rest",
                                   8);
    WireReader reader(octets, 23, octets.size());
    EXPECT_EQ(reader.name(), "b.example");
    EXPECT_EQ(reader.rest(), "rest");
}

TEST(WireReader, pointers_lead_back_and_not_into_the_header) {
    for (const char target : {'\x00', '\x0b', '\x0c', '\x0e', '\x20'}) {
        const std::string octets =
            std::string(kHeaderOctets, '\0') + std::string("\xc0", 1) + target;
        EXPECT_FALSE(WireReader(octets, kHeaderOctets, octets.size()).name()) << int{target};
    }
}

}  // namespace
}  // namespace dns
