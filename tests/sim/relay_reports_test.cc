// Delivery status notifications: who is told what by mail, when, and who is not.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/origin/delivery_reports.h"
#include "tests/sim/sim_relay.h"

namespace sim {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

const core::SocketAddress kReader{core::IpAddress::v4(0xc6336419), 25};  // 198.51.100.25
const core::SocketAddress kSender{core::IpAddress::v4(0xc633641a), 25};

// Readers at one.example, and the sender's own server, where notifications arrive.
struct Post {
    explicit Post(RelayOptions options, MxOptions readers = {}, MxOptions sender = {})
        : world(1, {.shards = 1}),
          mx(world, kReader, std::move(readers)),
          home(world, kSender, std::move(sender)) {
        zone.add_mx("one.example", 10, "mx.one.example");
        zone.add_address("mx.one.example", kReader.ip);
        zone.add_mx("sender.example", 10, "mx.sender.example");
        zone.add_address("mx.sender.example", kSender.ip);
        relay = std::make_unique<SimRelay>(world, zone, std::move(options));
        mx.start();
        home.start();
    }
    ~Post() {
        const bool closed = relay->close();
        mx.stop();
        home.stop();
        const bool stopped = world.run_until([this] { return mx.idle() && home.idle(); }, hours{1});
        EXPECT_TRUE(closed && stopped);
        if (!closed || !stopped) std::abort();
    }
    void send(const std::vector<std::string>& recipients, core::Duration limit = hours{1}) {
        relay->inject(0, recipients);
        relay->run_until_drained(limit);
        world.run_for(minutes{5});  // reports are gathered, then sent
    }
    // The notifications that arrived.
    std::vector<std::string> reports() const {
        std::vector<std::string> all;
        for (const Taken& taken : home.ledger()) {
            EXPECT_EQ(taken.sender, "");
            all.push_back(taken.content);
        }
        return all;
    }

    SimWorld world;
    SimZone zone;
    SimMx mx;
    SimMx home;
    std::unique_ptr<SimRelay> relay;
};

RelayOptions with(std::function<void(relay::Message&)> prepare) {
    RelayOptions options;
    options.prepare = std::move(prepare);
    return options;
}

void by_mail(relay::Message& message) {
    message.bounces = relay::BouncePolicy::both;
}

MxOptions refusing(std::string reply) {
    MxOptions options;
    options.script = [reply = std::move(reply)](const Moment& moment) {
        const bool refused = moment.stage == Stage::rcpt && moment.argument.starts_with("no");
        return refused ? Verdict{.reply = reply} : Verdict{};
    };
    return options;
}

std::size_t count(const std::string& text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at)
        ++found;
    return found;
}

