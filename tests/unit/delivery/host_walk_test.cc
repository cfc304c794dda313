#include "relay/delivery/host_walk.h"

#include <gtest/gtest.h>

#include "relay/message/own_disposition.h"
#include "tests/unit/delivery/delivery_scene.h"

namespace relay {
namespace {

using Because = NotOpened::Because;
using Failed = HostWalk::Failed;
using Strings = std::vector<std::string>;
using std::chrono::seconds;

Disposition silence() {
    return network_failure("silence");
}

// What a server said.
Disposition said(std::uint16_t code) {
    Disposition why;
    why.outcome = code < 500 ? Outcome::deferred : Outcome::bounced;
    why.reply.code = code;
    why.command = "greeting";
    return why;
}

// What becomes of a target.
struct Answer {
    Failed how = Failed::this_try;
    Disposition why = silence();
};

class HostWalkTest : public testing::Test {
  protected:
    // Goes through all targets; answers tells what becomes of each, the last one of all others.
    static core::Task<void> walk(HostWalk* one, std::vector<Answer> answers, Strings* tried) {
        std::size_t i = 0;
        while (auto target = co_await one->next()) {
            tried->push_back(target->peer().to_string());
            const Answer& answer = answers[std::min(i++, answers.size() - 1)];
            one->failed(answer.how, answer.why);
        }
    }
    Strings walk_through(std::vector<Answer> answers = {{}}) {
        Strings tried;
        SessionOpenings openings(nullptr, scene_.site);
        HostWalk one(scene_.context, scene_.site, detour_ ? &*detour_ : nullptr, openings);
        scene_.run(walk(&one, std::move(answers), &tried));
        end_ = one.ending();
        return tried;
    }

