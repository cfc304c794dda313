// Whose turn it is in a FairQueue: priorities, tenants by weight, campaigns equally.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "relay/path/fair_queue.h"
#include "tests/unit/path/mail.h"

namespace relay {
namespace {

std::shared_ptr<const TenantPolicies> weights(
    const std::vector<std::pair<std::string, unsigned>>& of) {
    std::vector<TenantPolicy> tables;
    for (const auto& [name, weight] : of) {
        tables.emplace_back();
        tables.back().name = name;
        tables.back().weight = weight;
    }
    return std::make_shared<const TenantPolicies>(std::move(tables));
}

class FairnessTest : public QueuedMail {
  protected:
    FairnessTest() : QueuedMail(weights({{"a", 5}, {"b", 2}, {"default", 1}})) {}
    // How many of the next ones each tenant has.
    std::map<std::string, std::size_t> next(std::size_t count) {
        std::map<std::string, std::size_t> sent;
        for (; count > 0 && !queue_.empty(); --count)
            ++sent[queue_.pop_front().message->labels().tenant->name];
        return sent;
    }
};

TEST_F(FairnessTest, tenants_share_by_weight) {
    for (const char* tenant : {"a", "b", "c"})
        add(1000, tenant);
    auto sent = next(800);
    EXPECT_EQ(sent["a"], 500U);
    EXPECT_EQ(sent["b"], 200U);
    EXPECT_EQ(sent["c"], 100U);
}

TEST_F(FairnessTest, who_has_no_mail_leaves_the_share_to_the_others) {
    add(10, "a");
    add(1000, "b");
    add(1000, "c");
    auto sent = next(310);
    EXPECT_EQ(sent["a"], 10U);
    EXPECT_NEAR(static_cast<double>(sent["b"]), 200, 2);
    EXPECT_NEAR(static_cast<double>(sent["c"]), 100, 2);
}

TEST_F(FairnessTest, who_comes_later_has_a_share_at_once_and_nothing_for_the_past) {
    add(3000, "a");
    next(1000);
    add(1000, "b");
    auto sent = next(70);
    EXPECT_EQ(sent["b"], 20U);
}

TEST_F(FairnessTest, campaigns_of_a_tenant_share_equally_whatever_they_hold) {
    add(1000, "a", "large");
    add(10, "a", "small");
    add(1000, "a");
    std::map<std::string, std::size_t> sent;
    for (int i = 0; i < 30; ++i)
        ++sent[queue_.pop_front().message->labels().campaign];
    EXPECT_EQ(sent["small"], 10U);
    EXPECT_EQ(sent["large"], 10U);
    EXPECT_EQ(sent[""], 10U);
}

TEST_F(FairnessTest, a_campaign_is_first_come_first_served) {
    std::vector<Recipient*> added;
    for (int i = 0; i < 20; ++i) {
        add(1, "b", "other");
        added.push_back(&mail_.of("a", "spring"));
        queue_.add(*added.back());
    }
    std::erase_if(added, [](const Recipient*) { return false; });
    std::vector<Recipient*> sent;
    while (!queue_.empty()) {
        Recipient& one = queue_.pop_front();
        if (one.message->labels().campaign == "spring") sent.push_back(&one);
    }
    EXPECT_EQ(sent, added);
}

TEST_F(FairnessTest, urgent_mail_goes_first) {
    add(10'000, "a", "", Priority::bulk);
    add(10'000, "b", "", Priority::normal);
    next(12'345);
    Recipient& urgent = mail_.of("c", "", Priority::urgent);
    queue_.add(urgent);
    EXPECT_EQ(&queue_.pop_front(), &urgent);
}

TEST_F(FairnessTest, no_priority_starves) {
    for (const Priority priority : {Priority::bulk, Priority::normal, Priority::urgent})
        add(2000, "a", "", priority);
    std::map<Priority, std::size_t> sent;
    std::size_t since_bulk = 0;
    for (int i = 0; i < 2000; ++i) {
        const Priority priority = queue_.pop_front().message->priority;
        ++sent[priority];
        since_bulk = priority == Priority::bulk ? 0 : since_bulk + 1;
        ASSERT_LE(since_bulk, 24U);
    }
    EXPECT_NEAR(static_cast<double>(sent[Priority::urgent]), 1600, 25);
    EXPECT_NEAR(static_cast<double>(sent[Priority::normal]), 320, 25);
    EXPECT_NEAR(static_cast<double>(sent[Priority::bulk]), 80, 25);
}

// Of a priority that had the path for itself nothing is held against it.
TEST_F(FairnessTest, bulk_mail_pays_nothing_for_time_without_others) {
    add(5000, "a", "", Priority::bulk);
    next(4000);
    add(1000, "b", "", Priority::urgent);
    EXPECT_NEAR(static_cast<double>(next(210)["a"]), 10, 1);
}

TEST_F(FairnessTest, a_transaction_for_many_is_charged_to_later_turns) {
    for (int i = 0; i < 40; ++i) {
        Message& message = mail_.add(std::vector<std::string>(50, "r@x"));
        message.edit_labels().tenant = &mail_.tenants.intern("c");
        for (const auto& each : message.recipients)
            queue_.add(*each);
    }
    add(2000, "d");
    std::size_t of_c = 0;
    std::size_t of_d = 0;
    std::vector<Recipient*> taken;
    while (of_c + of_d < 2000) {
        taken.clear();
        queue_.take_transaction(taken, 100);
        const bool c = taken.front()->message->labels().tenant->name == "c";
        EXPECT_EQ(taken.size(), c ? 50U : 1U);
        (c ? of_c : of_d) += taken.size();
    }
    EXPECT_NEAR(static_cast<double>(of_c), 1000, 50);
}

TEST_F(FairnessTest, what_is_put_back_is_next_again_and_costs_no_turn) {
    add(100, "a");
    add(100, "b");
    for (int i = 0; i < 50; ++i) {
        std::vector<Recipient*> taken;
        queue_.take_transaction(taken, 1);
        queue_.put_back(*taken.front());
        EXPECT_EQ(&queue_.front(), taken.front());
        queue_.pop_front();
    }
    // 50 went, of which five of seven are of a.
    const double of_a = 100 - static_cast<double>(next(200)["a"]);
    EXPECT_NEAR(of_a, 50.0 * 5 / 7, 5);
}

TEST_F(FairnessTest, weights_that_change_hold_from_the_next_turn) {
    add(2000, "a");
    add(2000, "b");
    next(700);
    queue_.use(weights({{"a", 1}, {"b", 3}}));
    next(7);
    auto sent = next(400);
    EXPECT_NEAR(static_cast<double>(sent["a"]), 100, 5);
    EXPECT_NEAR(static_cast<double>(sent["b"]), 300, 5);
}

TEST_F(FairnessTest, a_sweep_finds_what_is_over_in_every_flow) {
    for (int i = 0; i < 3000; ++i)
        queue_.add(mail_.of("t" + std::to_string(i)));
    queue_.suspend(mail_.id("t77"));
    std::size_t left = 0;
    const auto even = [this](const Message& message) {
        return message.labels().tenant->id != mail_.id("t5");
    };
    const auto leave = [&left](Recipient&) { ++left; };
    queue_.begin_sweep();
    for (int steps = 1;; ++steps) {
        core::SliceCount slice;
        if (queue_.expire(even, leave, slice)) break;
        ASSERT_LT(steps, 100);
    }
    EXPECT_EQ(left, 2999U);
    EXPECT_EQ(queue_.aside(), 0U);
    EXPECT_EQ(queue_.size(), 1U);
}

// Over any time in which all of them wait, what two tenants were sent differs by no more than a
// turn of each, and whoever is added leaves exactly once.
TEST(FairnessProperty, shares_hold_for_random_mail) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        core::Prng prng{seed};
        std::vector<std::pair<std::string, unsigned>> of;
        const std::size_t tenants = 2 + prng.below(12);
        for (std::size_t i = 0; i < tenants; ++i)
            of.emplace_back("t" + std::to_string(i), 1 + static_cast<unsigned>(prng.below(20)));
        Mail mail;
        FairQueue queue(weights(of));
        std::map<std::string, std::size_t> waiting;
        const auto add = [&](std::size_t i) {
            ++waiting[of[i].first];
            queue.add(mail.of(of[i].first, prng.below(3) == 0 ? "" : std::to_string(prng.below(5)),
                              Priority::bulk));
        };
        for (std::size_t i = 0; i < tenants; ++i) {
            for (std::size_t n = 50 + prng.below(1500); n > 0; --n)
                add(i);
        }
        std::map<std::string, double> sent;
        std::size_t added = queue.size();
        for (;;) {
            Recipient& one = queue.pop_front();
            const std::string& name = one.message->labels().tenant->name;
            --waiting[name];
            ++sent[name];
            if (waiting[name] == 0) break;
            if (prng.below(10) == 0) {  // not used: a moment later it is next again
                --sent[name];
                ++waiting[name];
                queue.put_back(one);
            }
            if (prng.below(4) == 0) {
                add(prng.below(tenants));
                ++added;
            }
            double least = 1e9;
            double most = 0;
            for (const auto& [tenant, weight] : of) {
                least = std::min(least, sent[tenant] / weight);
                most = std::max(most, sent[tenant] / weight);
            }
            ASSERT_LE(most - least, 1.0 + 1e-9);
        }
        double all = 0;
        for (const auto& [tenant, count] : sent)
            all += count;
        EXPECT_EQ(static_cast<double>(added), all + static_cast<double>(drained(queue).size()));
    }
}

}  // namespace
}  // namespace relay
