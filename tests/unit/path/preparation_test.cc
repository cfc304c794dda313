#include "relay/path/preparation.h"

#include <gtest/gtest.h>

#include "tests/unit/path/mail.h"

namespace relay {
namespace {

class PreparationTest : public testing::Test {
  protected:
    // Recipients of messages whose content left memory.
    void add_evicted(std::size_t count, std::size_t octets = 10,
                     Priority priority = Priority::normal) {
        for (std::size_t i = 0; i < count; ++i) {
            Recipient& recipient = mail_.of("", "", priority);
            recipient.message->content = Content();
            recipient.message->content.declare(octets, 0);
            ASSERT_TRUE(recipient.message->place.holders.try_evict());
            queue_.add(recipient);
        }
    }
    void begin() {
        preparation_.begin_ahead(queue_, [this](Recipient& one) { away_.push_back(&one); });
    }
    void come_back(std::size_t count) {
        for (; count > 0; --count) {
            away_.back()->message->place.holders.restored(1);
            away_.back()->content_held = true;
            preparation_.prepared(*away_.back());
            away_.pop_back();
        }
    }
    void TearDown() override {
        drained(queue_);
        preparation_.for_each_queue([](ReadyQueue& queue) { drained(queue); });
    }

    Mail mail_;
    FairQueue queue_;
    Preparation preparation_;
    std::vector<Recipient*> away_;
};

TEST_F(PreparationTest, what_is_in_memory_is_held_and_needs_none) {
    queue_.add(mail_.one("r@x"));
    begin();
    EXPECT_EQ(preparation_.away(), 0U);
    Recipient& next = queue_.front();
    EXPECT_TRUE(Preparation::hold(next));
    EXPECT_TRUE(Preparation::hold(next));  // it holds it already
    EXPECT_FALSE(next.message->place.holders.try_evict());
    next.message->place.holders.let_go();
    EXPECT_TRUE(next.message->place.holders.try_evict());
}

TEST_F(PreparationTest, a_window_goes_ahead_and_those_that_wait_prepared_are_in_it) {
    add_evicted(Preparation::kMaxPreparing + 10);
    EXPECT_FALSE(Preparation::hold(queue_.front()));
    begin();
    EXPECT_EQ(preparation_.away(), Preparation::kMaxPreparing);
    come_back(30);
    EXPECT_EQ(preparation_.size(), 30U);
    begin();
    EXPECT_EQ(preparation_.away(), Preparation::kMaxPreparing - 30);
    for (int i = 0; i < 5; ++i)
        preparation_.first()->pop_front();  // these are sent
    begin();
    EXPECT_EQ(preparation_.away(), Preparation::kMaxPreparing - 25);
    EXPECT_EQ(queue_.size(), 5U);
}

TEST_F(PreparationTest, large_contents_make_the_window_smaller) {
    add_evicted(10, Preparation::kMaxPreparingOctets / 4);
    begin();
    EXPECT_EQ(preparation_.away(), 4U);
    come_back(1);
    begin();
    EXPECT_EQ(preparation_.away(), 4U);
    EXPECT_EQ(preparation_.size(), 1U);
}

TEST_F(PreparationTest, bulk_mail_never_keeps_the_places_of_urgent_mail) {
    add_evicted(100, 10, Priority::bulk);
    begin();
    EXPECT_EQ(preparation_.away(), Preparation::kMaxPreparing);
    add_evicted(100, 10, Priority::urgent);
    begin();  // until it is the turn of bulk mail, which has no room
    const std::size_t round = static_cast<std::size_t>(FairQueue::kShares[0]);
    EXPECT_EQ(preparation_.away(), Preparation::kMaxPreparing + round);
    come_back(Preparation::kMaxPreparing + round);
    for (std::size_t i = 0; i < round; ++i)
        EXPECT_EQ(preparation_.first()->pop_front().message->priority, Priority::urgent);
    EXPECT_EQ(preparation_.first()->pop_front().message->priority, Priority::bulk);
    begin();
    EXPECT_EQ(preparation_.away(), 1 + round);
}

TEST_F(PreparationTest, urgent_mail_in_memory_passes_bulk_mail_that_is_prepared_but_not_for_ever) {
    add_evicted(10, 10, Priority::bulk);
    begin();
    come_back(10);
    const Recipient& urgent = mail_.of("", "", Priority::urgent);
    ReadyQueue& bulk = *preparation_.first();
    EXPECT_FALSE(preparation_.passes(mail_.of("", "", Priority::bulk), bulk));
    for (unsigned i = 0; i < Preparation::kMaxPassed; ++i) {
        ASSERT_TRUE(preparation_.passes(urgent, bulk));
        preparation_.note(true);
    }
    EXPECT_FALSE(preparation_.passes(urgent, bulk));
    preparation_.note(false);
    EXPECT_TRUE(preparation_.passes(urgent, bulk));
}

TEST_F(PreparationTest, only_the_front_of_the_queue_counts) {
    queue_.add(mail_.one("in-memory@x"));
    add_evicted(3);
    begin();
    EXPECT_EQ(preparation_.away(), 0U);
}

TEST_F(PreparationTest, what_cannot_be_prepared_leaves_its_place) {
    add_evicted(Preparation::kMaxPreparing + 1);
    begin();
    preparation_.failed(*away_.back());
    EXPECT_EQ(preparation_.size(), 0U);
    begin();
    EXPECT_TRUE(queue_.empty());
    EXPECT_EQ(preparation_.away(), Preparation::kMaxPreparing);
}

}  // namespace
}  // namespace relay
