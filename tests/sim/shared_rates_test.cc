// SharedRates over several shards on virtual time: the rate is exact over all of them, is used
// where the mail is, and costs few letters.
#include "relay/path/shared_rates.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"

namespace sim {
namespace {

using relay::SharedRate;
using relay::SharedRates;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class Node {
  public:
    explicit Node(std::size_t shards) : world(1, {.shards = shards}) {
        for (std::size_t i = 0; i < shards; ++i) {
            rates.push_back(std::make_unique<SharedRates>(
                world.shard(i),
                [this](std::size_t shard) -> SharedRates& { return *rates[shard]; }));
        }
    }
    ~Node() {
        for (std::size_t i = 0; i < rates.size(); ++i)
            EXPECT_TRUE(world.run(world.shard(i), rates[i]->close()));
        rates.clear();
    }
    std::uint64_t letters() {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < world.shards(); ++i)
            sum += world.shard(i).letters_sent();
        return sum;
    }

    SimWorld world;
    std::vector<std::unique_ptr<SharedRates>> rates;
};

// Sends what it has as fast as the rate allows.
class Sender final : public SharedRate::Waiter {
  public:
    Sender(Node& node, std::size_t shard, const std::string& name, core::Rate rate)
        : node_(node), shard_(shard), rate_(node.rates[shard]->share_of(name, rate)) {}
    ~Sender() override { rate_->leave(*this); }
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

    void add(std::uint64_t events) {
        waiting += events;
        rate_allows();
    }
    void rate_allows() override {
        while (waiting > 0 && rate_->try_take()) {
            --waiting;
            sent.push_back(node_.world.shard(shard_).now());
        }
        if (waiting > 0) rate_->wait(*this);
    }

    std::uint64_t held_up() override { return waiting; }

    std::uint64_t waiting = 0;
    std::vector<core::Instant> sent;

