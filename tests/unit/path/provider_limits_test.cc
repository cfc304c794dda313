#include "relay/path/provider_limits.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace relay {
namespace {

using namespace std::chrono_literals;

ShapingLimits limit(std::uint32_t connections) {
    ShapingLimits limits;
    limits.provider_connection_limit = connections;
    return limits;
}

// Takes a place when it is told, if it wants one.
struct Site final : ProviderShare::Member {
    explicit Site(ProviderShare& provider) : share(provider) {}
    ~Site() override { share.leave(*this); }
    void place_is_free() override {
        ++told;
        if (!wants) return;
        share.take_place();
        ++places;
    }
    bool give_up_idle() override {
        if (idle == 0) return false;
        --idle;
        return true;
    }

    ProviderShare& share;
    bool wants = true;
    int told = 0;
    int places = 0;
    int idle = 0;
};

TEST(ProviderShare, without_a_limit_there_is_always_a_place) {
    ProviderShare share;
    for (int i = 0; i < 1000; ++i)
        share.take_place();
    EXPECT_TRUE(share.has_place());
    EXPECT_FALSE(share.is_short());
}

TEST(ProviderShare, those_who_wait_are_told_in_turn_one_for_each_place) {
    ProviderShare share;
    share.limit_by(limit(1));
    share.take_place();
    ASSERT_FALSE(share.has_place());
    Site first(share);
    Site second(share);
    share.wait(first);
    share.wait(second);
    share.wait(first);  // it waits already
    EXPECT_TRUE(share.is_short());
    share.give_back();
    EXPECT_EQ(first.places, 1);
    EXPECT_EQ(second.told, 0);
    share.give_back();
    EXPECT_EQ(second.places, 1);
    EXPECT_FALSE(share.is_short());
}

TEST(ProviderShare, one_that_needs_no_place_any_more_passes_it_on) {
    ProviderShare share;
    share.limit_by(limit(1));
    share.take_place();
    Site first(share);
    Site second(share);
    first.wants = false;
    share.wait(first);
    share.wait(second);
    share.give_back();
    EXPECT_EQ(first.told, 1);
    EXPECT_EQ(second.places, 1);
    EXPECT_EQ(share.taken(), 1U);
}

TEST(ProviderShare, who_waits_has_an_idle_connection_of_another_ended) {
    ProviderShare share;
    share.limit_by(limit(3));
    for (int i = 0; i < 3; ++i)
        share.take_place();
    Site rests(share);
    Site worked(share);
    Site needs(share);
    rests.idle = 2;
    share.has_idle(worked);
    share.has_idle(rests);
    share.wait(needs);
    EXPECT_EQ(rests.idle, 1);
    share.wait(needs);
    EXPECT_EQ(rests.idle, 0);
    share.wait(needs);  // nobody has one
    EXPECT_EQ(needs.told, 0);
}

TEST(ProviderShare, a_lower_limit_holds_as_connections_end) {
    ProviderShare share;
    share.limit_by(limit(3));
    for (int i = 0; i < 3; ++i)
        share.take_place();
    share.limit_by(limit(1));
    EXPECT_TRUE(share.is_short());
    share.give_back();
    share.give_back();
    EXPECT_FALSE(share.is_short());
    EXPECT_FALSE(share.has_place());
    share.give_back();
    EXPECT_TRUE(share.has_place());
}

TEST(ProviderShare, the_rate_holds_and_the_same_limits_again_change_nothing) {
    ProviderShare share;
    ShapingLimits limits;
    limits.provider_max_message_rate = core::Rate{10, 1s};
    share.limit_by(limits);
    core::Instant now{100s};
    int sent = 0;
    for (const core::Instant end = now + 10s; now < end; now += 1ms) {
        share.limit_by(limits);
        if (share.next_message() > now) continue;
        share.take_message(now);
        ++sent;
    }
    EXPECT_GE(sent, 99);
    EXPECT_LE(sent, 101);
}

TEST(ProviderLimits, paths_of_one_provider_and_source_have_one_share) {
    ProviderLimits limits;
    PathKey one;
    one.site.provider = "p";
    one.site.hosts = "a";
    EXPECT_EQ(limits.share_of(one), nullptr);
    one.site.provider_shares = true;
    PathKey two = one;
    two.site.hosts = "b";
    PathKey other = one;
    other.site.provider = "q";
    PathKey source = one;
    source.source = SourceId{1};
    const auto share = limits.share_of(one);
    EXPECT_EQ(limits.share_of(two), share);
    EXPECT_NE(limits.share_of(other), share);
    EXPECT_NE(limits.share_of(source), share);
    EXPECT_EQ(home_of(one, 7), home_of(two, 7));
}

}  // namespace
}  // namespace relay
