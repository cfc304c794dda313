#include "relay/path/detours.h"

#include <gtest/gtest.h>

#include "tests/unit/path/mail.h"

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class DetoursTest : public testing::Test {
  protected:
    DetoursTest() {
        site_.name = "to.example";
        site_.plan.groups = {{10, {"mx1.example"}}, {20, {"mx2.example"}}};
    }
    void TearDown() override { drained(detours_.queue()); }

    // Content with octets above 127 needs 8BITMIME.
    Recipient& eight_bit() {
        Recipient& recipient = mail_.one("r@to.example");
        recipient.message->eight_bit = true;
        recipient.content_held = true;
        return recipient;
    }
    static Disposition lacking() {
        Disposition refusal;
        refusal.outcome = Outcome::bounced;
        refusal.host_lacks = true;
        return refusal;
    }
    static Disposition by_policy(const std::string& address) {
        Disposition refusal;
        refusal.outcome = Outcome::bounced;
        refusal.command = "MAIL";
        refusal.reply.code = 550;
        refusal.reply.enhanced = {5, 7, 1};
        refusal.peer_address = address;
        return refusal;
    }
    bool may_help(Recipient& recipient, const Disposition& refusal, const Detour* made = nullptr) {
        return detours_.may_help(recipient, refusal, made, moment_);
    }

    Mail mail_;
    SiteFacts site_;
    Detours detours_{site_};
    Detours::Moment moment_{core::Instant{hours{1}}, core::WallTime{hours{1}}};
    const Extensions plain_{};
};

TEST_F(DetoursTest, what_one_host_lacks_goes_to_the_others_while_one_is_left) {
    Recipient& recipient = eight_bit();
    detours_.note_offer("mx1.example:25", plain_, moment_.now);
    EXPECT_TRUE(may_help(recipient, lacking()));
    detours_.add(recipient, lacking());
    EXPECT_TRUE(detours_.wants_connection());
    const Detour detour = detours_.begin(moment_);
    EXPECT_EQ(detour.avoided, std::vector<std::string>{"mx1.example:25"});
    EXPECT_FALSE(detour.family.has_value());
    EXPECT_FALSE(detours_.wants_connection());  // one at a time
    std::vector<Recipient*> taken;
    EXPECT_TRUE(detours_.take(detour, taken, 100));
    EXPECT_EQ(taken, std::vector{&recipient});
    EXPECT_EQ(recipient.disposition().outcome, Outcome::none);
    detours_.note_offer("mx2.example:25", plain_, moment_.now);
    EXPECT_FALSE(may_help(recipient, lacking(), &detour));  // nobody takes it
    detours_.ended();
    EXPECT_FALSE(detours_.wants_connection());  // nobody waits
}

TEST_F(DetoursTest, an_offer_is_believed_for_minutes_and_the_latest_counts) {
    Recipient& recipient = eight_bit();
    for (const char* endpoint : {"mx1.example:25", "mx2.example:25"})
        detours_.note_offer(endpoint, plain_, moment_.now);
    EXPECT_FALSE(may_help(recipient, lacking()));
    Extensions better;
    better.eight_bit = true;
    detours_.note_offer("mx2.example:25", better, moment_.now);
    EXPECT_TRUE(may_help(recipient, lacking()));
    detours_.note_offer("mx2.example:25", plain_, moment_.now);
    EXPECT_FALSE(may_help(recipient, lacking()));
    moment_.now += Detours::kBelieveOffersFor + minutes{1};
    EXPECT_TRUE(may_help(recipient, lacking()));
}

TEST_F(DetoursTest, a_recipient_makes_so_many_in_an_attempt) {
    Recipient& recipient = eight_bit();
    recipient.detours = Detours::kMaxDetours;
    EXPECT_FALSE(may_help(recipient, lacking()));
}

TEST_F(DetoursTest, a_refusal_by_policy_goes_once_over_the_other_family) {
    Recipient& recipient = eight_bit();
    EXPECT_TRUE(may_help(recipient, by_policy("2001:db8::1")));
    detours_.add(recipient, by_policy("2001:db8::1"));
    const Detour detour = detours_.begin(moment_);
    EXPECT_EQ(detour.family, dns::AddressFamilies::v4_only);
    EXPECT_TRUE(detour.avoided.empty());
    std::vector<Recipient*> taken;
    EXPECT_TRUE(detours_.take(detour, taken, 1));
    // That one says the same: it is final, and for a while nobody asks the second family.
    EXPECT_FALSE(may_help(recipient, by_policy("192.0.2.1"), &detour));
    EXPECT_FALSE(may_help(recipient, by_policy("2001:db8::1")));
    moment_.now += Detours::kBelieveOffersFor;
    EXPECT_TRUE(may_help(recipient, by_policy("2001:db8::1")));
}

TEST_F(DetoursTest, only_policy_at_mail_is_a_matter_of_families_and_only_where_there_are_two) {
    Recipient& recipient = eight_bit();
    Disposition refusal = by_policy("192.0.2.1");
    refusal.command = "RCPT";
    EXPECT_FALSE(may_help(recipient, refusal));
    refusal = by_policy("192.0.2.1");
    refusal.reply.enhanced.subject = 1;
    EXPECT_FALSE(may_help(recipient, refusal));
    refusal = by_policy("192.0.2.1");
    refusal.outcome = Outcome::deferred;
    EXPECT_FALSE(may_help(recipient, refusal));
    site_.limits.ip_lookup = IpLookup::v4_only;
    EXPECT_FALSE(may_help(recipient, by_policy("192.0.2.1")));
}

TEST_F(DetoursTest, a_connection_takes_only_what_suits_its_detour) {
    detours_.add(eight_bit(), by_policy("192.0.2.1"));
    std::vector<Recipient*> taken;
    EXPECT_FALSE(detours_.take(Detour{}, taken, 100));
    EXPECT_FALSE(detours_.take(Detour{.family = dns::AddressFamilies::v4_only}, taken, 100));
    EXPECT_TRUE(detours_.take(Detour{.family = dns::AddressFamilies::v6_only}, taken, 100));
}

TEST_F(DetoursTest, where_nobody_could_be_reached_a_lack_defers_and_policy_stands) {
    Disposition passing;
    passing.outcome = Outcome::deferred;
    const Detour host{.avoided = {"mx1.example:25"}};
    const Detour family{.family = dns::AddressFamilies::v6_only};
    EXPECT_TRUE(detours_.failed(host, passing, false, moment_.now));
    EXPECT_FALSE(detours_.failed(host, {}, false, moment_.now));
    EXPECT_FALSE(detours_.failed(family, passing, false, moment_.now));
    Recipient& recipient = eight_bit();
    EXPECT_FALSE(may_help(recipient, by_policy("192.0.2.1")));
    moment_.now += Detours::kAskFamilyAgain;
    EXPECT_TRUE(may_help(recipient, by_policy("192.0.2.1")));
    detours_.failed(family, passing, true, moment_.now);  // no route: that takes longer
    moment_.now += Detours::kAskFamilyAgain;
    EXPECT_FALSE(may_help(recipient, by_policy("192.0.2.1")));
}

}  // namespace
}  // namespace relay
