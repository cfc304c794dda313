#include "relay/intake/intake_shares.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

constexpr std::size_t kMiB = 1U << 20;

core::IpAddress ip(std::string_view text) {
    return *core::IpAddress::parse(text);
}

// One client with connections that hold all they may of a room.
class Client {
  public:
    Client(IntakeShares& shares, std::string_view address)
        : shares_(shares), address_(ip(address)) {}
    std::size_t take_all(std::size_t room) {
        std::size_t held = 0;
        for (;;) {
            auto hold = std::make_unique<IntakeShares::Hold>(shares_, address_);
            hold->set(2 * kMiB);
            if (shares_.total() + hold->must_be_left() > room) return held;
            held += hold->octets();
            holds_.push_back(std::move(hold));
        }
    }

  private:
    IntakeShares& shares_;
    core::IpAddress address_;
    std::vector<std::unique_ptr<IntakeShares::Hold>> holds_;
};

// L10: two clients held all the room there was.
TEST(IntakeShares, whoever_comes_finds_room) {
    IntakeShares shares;
    {
        constexpr std::size_t kRoom = 256 * kMiB;
        Client first(shares, "192.0.2.1");
        Client second(shares, "2001:db8::1");
        Client the_same(shares, "2001:db8::2");
        Client third(shares, "192.0.2.3");
        EXPECT_EQ(first.take_all(kRoom), 170 * kMiB);
        EXPECT_EQ(second.take_all(kRoom), 56 * kMiB);
        EXPECT_EQ(the_same.take_all(kRoom), 0U);
        EXPECT_GE(third.take_all(kRoom), 18 * kMiB);
        EXPECT_LE(shares.total(), kRoom - 8 * kMiB);
    }
    EXPECT_EQ(shares.total(), 0U);
}

TEST(IntakeShares, what_is_small_counts_in_the_total_only) {
    IntakeShares shares;
    IntakeShares::Hold hold(shares, ip("192.0.2.1"));
    hold.set(IntakeShares::kUnattributed);
    EXPECT_EQ(hold.must_be_left(), 0U);
    EXPECT_EQ(shares.total(), IntakeShares::kUnattributed);
    hold.set(IntakeShares::kUnattributed + 1);
    EXPECT_EQ(hold.must_be_left(), IntakeShares::kUnattributed / 2);
    hold.set(10);
    EXPECT_EQ(shares.total(), 10U);
    EXPECT_EQ(hold.must_be_left(), 0U);
}

}  // namespace
}  // namespace relay
