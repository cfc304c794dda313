#include "relay/schedule/suspended_mail.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/slices.h"
#include "tests/sim/sim_world.h"

namespace relay {
namespace {

using std::chrono::seconds;

Order order(std::string id) {
    return {.id = std::move(id)};
}

class SuspendedMailTest : public testing::Test {
  public:
    ~SuspendedMailTest() override { EXPECT_TRUE(world_.run(world_.shard(), mail_.clear())); }

  protected:
    void add(const std::string& id, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            recipients_.push_back(std::make_unique<Recipient>(message_, "u@one.example"));
            recipients_.back()->index = static_cast<std::uint32_t>(recipients_.size());
            mail_.add(order(id), *recipients_.back());
        }
    }

    sim::SimWorld world_{3};
    metrics::ShardMetrics metrics_;
    Message message_;
    std::vector<std::unique_ptr<Recipient>> recipients_;
    std::vector<std::uint32_t> freed_;
    SuspendedMail mail_{world_.shard().reactor(), metrics_,
                        [this](Recipient& recipient) { freed_.push_back(recipient.index); }};
};

TEST_F(SuspendedMailTest, waits_until_its_order_is_no_more) {
    add("1", 2);
    add("2", 1);
    std::vector<Order> second;
    second.push_back(order("2"));
    const OrderSet only_second(std::move(second));
    mail_.release_all_but(&only_second);
    world_.run_for(seconds{1});
    EXPECT_EQ(freed_, (std::vector<std::uint32_t>{1, 2}));
    EXPECT_EQ(mail_.size(), 1U);
    EXPECT_EQ(mail_.size_of("2"), 1U);
    EXPECT_EQ(metrics_.orders().suspended.value(), 1);
    mail_.release_all();
    world_.run_for(seconds{1});
    EXPECT_EQ(freed_.size(), 3U);
    EXPECT_EQ(metrics_.queue(metrics::Queue::scheduled).value(), 0);
}

TEST_F(SuspendedMailTest, many_go_free_in_slices) {
    constexpr std::size_t kMany = 10'000;
    add("1", kMany);
    mail_.release_all();
    std::size_t before = 0;
    std::size_t most = 0;
    EXPECT_TRUE(world_.run_until([&] {
        most = std::max(most, freed_.size() - before);
        before = freed_.size();
        return before == kMany;
    }));
    EXPECT_LE(most, core::kSlice);
    EXPECT_TRUE(std::ranges::is_sorted(freed_));
}

TEST_F(SuspendedMailTest, shows_all_that_wait_and_keeps_their_order) {
    add("1", 1000);
    add("2", 10);
    std::size_t shown = 0;
    const auto visit = [](SuspendedMail* mail, std::size_t* count) -> core::Task<void> {
        co_await mail->visit_all([count](const std::string&, Recipient&) { ++*count; });
    };
    EXPECT_TRUE(world_.run(world_.shard(), visit(&mail_, &shown)));
    EXPECT_EQ(shown, 1010U);
    mail_.release_all();
    world_.run_for(seconds{1});
    EXPECT_EQ(freed_.size(), 1010U);
    EXPECT_TRUE(std::ranges::is_sorted(freed_));
}

}  // namespace
}  // namespace relay