TEST(RelayReports, one_lists_all_recipients_of_a_message_that_failed) {
    Post post(with(by_mail), refusing("550 5.1.1 no such user"));
    post.send({"no1@one.example", "yes@one.example", "no2@one.example"});
    const auto reports = post.reports();
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_EQ(post.home.ledger()[0].recipient, "news@sender.example");
    EXPECT_EQ(count(reports[0], "\r\nAction: failed\r\n"), 2U);
    EXPECT_EQ(count(reports[0], "\r\nStatus: 5.1.1\r\n"), 2U);
    EXPECT_TRUE(reports[0].contains("Final-Recipient: rfc822; no1@one.example\r\n"));
    EXPECT_TRUE(reports[0].contains("Final-Recipient: rfc822; no2@one.example\r\n"));
    EXPECT_TRUE(reports[0].contains("Remote-MTA: dns; mx.one.example\r\n"));
    EXPECT_TRUE(reports[0].contains("Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
    EXPECT_TRUE(reports[0].contains("Reporting-MTA: dns; relay.example\r\n"));
    EXPECT_TRUE(reports[0].contains("\r\nAuto-Submitted: auto-replied\r\n"));
    EXPECT_TRUE(reports[0].contains("\r\nSubject: number 1\r\n"));  // the original's header section
    EXPECT_FALSE(reports[0].contains("yes@one.example"));
    EXPECT_EQ(post.relay->count("Bounce"), 2U);  // bounces = "both"
}

// Failures that wait to be reported take memory, which new mail does not get.
TEST(RelayReports, what_is_collected_for_one_counts_against_the_memory) {
    constexpr std::size_t kLimit = 1 << 20;
    RelayOptions options = with(by_mail);
    options.memory_limit = kLimit;
    MxOptions readers;
    readers.script = [](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        const bool gone = moment.argument.starts_with("no");
        return Verdict{.reply = gone ? "550 5.1.1 " + std::string(900, 'x') : "451 4.7.1 later"};
    };
    Post post(std::move(options), std::move(readers));
    // Who is still tried keeps the message open, so that failures wait for company.
    std::vector<std::string> all{"later@one.example"};
    for (int i = 0; i < 400; ++i)
        all.push_back("no" + std::to_string(i) + "@one.example");
    const auto room = [&] {  // octets that a message may have
        std::size_t most = 0;
        for (std::size_t step = kLimit; step > 0; step /= 2)
            if (!post.relay->check(0, most + step)) most += step;
        return most;
    };
    post.relay->inject(0, all);
    post.world.run_for(relay::DeliveryReports::kGather / 2);
    // What is neither room nor the message itself: the failures that were collected.
    EXPECT_LT(room() + post.relay->memory(0) + 400 * 900, kLimit);
    post.world.run_for(minutes{5});
    EXPECT_EQ(post.reports().size(), 1U);
    EXPECT_GT(room() + post.relay->memory(0) + 400 * 900, kLimit);
}

// RFC 8689 section 5: so that the notification itself needs no TLS.
TEST(RelayReports, one_about_mail_with_requiretls_holds_nothing_of_it) {
    Post post(with([](relay::Message& message) {
                  by_mail(message);
                  message.set_dsn({relay::ReturnContent::full, {}});
                  message.tls = relay::TlsRequest::required;
              }),
              {});
    post.send({"no1@one.example"});  // nothing that is signed names the host
    const auto reports = post.reports();
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_TRUE(reports[0].contains("\r\nStatus: 5.7.10\r\n")) << reports[0];
    EXPECT_FALSE(reports[0].contains("Subject: number 1"));
}

TEST(RelayReports, failures_are_only_recorded_unless_somebody_asks) {
    Post post(with({}), refusing("550 5.1.1 no such user"));
    post.send({"no@one.example"});
    EXPECT_EQ(post.reports().size(), 0U);
    EXPECT_EQ(post.relay->count("Bounce"), 1U);
}

TEST(RelayReports, notify_of_the_sender_counts_more_than_the_listener) {
    const auto asking = [](std::uint8_t bits, relay::BouncePolicy policy) {
        return with([=](relay::Message& message) {
            message.bounces = policy;
            message.recipients[0]->notify = relay::Notify(bits);
        });
    };
    using relay::BouncePolicy;
    using relay::Notify;
    const auto failures = [&](std::uint8_t bits, BouncePolicy policy) {
        Post post(asking(bits, policy), refusing("550 5.1.1 no such user"));
        post.send({"no@one.example"});
        EXPECT_EQ(post.relay->count("Bounce"), 1U);
        return post.reports().size();
    };
    EXPECT_EQ(failures(Notify::kFailure, BouncePolicy::record), 1U);
    EXPECT_EQ(failures(Notify::kNever, BouncePolicy::both), 0U);
    EXPECT_EQ(failures(Notify::kNever, BouncePolicy::mail), 0U);
    EXPECT_EQ(failures(Notify::kSuccess | Notify::kDelay, BouncePolicy::both), 0U);
}

TEST(RelayReports, instead_of_the_event_where_the_listener_says_mail) {
    Post post(with([](relay::Message& message) { message.bounces = relay::BouncePolicy::mail; }),
              refusing("550 5.1.1 no such user"));
    post.send({"no@one.example", "yes@one.example"});
    EXPECT_EQ(post.reports().size(), 1U);
    EXPECT_EQ(post.relay->count("Bounce"), 0U);
    EXPECT_EQ(post.relay->count("Delivery"), 2U);  // of the message and of the notification
}

// RFC 5321 section 4.5.4, RFC 3464: a notification about a notification would never end.
TEST(RelayReports, none_is_ever_sent_about_the_null_sender) {
    MxOptions deaf;
    deaf.script = [](const Moment& moment) {
        return moment.stage == Stage::rcpt ? Verdict{.reply = "550 5.1.1 nobody"} : Verdict{};
    };
    Post post(with(by_mail), refusing("550 5.1.1 no such user"), deaf);
    post.send({"no@one.example"});
    EXPECT_EQ(post.home.ledger().size(), 0U);
    EXPECT_EQ(post.relay->count("Bounce"), 2U);  // the message's and the notification's
    EXPECT_EQ(post.relay->count("Reception"), 2U);

    Post null(with([](relay::Message& message) {
                  by_mail(message);
                  message.sender.clear();
                  message.recipients[0]->notify = relay::Notify(relay::Notify::kFailure);
              }),
              refusing("550 5.1.1 no such user"));
    null.send({"no@one.example"});
    EXPECT_EQ(null.relay->count("Reception"), 1U);
    EXPECT_EQ(null.relay->count("Bounce"), 1U);
}

// RFC 3461 section 5.2.2: success is reported by the last server that knows how to.
TEST(RelayReports, handing_mail_to_a_server_without_dsn_is_reported_on_request) {
    const auto asked = with([](relay::Message& message) {
        message.set_dsn({relay::ReturnContent::full, "QQ314159"});
        message.recipients[0]->notify = relay::Notify(relay::Notify::kSuccess);
        message.recipients[0]->set_original("rfc822;Yes@One.EXAMPLE");
    });
    {
        Post post(asked);
        post.send({"yes@one.example", "other@one.example"});
        const auto reports = post.reports();
        ASSERT_EQ(reports.size(), 1U);
        EXPECT_TRUE(reports[0].contains("\r\nAction: relayed\r\n"));
        EXPECT_TRUE(reports[0].contains("\r\nStatus: 2."));
        EXPECT_TRUE(reports[0].contains("Original-Recipient: rfc822; Yes@One.EXAMPLE\r\n"));
        EXPECT_TRUE(reports[0].contains("Original-Envelope-Id: QQ314159\r\n"));
        EXPECT_FALSE(reports[0].contains("other@one.example"));
    }
    Post post(asked, {.dsn = true});
    post.send({"yes@one.example"});
    EXPECT_EQ(post.reports().size(), 0U);
}

TEST(RelayReports, a_delay_is_told_once_and_then_the_end) {
    MxOptions busy;
    busy.script = [](const Moment& moment) {
        return moment.stage == Stage::rcpt ? Verdict{.reply = "451 4.2.1 busy"} : Verdict{};
    };
    RelayOptions options = with(by_mail);
    options.delay_warning = hours{4};
    options.max_age = days{2};
    Post post(std::move(options), busy);
    post.send({"no@one.example"}, hours{12});
    ASSERT_EQ(post.reports().size(), 1U);
    const std::string delayed = post.reports()[0];
    EXPECT_TRUE(delayed.contains("\r\nAction: delayed\r\nStatus: 4.2.1\r\n"));
    EXPECT_TRUE(delayed.contains("\r\nWill-Retry-Until: "));
    EXPECT_TRUE(delayed.contains("Diagnostic-Code: smtp; 451 4.2.1 busy\r\n"));
    EXPECT_TRUE(post.relay->run_until_drained(days{4}));
    post.world.run_for(minutes{5});
    ASSERT_EQ(post.reports().size(), 2U);
    EXPECT_TRUE(post.reports()[1].contains("\r\nAction: failed\r\nStatus: 5.4.7\r\n"));
    EXPECT_TRUE(post.reports()[1].contains("451 4.2.1 busy"));  // the last reply is quoted
}

// RFC 2852: at the time that was asked for, mode N tells and R returns.
TEST(RelayReports, delivery_by_a_time_is_told_or_the_mail_returned) {
    for (const bool returns : {false, true}) {
        SCOPED_TRACE(returns);
        MxOptions busy;
        busy.offers = {"DELIVERBY"};
        std::string mail_lines;
        busy.script = [&mail_lines](const Moment& moment) {
            if (moment.stage == Stage::mail) mail_lines.append(moment.line).append("\n");
            return moment.stage == Stage::rcpt ? Verdict{.reply = "451 4.2.1 busy"} : Verdict{};
        };
        RelayOptions options = with([returns](relay::Message& message) {
            by_mail(message);
            message.set_deliver_by(
                relay::DeliverBy::from(message.created, {.seconds = 5400, .returns = returns}));
        });
        options.intervals = {minutes{20}, hours{1}};
        options.delay_warning = minutes{10};  // which then says nothing
        Post post(std::move(options), busy);
        post.send({"no@one.example"}, hours{3});
        EXPECT_TRUE(mail_lines.contains(returns ? "BY=5400;R\n" : "BY=5400;N\n")) << mail_lines;
        ASSERT_EQ(post.reports().size(), 1U);
        EXPECT_TRUE(post.reports()[0].contains(returns
                                                   ? "\r\nAction: failed\r\nStatus: 5.4.7\r\n"
                                                   : "\r\nAction: delayed\r\nStatus: 4.4.7\r\n"))
            << post.reports()[0];
        EXPECT_EQ(post.relay->waiting(), returns ? 0U : 1U);
        EXPECT_LE(post.home.ledger()[0].when, core::Instant{hours{2}});
        EXPECT_EQ(post.relay->count("Expiration"), returns ? 1U : 0U);
    }
}

// Section 4.1.4.2: behind a server that knows nothing of it nobody watches the time.
TEST(RelayReports, the_sender_is_told_when_nobody_watches_the_time_any_more) {
    for (const bool never : {false, true}) {
        SCOPED_TRACE(never);
        Post post(with([never](relay::Message& message) {
            message.set_deliver_by(relay::DeliverBy::from(message.created, {.seconds = 600}));
            if (never) message.recipients[0]->notify = relay::Notify(relay::Notify::kNever);
        }));
        post.send({"yes@one.example"});
        EXPECT_EQ(post.mx.ledger().size(), 1U);
        ASSERT_EQ(post.reports().size(), never ? 0U : 1U);
        if (!never) EXPECT_TRUE(post.reports()[0].contains("\r\nAction: relayed\r\n"));
    }
    Post post(with([](relay::Message& message) {
                  message.set_deliver_by(relay::DeliverBy::from(message.created, {.seconds = 600}));
              }),
              {.offers = {"DELIVERBY"}});
    post.send({"yes@one.example"});
    EXPECT_EQ(post.mx.ledger().size(), 1U);
    EXPECT_TRUE(post.reports().empty());
}

TEST(RelayReports, mail_with_a_time_is_traced_on_request) {
    Post post(with([](relay::Message& message) {
                  message.set_deliver_by(relay::DeliverBy::from(
                      message.created, {.seconds = 60, .returns = true, .traces = true}));
              }),
              {.offers = {"DELIVERBY 30"}});
    post.send({"yes@one.example"});
    ASSERT_EQ(post.reports().size(), 1U);
    EXPECT_TRUE(post.reports()[0].contains("\r\nAction: relayed\r\n"));
    EXPECT_EQ(post.mx.ledger().size(), 1U);
}

TEST(RelayReports, mail_that_must_not_be_late_comes_back_from_a_host_without_deliverby) {
    Post post(with([](relay::Message& message) {
        by_mail(message);
        message.set_deliver_by(
            relay::DeliverBy::from(message.created, {.seconds = 600, .returns = true}));
    }));
    post.send({"yes@one.example"});
    ASSERT_EQ(post.reports().size(), 1U);
    EXPECT_TRUE(post.reports()[0].contains("\r\nStatus: 5.3.3\r\n"));
    EXPECT_TRUE(post.mx.ledger().empty());
}

TEST(RelayReports, nobody_is_told_of_delays_by_default) {
    MxOptions busy;
    busy.script = [](const Moment& moment) {
        return moment.stage == Stage::rcpt && moment.now < core::Instant{days{2}}
                   ? Verdict{.reply = "451 4.2.1 busy"}
                   : Verdict{};
    };
    Post post(with(by_mail), busy);
    post.send({"no@one.example"}, days{3});
    EXPECT_EQ(post.relay->count("Delivery"), 1U);
    EXPECT_EQ(post.reports().size(), 0U);
}

// What is known not to exist is said in our own words.
TEST(RelayReports, a_domain_that_does_not_exist_is_our_own_diagnosis) {
    Post post(with(by_mail));
    post.send({"x@nowhere.example"});
    ASSERT_EQ(post.reports().size(), 1U);
    EXPECT_TRUE(post.reports()[0].contains("\r\nStatus: 5.1.2\r\n"));
    EXPECT_TRUE(post.reports()[0].contains("Diagnostic-Code: x-posthaste; 550 5.1.2 "));
    EXPECT_FALSE(post.reports()[0].contains("Remote-MTA"));
}

TEST(RelayReports, verp_gives_each_recipient_a_return_path_that_stays) {
    MxOptions later;
    later.script = [](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        if (moment.argument.starts_with("no")) return Verdict{.reply = "550 5.1.1 unknown"};
        return moment.now < core::Instant{minutes{10}} ? Verdict{.reply = "450 4.2.1 later"}
                                                       : Verdict{};
    };
    Post post(with([](relay::Message& message) {
                  by_mail(message);
                  message.verp = true;
              }),
              later);
    post.send({"a@one.example", "no@one.example", "b@one.example"});
    std::vector<std::string> senders;
    for (const Taken& taken : post.mx.ledger())
        senders.push_back(taken.sender);
    std::ranges::sort(senders);
    EXPECT_EQ(senders, (std::vector<std::string>{"news+a=one.example@sender.example",
                                                 "news+b=one.example@sender.example"}));
    ASSERT_EQ(post.home.ledger().size(), 1U);
    EXPECT_EQ(post.home.ledger()[0].recipient, "news+no=one.example@sender.example");
}

// A notification that is being written when the relay ends is counted with what is left.
TEST(RelayReports, closing_while_failures_are_gathered) {
    MxOptions mixed;
    mixed.script = [](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        return Verdict{.reply = moment.argument.starts_with("no") ? "550 5.1.1 unknown"
                                                                  : "450 4.2.1 later"};
    };
    Post post(with(by_mail), mixed);
    post.relay->inject(0, {"no@one.example", "later@one.example"});
    post.world.run_for(std::chrono::seconds{2});  // one failed, and the timer of the report runs
    EXPECT_EQ(post.relay->count("Bounce"), 1U);
}

}  // namespace
}  // namespace sim