    DeliveryScene scene_;
    std::optional<Detour> detour_;
    NotOpened end_;
};

TEST_F(HostWalkTest, hosts_go_by_preference_and_with_all_their_addresses) {
    scene_.add_mx(10, "mx1.example", {"192.0.2.1", "192.0.2.2"});
    scene_.add_mx(20, "mx2.example", {"192.0.2.3"});
    EXPECT_EQ(walk_through(), (Strings{"192.0.2.1:25", "192.0.2.2:25", "192.0.2.3:25"}));
    EXPECT_EQ(end_.because, Because::unreachable);
    EXPECT_EQ(end_.why.peer_name, "mx2.example");
    EXPECT_EQ(end_.why.peer_address, "192.0.2.3");
}

TEST_F(HostWalkTest, five_addresses_of_a_host_are_tried_and_ten_of_all) {
    for (const char host : {'a', 'b', 'c'}) {
        const std::string name = std::string(1, host) + ".example";
        scene_.add_mx(static_cast<std::uint16_t>(host), name, {});
        for (int i = 1; i <= 7; ++i) {
            scene_.resolver.addresses(
                name, {"192.0.2." + std::to_string(host - 'a' + 1) + std::to_string(i)});
        }
    }
    const Strings tried = walk_through();
    ASSERT_EQ(tried.size(), HostWalk::kMaxAddressesTried);
    EXPECT_EQ(tried[HostWalk::kMaxAddressesOfAHost - 1], "192.0.2.15:25");
    EXPECT_EQ(tried[HostWalk::kMaxAddressesOfAHost], "192.0.2.21:25");
}

TEST_F(HostWalkTest, an_address_without_a_route_costs_nothing_and_says_nothing_of_the_host) {
    scene_.add_mx(10, "mx.example", {"192.0.2.1", "2001:db8::1"});
    walk_through({{Failed::no_route, silence()}, {Failed::host, said(554)}});
    EXPECT_TRUE(end_.no_route);
    EXPECT_EQ(end_.why.reply.code, 554);
    EXPECT_FALSE(scene_.hosts.ask("192.0.2.1:25", scene_.now(), {}).resting);
    walk_through({{Failed::no_route, silence()}});
    EXPECT_EQ(end_.because, Because::resting);  // the other one rests by now
}

TEST_F(HostWalkTest, without_any_route_the_site_is_unreachable) {
    scene_.add_mx(10, "mx.example", {"192.0.2.1"});
    walk_through({{Failed::no_route, silence()}});
    EXPECT_EQ(end_.because, Because::unreachable);
    EXPECT_EQ(end_.why.reply.text, "silence");
    EXPECT_TRUE(end_.no_route);
}

TEST_F(HostWalkTest, a_host_that_failed_is_passed_over_until_its_pause_is_over) {
    scene_.add_mx(10, "mx1.example", {"192.0.2.1"});
    scene_.add_mx(20, "mx2.example", {"192.0.2.2"});
    EXPECT_EQ(walk_through({{Failed::host, silence()}, {}}).size(), 2U);
    EXPECT_EQ(walk_through(), Strings{"192.0.2.2:25"});
    EXPECT_EQ(end_.because, Because::unreachable);
    scene_.pass(seconds{10});
    EXPECT_EQ(walk_through().size(), 2U);
}

TEST_F(HostWalkTest, where_all_hosts_rest_the_walk_says_until_when) {
    scene_.add_mx(10, "mx1.example", {"192.0.2.1"});
    scene_.add_mx(20, "mx2.example", {"192.0.2.2"});
    walk_through({{Failed::host, said(421)}});
    EXPECT_TRUE(walk_through().empty());
    EXPECT_EQ(end_.because, Because::resting);
    EXPECT_EQ(end_.ask_again, scene_.now() + HostPauses{}.first);
    EXPECT_EQ(end_.why.reply.code, 421);
    EXPECT_TRUE(end_.brief);  // each failed once
}

TEST_F(HostWalkTest, a_host_that_somebody_else_tries_is_asked_for_again_soon) {
    scene_.add_mx(10, "mx.example", {"192.0.2.1"});
    walk_through({{Failed::host, silence()}});
    scene_.pass(HostPauses{}.first);
    scene_.hosts.ask("192.0.2.1:25", scene_.now(), scene_.now() + seconds{30});
    EXPECT_TRUE(walk_through().empty());
    EXPECT_EQ(end_.because, Because::resting);
    EXPECT_EQ(end_.ask_again, scene_.now() + HostWalk::kAskAgain);
    EXPECT_TRUE(end_.brief);
}

TEST_F(HostWalkTest, after_4yz_in_the_greeting_the_site_s_table_says_who_is_next) {
    scene_.add_mx(10, "mx1.example", {"192.0.2.1", "192.0.2.2"});
    scene_.add_mx(20, "mx2.example", {"192.0.2.3"});
    const auto tried_with = [this](Reconnect reconnect) {
        scene_.hosts = HostMemory();
        scene_.site.limits.reconnect = reconnect;
        return walk_through({{Failed::refused, said(421)}}).size();
    };
    EXPECT_EQ(tried_with(Reconnect::next_host), 3U);
    EXPECT_EQ(tried_with(Reconnect::same_host), 2U);
    EXPECT_EQ(tried_with(Reconnect::terminate), 1U);
    EXPECT_EQ(end_.because, Because::refused);
}

TEST_F(HostWalkTest, mail_is_hopeless_only_where_every_host_is) {
    scene_.add_mx(10, "none.example", {});
    walk_through();
    EXPECT_EQ(end_.because, Because::hopeless);
    EXPECT_EQ(end_.why.command, "DNS");
    scene_.add_mx(20, "mx.example", {"192.0.2.1"});
    walk_through({{Failed::host, said(421)}});
    EXPECT_EQ(end_.because, Because::refused);
    EXPECT_EQ(end_.why.outcome, Outcome::deferred);
    EXPECT_TRUE(walk_through().empty());
    EXPECT_EQ(end_.because, Because::resting);  // it may take it yet
}

TEST_F(HostWalkTest, a_host_that_is_ours_ends_the_walk) {
    scene_.rules.own_addresses = {*core::IpAddress::parse("192.0.2.2")};
    scene_.add_mx(10, "mx1.example", {"192.0.2.1"});
    scene_.add_mx(20, "us.example", {"192.0.2.2"});
    scene_.add_mx(30, "mx3.example", {"192.0.2.3"});
    EXPECT_EQ(walk_through(), Strings{"192.0.2.1:25"});
}

TEST_F(HostWalkTest, a_stopped_walk_gives_no_further_target) {
    scene_.add_mx(10, "mx.example", {"192.0.2.1", "192.0.2.2"});
    SessionOpenings openings(nullptr, scene_.site);
    HostWalk one(scene_.context, scene_.site, nullptr, openings);
    Strings tried;
    one.stop();
    scene_.run(walk(&one, {{}}, &tried));
    EXPECT_TRUE(tried.empty());
}

TEST_F(HostWalkTest, a_detour_goes_around_hosts_or_by_one_family) {
    scene_.add_mx(10, "mx1.example", {"192.0.2.1", "2001:db8::1"});
    scene_.add_mx(20, "mx2.example", {"192.0.2.2"});
    detour_ = Detour{.avoided = {"mx1.example:25"}};
    EXPECT_EQ(walk_through(), Strings{"192.0.2.2:25"});
    detour_ = Detour{.family = dns::AddressFamilies::v6_only};
    EXPECT_EQ(walk_through(), Strings{"[2001:db8::1]:25"});
    detour_ = Detour{.avoided = {"mx1.example:25", "mx2.example:25"}};
    EXPECT_TRUE(walk_through().empty());
    EXPECT_EQ(end_.why.outcome, Outcome::none);  // it leads to nobody: the refusal stands
}

TEST_F(HostWalkTest, a_route_names_hosts_or_addresses_in_order) {
    scene_.site.routed = true;
    scene_.site.hops = {{.host = "b.example", .port = 587},
                        {.host = "192.0.2.9", .address = *core::IpAddress::parse("192.0.2.9")}};
    scene_.resolver.addresses("b.example", {"192.0.2.2"});
    EXPECT_EQ(walk_through(), (Strings{"192.0.2.2:587", "192.0.2.9:25"}));
    EXPECT_EQ(scene_.resolver.asked.size(), 2U);  // A and AAAA of the name
}

TEST_F(HostWalkTest, a_host_that_the_policy_of_the_domain_does_not_name_is_barred) {
    scene_.site.sts = true;
    scene_.site.sts_hosts = {"mx2.example"};
    scene_.add_mx(10, "mx1.example", {"192.0.2.1"});
    scene_.add_mx(20, "mx2.example", {"192.0.2.2"});
    EXPECT_EQ(walk_through(), Strings{"192.0.2.2:25"});
    scene_.site.plan.groups.pop_back();
    EXPECT_TRUE(walk_through().empty());
    EXPECT_EQ(end_.because, Because::hopeless);
    EXPECT_EQ(end_.why.outcome, Outcome::deferred);
    EXPECT_NE(end_.why.reply.text.find("MTA-STS"), std::string::npos);
}

}  // namespace
}  // namespace relay
