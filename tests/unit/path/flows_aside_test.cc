// FairQueue: tenants and campaigns that are set aside.
#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "relay/path/fair_queue.h"
#include "tests/unit/path/mail.h"

namespace relay {
namespace {

using std::chrono::seconds;

class FlowsAside : public QueuedMail {
  protected:
    std::size_t sent_of(std::string_view tenant, std::size_t among) {
        std::size_t count = 0;
        for (; among > 0; --among)
            count += queue_.pop_front().message->labels().tenant->name == tenant ? 1 : 0;
        return count;
    }

    const core::Instant now_{seconds{1000}};
};

TEST_F(FlowsAside, a_suspended_tenant_waits_and_the_others_go) {
    add(100, "a", "", Priority::urgent);
    add(100, "a");
    add(100, "b");
    queue_.suspend(mail_.id("a"));
    queue_.suspend(mail_.id("a"));
    EXPECT_EQ(queue_.size(), 100U);
    EXPECT_EQ(queue_.aside(), 200U);
    add(10, "a", "new");  // mail that comes later waits as well
    EXPECT_EQ(queue_.aside(), 210U);
    EXPECT_EQ(sent_of("a", 100), 0U);
    EXPECT_TRUE(queue_.empty());
    add(1, "a");
    EXPECT_TRUE(queue_.empty());
    queue_.resume(mail_.id("a"));
    queue_.resume(mail_.id("a"));
    EXPECT_EQ(queue_.size(), 211U);
    EXPECT_EQ(queue_.aside(), 0U);
    EXPECT_EQ(sent_of("a", 211), 211U);
}

TEST_F(FlowsAside, who_is_suspended_before_there_is_mail_waits) {
    queue_.suspend(mail_.id("a"));
    queue_.suspend(mail_.id("b"), "spring");
    add(3, "a");
    add(3, "b", "spring");
    add(3, "b", "autumn");
    EXPECT_EQ(queue_.size(), 3U);
    EXPECT_EQ(queue_.aside(), 6U);
}

TEST_F(FlowsAside, a_suspended_campaign_waits_and_the_rest_of_its_tenant_goes) {
    add(10, "a", "spring");
    add(10, "a", "autumn");
    add(10, "a");
    queue_.suspend(mail_.id("a"), "spring");
    queue_.suspend(mail_.id("a"), "");
    EXPECT_EQ(queue_.size(), 10U);
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(queue_.pop_front().message->labels().campaign, "autumn");
    EXPECT_TRUE(queue_.empty());
    queue_.resume(mail_.id("a"), "spring");
    EXPECT_EQ(queue_.size(), 10U);
    queue_.resume(mail_.id("a"), "");
    EXPECT_EQ(queue_.size(), 20U);
}

TEST_F(FlowsAside, a_campaign_may_be_resumed_while_its_tenant_stays_suspended) {
    add(10, "a", "spring");
    queue_.suspend(mail_.id("a"), "spring");
    queue_.suspend(mail_.id("a"));
    queue_.resume(mail_.id("a"), "spring");
    EXPECT_TRUE(queue_.empty());
    queue_.resume(mail_.id("a"));
    EXPECT_EQ(queue_.size(), 10U);
}

TEST_F(FlowsAside, who_rests_is_passed_over_until_the_time) {
    add(100, "a");
    add(100, "b");
    queue_.rest(mail_.id("a"), now_ + seconds{5});
    queue_.rest(mail_.id("a"), now_ + seconds{3});
    EXPECT_EQ(queue_.size(), 100U);
    EXPECT_EQ(queue_.wake(now_), now_ + seconds{3});
    EXPECT_EQ(sent_of("b", 50), 50U);
    EXPECT_EQ(queue_.wake(now_ + seconds{3}), core::kNever);
    EXPECT_EQ(queue_.size(), 150U);
    EXPECT_EQ(sent_of("a", 100), 50U);
}

TEST_F(FlowsAside, a_suspension_outlasts_a_rest) {
    add(10, "a");
    queue_.rest(mail_.id("a"), now_ + seconds{3});
    queue_.suspend(mail_.id("a"));
    EXPECT_EQ(queue_.wake(now_ + seconds{4}), core::kNever);
    EXPECT_TRUE(queue_.empty());
    queue_.resume(mail_.id("a"));
    EXPECT_EQ(queue_.size(), 10U);
}

TEST_F(FlowsAside, what_is_put_back_while_its_tenant_is_suspended_waits_in_front) {
    add(3, "a");
    Recipient& first = queue_.pop_front();
    queue_.suspend(mail_.id("a"));
    queue_.put_back(first);
    EXPECT_TRUE(queue_.empty());
    EXPECT_EQ(queue_.aside(), 3U);
    queue_.resume(mail_.id("a"));
    EXPECT_EQ(&queue_.pop_front(), &first);
}

TEST_F(FlowsAside, giving_up_takes_those_that_are_set_aside_and_they_stay_suspended) {
    add(5, "a");
    add(5, "b", "spring");
    add(5, "c");
    queue_.suspend(mail_.id("a"));
    queue_.suspend(mail_.id("b"), "spring");
    queue_.rest(mail_.id("c"), now_);
    ReadyQueue all;
    queue_.give_up(all);
    EXPECT_EQ(all.size(), 15U);
    drained(all);
    EXPECT_EQ(queue_.size() + queue_.aside(), 0U);
    add(5, "a");
    EXPECT_TRUE(queue_.empty());
}

// Whatever is done in whatever order, the counts are those of a model.
TEST(FlowsAsideProperty, counts_hold_for_random_steps) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        core::Prng prng{seed};
        Mail mail;
        FairQueue queue;
        constexpr std::size_t kTenants = 4;
        constexpr std::size_t kCampaigns = 3;
        std::size_t waiting[kTenants][kCampaigns] = {};
        bool suspended[kTenants] = {};
        bool campaign_suspended[kTenants][kCampaigns] = {};
        core::Instant rests[kTenants] = {};
        core::Instant now{seconds{1}};
        const auto name = [](std::size_t i) { return "t" + std::to_string(i); };
        const auto campaign = [](std::size_t i) { return i == 0 ? "" : "c" + std::to_string(i); };
        std::vector<Recipient*> taken;
        for (int step = 0; step < 3000; ++step) {
            const std::size_t t = prng.below(kTenants);
            const std::size_t c = prng.below(kCampaigns);
            const TenantId id = mail.id(name(t));
            if (prng.below(200) == 0) {  // a site that failed and is tried again
                ReadyQueue all;
                queue.give_up(all);
                ASSERT_EQ(queue.size() + queue.aside(), 0U);
                for (std::size_t left = all.size(); left > 0; --left)
                    queue.add(all.pop_front());
            }
            switch (prng.below(9)) {
                case 0:
                    suspended[t] = !suspended[t];
                    suspended[t] ? queue.suspend(id) : queue.resume(id);
                    break;
                case 1:
                    campaign_suspended[t][c] = !campaign_suspended[t][c];
                    campaign_suspended[t][c] ? queue.suspend(id, campaign(c))
                                             : queue.resume(id, campaign(c));
                    break;
                case 2:
                    rests[t] = now + seconds{1 + prng.below(20)};
                    queue.rest(id, rests[t]);
                    break;
                case 3:
                    now += seconds{1};
                    queue.wake(now);
                    break;
                case 4:
                case 5:
                    if (queue.empty()) break;
                    taken.clear();
                    queue.take_transaction(taken, 3);
                    for (const Recipient* one : taken) {
                        const Labels& labels = one->message->labels();
                        for (std::size_t i = 0; i < kCampaigns; ++i) {
                            if (labels.campaign != campaign(i)) continue;
                            const auto of = static_cast<std::size_t>(labels.tenant->name[1] - '0');
                            --waiting[of][i];
                            ASSERT_FALSE(suspended[of] || campaign_suspended[of][i]);
                            ASSERT_LE(rests[of], now);
                            if (prng.below(4) != 0) continue;
                            ++waiting[of][i];
                            queue.put_back(*taken.front());
                        }
                    }
                    break;
                default:
                    queue.add(mail.of(name(t), campaign(c), static_cast<Priority>(prng.below(3))));
                    ++waiting[t][c];
            }
            std::size_t may_go = 0;
            std::size_t aside = 0;
            for (std::size_t i = 0; i < kTenants; ++i) {
                for (std::size_t k = 0; k < kCampaigns; ++k) {
                    const bool held = suspended[i] || campaign_suspended[i][k] || rests[i] > now;
                    (held ? aside : may_go) += waiting[i][k];
                }
            }
            ASSERT_EQ(queue.size(), may_go);
            ASSERT_EQ(queue.aside(), aside);
        }
        ReadyQueue all;
        queue.give_up(all);
        drained(all);
    }
}

}  // namespace
}  // namespace relay
