#include "relay/path/fair_queue.h"

#include <gtest/gtest.h>

#include "tests/unit/path/mail.h"

namespace relay {
namespace {

using Strings = std::vector<std::string>;

class FairQueueTest : public testing::Test {
  protected:
    Mail mail_;
    FairQueue queue_;
};

TEST_F(FairQueueTest, first_come_is_first_served) {
    for (const char* address : {"a@x", "b@x", "c@x"})
        queue_.add(mail_.one(address));
    EXPECT_EQ(queue_.size(), 3U);
    EXPECT_EQ(std::string_view(queue_.front().address), "a@x");
    EXPECT_EQ(drained(queue_), (Strings{"a@x", "b@x", "c@x"}));
}

TEST_F(FairQueueTest, what_is_put_back_is_next_again) {
    for (const char* address : {"a@x", "b@x"})
        queue_.add(mail_.one(address));
    queue_.put_back(queue_.pop_front());
    EXPECT_EQ(drained(queue_), (Strings{"a@x", "b@x"}));
}

TEST_F(FairQueueTest, a_transaction_is_one_message_and_one_domain_and_not_too_many) {
    Message& message = mail_.add({"a@x", "b@X", "c@x", "d@y", "e@y"});
    for (const auto& recipient : message.recipients)
        queue_.add(*recipient);
    queue_.add(mail_.one("f@y"));
    const auto take = [this](std::size_t most) {
        std::vector<Recipient*> taken;
        queue_.take_transaction(taken, most);
        Strings addresses;
        for (const Recipient* one : taken)
            addresses.emplace_back(std::string_view(one->address));
        return addresses;
    };
    EXPECT_EQ(take(2), (Strings{"a@x", "b@X"}));
    EXPECT_EQ(take(100), (Strings{"c@x"}));
    EXPECT_EQ(take(100), (Strings{"d@y", "e@y"}));
    message.verp = true;  // each has a sender of its own
    queue_.put_back(*message.recipients[1]);
    queue_.put_back(*message.recipients[0]);
    EXPECT_EQ(take(100), (Strings{"a@x"}));
    EXPECT_EQ(drained(queue_), (Strings{"b@X", "f@y"}));
}

TEST_F(FairQueueTest, expiry_stops_at_the_first_that_is_not_over_and_when_its_slice_is_full) {
    for (int i = 0; i < 5; ++i)
        queue_.add(mail_.one(std::to_string(i) + "@x"));
    Recipient& fresh = mail_.one("fresh@x");
    queue_.add(fresh);
    const auto is_over = [&fresh](const Message& message) { return &message != fresh.message; };
    Strings left;
    const auto leave = [&left](Recipient& recipient) {
        left.emplace_back(std::string_view(recipient.address));
    };
    core::SliceCount small(4);
    EXPECT_FALSE(queue_.expire(is_over, leave, small));
    EXPECT_EQ(left, (Strings{"0@x", "1@x", "2@x"}));
    core::SliceCount large(100);
    EXPECT_TRUE(queue_.expire(is_over, leave, large));
    EXPECT_EQ(left.size(), 5U);
    EXPECT_EQ(drained(queue_), Strings{"fresh@x"});
}

TEST_F(FairQueueTest, all_are_given_up_in_order) {
    ReadyQueue all;
    all.push_back(mail_.one("before@x"));
    for (const char* address : {"a@x", "b@x"})
        queue_.add(mail_.one(address));
    queue_.give_up(all);
    EXPECT_TRUE(queue_.empty());
    EXPECT_EQ(queue_.size(), 0U);
    EXPECT_EQ(drained(all), (Strings{"before@x", "a@x", "b@x"}));
}

TEST_F(FairQueueTest, only_so_many_are_looked_at) {
    for (int i = 0; i < 10; ++i)
        queue_.add(mail_.one("r@x"));
    int looked = 0;
    queue_.for_each_of_first(3, [&looked](Recipient&) { ++looked; });
    EXPECT_EQ(looked, 3);
    drained(queue_);
}

}  // namespace
}  // namespace relay
