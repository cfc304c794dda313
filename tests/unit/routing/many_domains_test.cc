// H1: the cost of a domain does not depend on how many there are. Steps are what a table, a list or
// a queue is made to do; no time is measured.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/routing/domain_queue.h"
#include "relay/routing/domain_table.h"

namespace relay {
namespace {

void forget_all(DomainTable& table) {
    while (Domain* domain = table.oldest())
        table.forget(*domain);
}

// A million different domains pass: each costs one entry and gives up at most one.
TEST(DomainTable, a_million_domains_pass_through_it_one_step_each) {
    DomainTable table(1000);
    std::size_t forgotten = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        Domain& domain = table.find_or_add("d" + std::to_string(i) + ".example");
        table.rest(domain);
        if (Domain* surplus = table.surplus()) {
            ASSERT_EQ(surplus->key, "d" + std::to_string(i - 1000) + ".example");
            table.forget(*surplus);
            ++forgotten;
            ASSERT_EQ(table.surplus(), nullptr);
        }
    }
    EXPECT_EQ(table.size(), 1000U);
    EXPECT_EQ(forgotten, 1'000'000U - 1000U);
    forget_all(table);
}

// A domain that somebody waits for is never given up, however many there are; nor is it looked at.
TEST(DomainTable, only_idle_domains_are_given_up) {
    DomainTable table(10);
    std::vector<Domain*> busy;
    for (int i = 0; i < 100'000; ++i) {
        Domain& domain = table.find_or_add("busy" + std::to_string(i));
        table.wake(domain);
        domain.state = DomainState::queued;
        busy.push_back(&domain);
    }
    EXPECT_EQ(table.idle(), 0U);
    EXPECT_EQ(table.surplus(), nullptr);
    EXPECT_EQ(table.oldest(), nullptr);
    for (int i = 0; i < 11; ++i)
        table.rest(table.find_or_add("idle" + std::to_string(i)));
    ASSERT_NE(table.surplus(), nullptr);
    EXPECT_EQ(table.surplus()->key, "idle0");
    table.rest(table.find_or_add("idle0"));  // used: it is the newest now
    EXPECT_EQ(table.surplus()->key, "idle1");
    EXPECT_EQ(table.size(), 100'011U);
    for (Domain* domain : busy)
        table.rest(*domain);
    forget_all(table);
    EXPECT_EQ(table.memory(), 0U);
}

class DomainQueueTest : public testing::Test {
  public:
    ~DomainQueueTest() override {
        while (!queue_.empty())
            pop();
        forget_all(table_);
    }

  protected:
    void push(const std::string& name, const Message& message) {
        Domain& domain = table_.find_or_add(name);
        if (domain.state == DomainState::queued) return queue_.also_for(domain, message);
        table_.wake(domain);
        queue_.push(domain, message);
    }
    std::string pop() {
        Domain& domain = queue_.pop();
        table_.rest(domain);
        return std::string(domain.key);
    }

    DomainTable table_;
    DomainQueue queue_;
    Message many_, few_, third_;
};

// One message for two hundred thousand domains does not keep others waiting.
TEST_F(DomainQueueTest, messages_take_turns) {
    for (int i = 0; i < 210'000; ++i)
        push("d" + std::to_string(i), many_);
    push("good.example", few_);
    push("better.example", few_);
    push("third.example", third_);
    const std::vector<std::string> expected{
        "d0", "good.example", "third.example", "d1", "better.example", "d2", "d3"};
    for (const std::string& name : expected)
        EXPECT_EQ(pop(), name);
    EXPECT_EQ(queue_.size(), 210'000U - 4U);
}

// A domain that many wait for has the turn of who waits for least beside it.
TEST_F(DomainQueueTest, a_domain_gets_the_earlier_of_its_turns) {
    for (int i = 0; i < 1000; ++i)
        push("d" + std::to_string(i), many_);
    push("d900", few_);
    push("d901", few_);
    push("d901", many_);
    push("d902", third_);
    EXPECT_EQ(queue_.size(), 1000U);
    EXPECT_EQ(pop(), "d0");
    EXPECT_EQ(pop(), "d900");
    EXPECT_EQ(pop(), "d902");
    EXPECT_EQ(pop(), "d1");
    EXPECT_EQ(pop(), "d901");
    // Who has no domain left takes no turn.
    for (int i = 2; i < 10; ++i)
        EXPECT_EQ(pop(), "d" + std::to_string(i));
}

}  // namespace
}  // namespace relay
