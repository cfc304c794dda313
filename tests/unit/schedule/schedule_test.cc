#include "relay/schedule/schedule.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"

namespace relay {
namespace {

using core::Duration;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class ScheduleTest : public testing::Test {
  public:
    ScheduleTest() {
        message_.created = world_.shard().wall();
        message_.id = {1, 2};
    }
    ~ScheduleTest() override { EXPECT_TRUE(world_.run(world_.shard(), schedule_.clear())); }

  protected:
    Recipient& deferred(const std::string& reply = {}, unsigned attempts = 1) {
        recipients_.push_back(std::make_unique<Recipient>(message_, "u@one.example"));
        Recipient& recipient = *recipients_.back();
        recipient.attempts = static_cast<std::uint16_t>(attempts);
        Disposition said;
        said.outcome = Outcome::deferred;
        said.quote(Reply{451, {}, std::string(reply)});
        recipient.set_disposition(std::move(said));
        return recipient;
    }
    std::int64_t counted() { return metrics_.queue(metrics::Queue::scheduled).value(); }

    static bool near(Duration delay, Duration wanted) {  // within the jitter
        return delay >= wanted - wanted / 9 && delay <= wanted + wanted / 9;
    }

    sim::SimWorld world_{3};
    metrics::ShardMetrics metrics_;
    Message message_;
    std::vector<std::unique_ptr<Recipient>> recipients_;
    std::vector<const Recipient*> due_;
    RetrySchedule intervals_{{minutes{20}, hours{1}}, hours{24}};
    Schedule schedule_{world_.shard(), metrics_, intervals_,
                       [this](Recipient& recipient) { due_.push_back(&recipient); }};
};

TEST_F(ScheduleTest, what_is_added_comes_at_its_time_and_is_counted_until_then) {
    Recipient& late = deferred();
    Recipient& soon = deferred();
    schedule_.add(late, minutes{2});
    schedule_.add(soon, minutes{1});
    EXPECT_EQ(schedule_.size(), 2U);
    EXPECT_EQ(counted(), 2);
    world_.run_for(seconds{59});
    EXPECT_TRUE(due_.empty());
    world_.run_for(seconds{2});
    EXPECT_EQ(due_, (std::vector<const Recipient*>{&soon}));
    EXPECT_EQ(counted(), 1);
    world_.run_for(minutes{1});
    EXPECT_EQ(due_, (std::vector<const Recipient*>{&soon, &late}));
    EXPECT_EQ(counted(), 0);
}

TEST_F(ScheduleTest, clear_gives_up_what_waits) {
    for (int i = 0; i < 1000; ++i)
        schedule_.add(deferred(), hours{1});
    EXPECT_EQ(counted(), 1000);
    EXPECT_TRUE(world_.run(world_.shard(), schedule_.clear()));
    EXPECT_EQ(schedule_.size(), 0U);
    EXPECT_EQ(counted(), 0);
    EXPECT_TRUE(due_.empty());
}

TEST_F(ScheduleTest, intervals_follow_one_another_and_the_last_repeats) {
    EXPECT_TRUE(near(schedule_.after_deferral(deferred("", 1), nullptr).delay, minutes{20}));
    EXPECT_TRUE(near(schedule_.after_deferral(deferred("", 2), nullptr).delay, hours{1}));
    EXPECT_TRUE(near(schedule_.after_deferral(deferred("", 9), nullptr).delay, hours{1}));
}

TEST_F(ScheduleTest, the_rule_of_a_destination_comes_first) {
    const RetryRule rule{{minutes{3}}, minutes{30}};
    const Schedule::NextTry next = schedule_.after_deferral(deferred("", 1), &rule);
    EXPECT_TRUE(near(next.delay, minutes{3}));
    EXPECT_FALSE(next.too_late);
    EXPECT_EQ(schedule_.end_of(message_, &rule), message_.created + minutes{30});
    EXPECT_EQ(schedule_.end_of(message_, nullptr), message_.created + hours{24});
}

TEST_F(ScheduleTest, a_later_time_that_the_receiver_names_counts_and_an_earlier_one_does_not) {
    const Recipient& later = deferred("4.7.1 try again in 2 hours");
    EXPECT_EQ(schedule_.after_deferral(later, nullptr).delay, hours{2});
    const Recipient& earlier = deferred("4.7.1 try again in 10 seconds");
    EXPECT_TRUE(near(schedule_.after_deferral(earlier, nullptr).delay, minutes{20}));
}

// Who names a time after the end of the message asks for no further try; there is one.
TEST_F(ScheduleTest, a_named_time_after_the_end_of_the_message_does_not_count) {
    const RetryRule rule{{minutes{20}}, hours{1}};
    const Schedule::NextTry next =
        schedule_.after_deferral(deferred("4.7.1 try again in 2 hours"), &rule);
    EXPECT_TRUE(near(next.delay, minutes{20}));
    EXPECT_FALSE(next.too_late);
}

TEST_F(ScheduleTest, a_try_after_the_end_of_the_message_is_too_late) {
    world_.run_for(hours{23} + minutes{50});
    EXPECT_TRUE(schedule_.after_deferral(deferred("", 1), nullptr).too_late);
}

TEST_F(ScheduleTest, an_end_that_the_sender_wanted_is_the_earlier_one) {
    message_.set_expires(message_.created + minutes{10});
    EXPECT_EQ(schedule_.end_of(message_, nullptr), message_.created + minutes{10});
    EXPECT_TRUE(schedule_.after_deferral(deferred("", 1), nullptr).too_late);
}

TEST_F(ScheduleTest, the_deadline_of_by_is_when_it_is_tried) {
    message_.set_deliver_by({message_.created + minutes{5}, false, false});
    const Schedule::NextTry next = schedule_.after_deferral(deferred("", 1), nullptr);
    EXPECT_EQ(next.delay, minutes{5});
    EXPECT_FALSE(next.too_late);  // mode N: the sender is told, and it is tried further
}

TEST_F(ScheduleTest, after_a_restart_what_was_ready_goes_at_once) {
    EXPECT_EQ(schedule_.after_restart(deferred("", 0), nullptr, Schedule::Overdue::spread),
              std::nullopt);
}

TEST_F(ScheduleTest, after_a_restart_what_waits_keeps_its_time) {
    Recipient& recipient = deferred();
    recipient.next_attempt = world_.shard().wall() + minutes{7};
    EXPECT_EQ(schedule_.after_restart(recipient, nullptr, Schedule::Overdue::spread), minutes{7});
    // A clock that was set back does not make it wait for longer than the schedule says.
    recipient.next_attempt = world_.shard().wall() + hours{24 * 365};
    const auto delay = schedule_.after_restart(recipient, nullptr, Schedule::Overdue::spread);
    ASSERT_TRUE(delay);
    EXPECT_TRUE(near(*delay, minutes{20}));
}

TEST_F(ScheduleTest, after_a_restart_what_is_overdue_is_spread_or_goes_now) {
    std::set<Duration> delays;
    for (int i = 0; i < 1000; ++i) {
        Recipient& recipient = deferred();
        recipient.next_attempt = world_.shard().wall() - minutes{1};
        EXPECT_EQ(schedule_.after_restart(recipient, nullptr, Schedule::Overdue::now),
                  std::nullopt);
        const auto delay = schedule_.after_restart(recipient, nullptr, Schedule::Overdue::spread);
        ASSERT_TRUE(delay);
        delays.insert(*delay);
    }
    EXPECT_GT(delays.size(), 900U);
    EXPECT_LT(*delays.begin(), minutes{1});
    EXPECT_GT(*delays.rbegin(), minutes{17});
    EXPECT_LE(*delays.rbegin(), minutes{22});
}

}  // namespace
}  // namespace relay