  private:
    Node& node_;
    std::size_t shard_;
    std::shared_ptr<SharedRate> rate_;
};

class SharedRatesTest : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(shards, SharedRatesTest, testing::Values(1, 2, 8, 16),
                         testing::PrintToStringParamName());

TEST_P(SharedRatesTest, a_rate_is_exact_over_all_shards) {
    Node node(GetParam());
    std::vector<std::unique_ptr<Sender>> senders;
    for (std::size_t i = 0; i < GetParam(); ++i) {
        senders.push_back(
            std::make_unique<Sender>(node, i, "tenant a", core::Rate{500, seconds{1}}));
        senders.back()->add(100'000);
    }
    const std::uint64_t before = node.letters();
    node.world.run_for(seconds{60});
    std::vector<int> in_a_second(60);
    int all = 0;
    for (const auto& sender : senders) {
        for (const core::Instant when : sender->sent) {
            const auto second = static_cast<std::size_t>(when.time_since_epoch() / seconds{1});
            if (second < 60) ++in_a_second[second];
            ++all;
        }
    }
    for (std::size_t i = 0; i + 1 < 60; ++i)  // each window of two seconds, but for the first burst
        EXPECT_NEAR(in_a_second[i] + in_a_second[i + 1], 1000, i == 0 ? 60 : 50) << i;
    EXPECT_LE(static_cast<double>(node.letters() - before) / all, 0.12);
}

TEST_P(SharedRatesTest, the_shard_that_has_the_mail_may_use_all_of_the_rate) {
    Node node(GetParam());
    std::vector<std::unique_ptr<Sender>> idle;
    for (std::size_t i = 1; i < GetParam(); ++i) {
        idle.push_back(std::make_unique<Sender>(node, i, "tenant a", core::Rate{100, seconds{1}}));
        idle.back()->add(3);
    }
    node.world.run_for(seconds{5});
    Sender busy(node, 0, "tenant a", {100, seconds{1}});
    busy.add(100'000);
    node.world.run_for(seconds{60});
    EXPECT_NEAR(static_cast<double>(busy.sent.size()), 6000, 60);
}

TEST_P(SharedRatesTest, few_an_hour_are_few_an_hour_on_all_shards_together) {
    Node node(GetParam());
    std::vector<std::unique_ptr<Sender>> senders;
    for (std::size_t i = 0; i < GetParam(); ++i) {
        senders.push_back(std::make_unique<Sender>(node, i, "tenant a", core::Rate{3, hours{1}}));
        senders.back()->add(1000);
    }
    node.world.run_for(hours{10});
    std::size_t all = 0;
    for (const auto& sender : senders)
        all += sender->sent.size();
    EXPECT_GE(all, 29U);
    EXPECT_LE(all, 31U);
}

TEST_P(SharedRatesTest, permits_that_nobody_used_go_back) {
    Node node(GetParam());
    const std::size_t last = GetParam() - 1;
    Sender asks(node, last, "tenant a", {10, seconds{1}});
    const auto share = node.rates[last]->share_of("tenant a", {10, seconds{1}});
    asks.add(1);
    node.world.run_for(milliseconds{1});
    ASSERT_EQ(asks.sent.size(), 1U);
    share->put_back();  // it was not sent
    EXPECT_FALSE(share->at_rest());
    node.world.run_for(minutes{1});
    EXPECT_TRUE(share->at_rest());
}

TEST_P(SharedRatesTest, another_rate_holds_from_then_on) {
    Node node(GetParam());
    const std::size_t last = GetParam() - 1;
    Sender sender(node, last, "tenant a", {100, seconds{1}});
    sender.add(100'000);
    node.world.run_for(seconds{10});
    const std::size_t before = sender.sent.size();
    static_cast<void>(node.rates[last]->share_of("tenant a", {10, seconds{1}}));
    node.world.run_for(seconds{10});
    EXPECT_NEAR(static_cast<double>(sender.sent.size() - before), 100, 10);
}

// A turn that was given at one a day must not outlast a rate of a thousand a second.
TEST_P(SharedRatesTest, a_rate_that_is_raised_holds_at_once) {
    Node node(GetParam());
    std::vector<std::unique_ptr<Sender>> senders;
    for (std::size_t i = 0; i < GetParam(); ++i) {
        senders.push_back(std::make_unique<Sender>(node, i, "tenant a", core::Rate{1, hours{24}}));
        senders.back()->add(100);
    }
    node.world.run_for(minutes{1});
    for (std::size_t i = 0; i < GetParam(); ++i)
        static_cast<void>(node.rates[i]->share_of("tenant a", {1000, seconds{1}}));
    node.world.run_for(seconds{5});
    for (const auto& sender : senders)
        EXPECT_EQ(sender->waiting, 0U);
}

// It takes a permit a little later, as a session does.
class Slow final : public SharedRate::Waiter {
  public:
    Slow(Node& node, std::size_t& told)
        : rate_(node.rates[0]->share_of("tenant a", {10, seconds{1}})), told_(told) {
        rate_->wait(*this);
    }
    ~Slow() override { rate_->leave(*this); }
    Slow(const Slow&) = delete;
    Slow& operator=(const Slow&) = delete;
    void rate_allows() override { ++told_; }
    std::uint64_t held_up() override { return 1; }

  private:
    std::shared_ptr<SharedRate> rate_;
    std::size_t& told_;
};

TEST_P(SharedRatesTest, a_permit_wakes_one_who_waits_and_the_next_one_where_it_is_not_taken) {
    Node node(GetParam());
    std::size_t told = 0;
    std::vector<std::unique_ptr<Slow>> all;
    for (int i = 0; i < 100; ++i)
        all.push_back(std::make_unique<Slow>(node, told));
    node.world.run_for(milliseconds{20});
    EXPECT_EQ(told, 1U);
    node.world.run_for(milliseconds{500});
    EXPECT_GE(told, 5U);
    EXPECT_LE(told, 20U);
}

TEST_P(SharedRatesTest, who_left_holds_up_nobody) {
    Node node(GetParam());
    Sender stays(node, 0, "tenant a", {10, seconds{1}});
    {
        Sender leaves(node, 0, "tenant a", {10, seconds{1}});
        leaves.add(1000);
        stays.add(100);
        node.world.run_for(milliseconds{10});
    }
    node.world.run_for(seconds{12});
    EXPECT_EQ(stays.waiting, 0U);
}

TEST_P(SharedRatesTest, rates_that_are_not_in_use_are_forgotten) {
    Node node(GetParam());
    {
        Sender sender(node, 0, "tenant a", {10, seconds{1}});
        sender.add(5);
        node.world.run_for(seconds{10});
    }
    node.world.run_for(seconds{10});
    std::size_t left = 0;
    for (const auto& rates : node.rates) {
        rates->sweep();
        left += rates->size() + rates->ledgers();
    }
    EXPECT_EQ(left, 0U);
}

}  // namespace
}  // namespace sim
