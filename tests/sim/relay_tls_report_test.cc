// Reports about TLS (RFC 8460), over days of virtual time: what is counted, whom it is sent to and
// when, what fails on the way, and what a restart keeps.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_relay.h"
#include "tests/sim/tls_scene.h"
#include "tests/unit/tlsrpt/gunzip.h"

namespace sim {
namespace {

using core::test::association;
using core::test::Authority;
using relay::PolicyCounts;
using relay::TlsFailureType;
using relay::TlsPolicy;
using relay::TlsPolicyKind;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const core::SocketAddress kDesk{core::IpAddress::v4(0xc633641b), 25};  // 198.51.100.27
const std::string kPlace = "https://reports.one.example/tls";

std::string file(const std::string& mode, const std::string& mx) {
    return "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: 604800\n";
}

const core::TlsIdentity& stranger() {
    static const core::TlsIdentity made = Authority::self_signed({.names = {"mx.one.example"}});
    return made;
}

// one.example, whose host speaks TLS as the test likes, and desk.example, which gets reports by
// mail at a host with a certificate that nobody trusts.
class ReportScene {
  public:
    explicit ReportScene(SimDisk& used, MxOptions options = {},
                         const core::TlsIdentity* shows = nullptr, core::Duration later = {},
                         std::size_t shards = 1, TlsPolicy tls = TlsPolicy::opportunistic)
        : world(7, {.shards = shards, .backend = {.disk = &used}, .later = later}),
          policies(world),
          reports(world),
          context(server(shows != nullptr ? *shows : good())),
          desk_context(server(Authority::self_signed({.names = {"desk.example"}}))),
          mx(world, kMx,
             [&] {
                 options.tls = context.get();
                 return std::move(options);
             }()),
          desk(world, kDesk, {.name = "mx.desk.example", .tls = desk_context.get()}) {
        zone.add_mx("one.example", 10, "mx.one.example");
        zone.add_address("mx.one.example", kMx.ip);
        zone.add_mx("desk.example", 10, "mx.desk.example");
        zone.add_address("mx.desk.example", kDesk.ip);
        RelayOptions relay_options;
        relay_options.tls = tls;
        relay_options.tls_roots = authority().roots();
        relay_options.policies = &policies;
        relay_options.known = &known;
        relay_options.disk = &used;
        relay_options.reports = &reports;
        relay = std::make_unique<SimRelay>(world, zone, std::move(relay_options));
        mx.start();
        desk.start();
    }
    ~ReportScene() {
        const bool closed = relay->closed() || relay->close();
        mx.stop();
        desk.stop();
        const bool stopped = world.run_until([this] { return mx.idle() && desk.idle(); }, hours{1});
        EXPECT_TRUE(closed && stopped);
        if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
    }
    void wants_reports(const std::string& domain, const std::string& rua) {
        zone.names.erase("_smtp._tls." + domain);
        zone.add_txt("_smtp._tls." + domain, "v=TLSRPTv1; rua=" + rua);
    }
    void has_policy(const std::string& text) {
        zone.add_txt("_mta-sts.one.example", "v=STSv1; id=1;");
        if (!text.empty()) policies.files["one.example"] = text;
    }
    void send(const std::string& domain = "one.example", std::size_t shard = 0) {
        relay->inject(shard, {"u" + std::to_string(++injected) + "@" + domain});
        world.run_for(minutes{1});
    }
    // What is counted of a domain today.
    std::vector<PolicyCounts> counted(const std::string& domain = "one.example") {
        world.run_for(seconds{15});
        const auto& all = relay->reporter().tally().domains();
        const auto found = all.find({relay::utc_day(world.clock().wall()), domain});
        return found == all.end() ? std::vector<PolicyCounts>{} : found->second;
    }
    // One policy, under which all sessions failed in the same way.
    void expect_failures(TlsPolicyKind kind, TlsFailureType type, const std::string& reason = "") {
        const std::vector<PolicyCounts> counts = counted();
        ASSERT_EQ(counts.size(), 1U);
        EXPECT_EQ(counts[0].policy.kind, kind);
        EXPECT_EQ(counts[0].successes, 0U);
        EXPECT_GE(counts[0].failures, 1U);
        ASSERT_EQ(counts[0].failed.size(), 1U);
        EXPECT_EQ(counts[0].failed[0].sessions, counts[0].failures);
        EXPECT_EQ(counts[0].failed[0].failure.type, type);
        EXPECT_EQ(counts[0].failed[0].failure.host, "mx.one.example");
        EXPECT_TRUE(counts[0].failed[0].failure.reason.contains(reason))
            << counts[0].failed[0].failure.reason;
    }
    void run_to_midnight() {
        const core::WallTime now = world.clock().wall();
        world.run_for(relay::begin_of(relay::utc_day(now) + 1) - now);
    }
    std::uint64_t said(metrics::TlsReport result) {
        return relay->metrics().reports().tls[static_cast<std::size_t>(result)].value();
    }

    SimWorld world;
    SimZone zone;
    SimPolicies policies;
    SimReports reports;
    relay::StsStore known;
    std::unique_ptr<core::TlsContext> context;
    std::unique_ptr<core::TlsContext> desk_context;
    SimMx mx;
    SimMx desk;
    std::unique_ptr<SimRelay> relay;
    int injected = 0;
};

// ---- What is counted

TEST(RelayTlsReport, a_session_that_works_counts_once_however_much_it_carries) {
    SimDisk disk(1);
    ReportScene scene(disk);
    for (int i = 0; i < 20; ++i)
        scene.relay->inject(0, {"a" + std::to_string(i) + "@one.example"});
    scene.world.run_for(minutes{2});
    const auto counts = scene.counted();
    ASSERT_EQ(counts.size(), 1U);
    EXPECT_EQ(counts[0].policy, (relay::ReportedPolicy{TlsPolicyKind::none, "one.example"}));
    EXPECT_EQ(counts[0].successes, scene.mx.encrypted_sessions());
    EXPECT_LT(counts[0].successes, 20U);
    EXPECT_EQ(counts[0].failures, 0U);
}

TEST(RelayTlsReport, domains_that_share_a_session_count_it_each) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.zone.add_mx("two.example", 10, "mx.one.example");
    scene.relay->inject(0, {"a@one.example"});
    scene.relay->inject(0, {"a@TWO.example"});
    scene.relay->inject(0, {"b@two.example"});
    scene.world.run_for(minutes{2});
    ASSERT_EQ(scene.mx.encrypted_sessions(), 1U);
    for (const char* domain : {"one.example", "two.example"}) {
        ASSERT_EQ(scene.counted(domain).size(), 1U) << domain;
        EXPECT_EQ(scene.counted(domain)[0].successes, 1U) << domain;
    }
}

TEST(RelayTlsReport, missing_starttls_counts_as_a_failure_with_the_addresses) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.mx.options().tls = nullptr;
    scene.send();
    EXPECT_EQ(scene.mx.ledger().size(), 1U);  // in clear text
    scene.expect_failures(TlsPolicyKind::none, TlsFailureType::starttls_not_supported);
    const relay::TlsFailure failure = scene.counted()[0].failed[0].failure;
    EXPECT_EQ(failure.receiving_ip, "198.51.100.25");
    EXPECT_EQ(failure.sending_ip, "10.0.0.1");
}

TEST(RelayTlsReport, a_broken_handshake_counts_and_so_does_what_is_remembered_of_it) {
    SimDisk disk(1);
    ReportScene scene(disk, {.handshake = Handshake::garbage});
    scene.send();
    scene.expect_failures(TlsPolicyKind::none, TlsFailureType::validation_failure, "");
    EXPECT_EQ(scene.counted()[0].failures, 1U);
    scene.world.run_for(minutes{2});
    scene.send();
    EXPECT_EQ(scene.mx.ledger().size(), 2U);
    EXPECT_EQ(scene.counted()[0].failures, 2U);
    EXPECT_TRUE(scene.counted()[0].failed[1].failure.reason.contains("failed some minutes ago"));
}

TEST(RelayTlsReport, certificates_count_by_what_is_wrong_with_them) {
    core::test::CertificateWish expired{.names = {"mx.one.example"}};
    expired.not_after = core::WallTime{seconds{1'710'000'000}};
    const struct {
        core::TlsIdentity identity;
        TlsFailureType type;
    } cases[] = {
        {authority().issue(expired), TlsFailureType::certificate_expired},
        {stranger(), TlsFailureType::certificate_not_trusted},
        {authority().issue({.names = {"mx.two.example"}}),
         TlsFailureType::certificate_host_mismatch},
    };
    for (const auto& wrong : cases) {
        for (const char* mode : {"enforce", "testing"}) {
            SimDisk disk(1);
            ReportScene scene(disk, {}, &wrong.identity);
            scene.has_policy(file(mode, "*.one.example"));
            scene.send();
            EXPECT_EQ(scene.mx.ledger().empty(), std::string(mode) == "enforce");
            scene.expect_failures(TlsPolicyKind::sts, wrong.type);
            const relay::ReportedPolicy policy = scene.counted()[0].policy;
            EXPECT_EQ(policy.domain, "one.example");
            EXPECT_EQ(policy.hosts, std::vector<std::string>{"*.one.example"});
            EXPECT_EQ(policy.lines[1], "mode: " + std::string(mode));
        }
        SimDisk disk(1);  // nobody asked for a good one
        ReportScene scene(disk, {}, &wrong.identity);
        scene.send();
        EXPECT_EQ(scene.counted().at(0).successes, 1U);
    }
}

TEST(RelayTlsReport, a_policy_that_is_met_counts_as_such) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.has_policy(file("enforce", "*.one.example"));
    scene.send();
    const auto counts = scene.counted();
    ASSERT_EQ(counts.size(), 1U);
    EXPECT_EQ(counts[0].policy.kind, TlsPolicyKind::sts);
    EXPECT_EQ(counts[0].successes, 1U);
    EXPECT_EQ(counts[0].failures, 0U);
}

TEST(RelayTlsReport, a_host_that_the_policy_does_not_name_counts) {
    for (const char* mode : {"enforce", "testing"}) {
        SimDisk disk(1);
        ReportScene scene(disk);
        scene.has_policy(file(mode, "other.one.example"));
        scene.send();
        scene.expect_failures(TlsPolicyKind::sts, TlsFailureType::validation_failure,
                              "does not name this host");
    }
}

TEST(RelayTlsReport, a_policy_that_cannot_be_had_counts) {
    {
        SimDisk disk(1);
        ReportScene scene(disk);
        scene.has_policy("");
        scene.send();
        EXPECT_EQ(scene.mx.ledger().size(), 1U);
        scene.expect_failures(TlsPolicyKind::sts, TlsFailureType::sts_policy_fetch_error);
    }
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.has_policy("version: STSv1\nmode: enforce\n");
    scene.send();
    scene.expect_failures(TlsPolicyKind::sts, TlsFailureType::sts_policy_invalid);
}

// Bug: resolvers turn sets around, and each order was a policy of its own.
TEST(RelayTlsReport, the_order_of_tlsa_records_makes_no_other_policy) {
    SimDisk disk(1);
    ReportScene scene(disk, {}, &stranger());
    scene.zone.is_signed = true;
    scene.zone.ttl = minutes{1};
    scene.zone.add_tlsa("mx.one.example", 25, {3, 1, 1, association(stranger(), 0, 1, 1)});
    scene.zone.add_tlsa("mx.one.example", 25, {3, 1, 1, std::string(32, 'w')});
    scene.send();
    scene.world.run_for(minutes{10});
    auto& records = scene.zone.names["_25._tcp.mx.one.example"][dns::RecordType::tlsa].records;
    std::ranges::reverse(records);
    scene.send();
    const auto counts = scene.counted();
    ASSERT_EQ(counts.size(), 1U);
    EXPECT_EQ(counts[0].successes, 2U);
}

TEST(RelayTlsReport, tlsa_records_are_the_policy_of_their_host) {
    const std::string digest = association(stranger(), 0, 1, 1);
    {
        SimDisk disk(1);
        ReportScene scene(disk, {}, &stranger());
        scene.zone.is_signed = true;
        scene.zone.add_tlsa("mx.one.example", 25, {3, 1, 1, digest});
        scene.send();
        const auto counts = scene.counted();
        ASSERT_EQ(counts.size(), 1U);
        EXPECT_EQ(counts[0].policy.kind, TlsPolicyKind::tlsa);
        EXPECT_EQ(counts[0].policy.domain, "mx.one.example");
        EXPECT_TRUE(counts[0].policy.lines.at(0).starts_with("3 1 1 "));
        EXPECT_EQ(counts[0].policy.lines[0].size(), 6U + 64U);
        EXPECT_EQ(counts[0].successes, 1U);
    }
    {
        SimDisk disk(1);
        ReportScene scene(disk);
        scene.zone.is_signed = true;
        scene.zone.add_tlsa("mx.one.example", 25, {3, 1, 1, std::string(32, 'w')});
        scene.send();
        EXPECT_TRUE(scene.mx.ledger().empty());
        scene.expect_failures(TlsPolicyKind::tlsa, TlsFailureType::validation_failure, "TLSA");
    }
    {
        SimDisk disk(1);
        ReportScene scene(disk);
        scene.zone.is_signed = true;
        scene.zone.add_tlsa("mx.one.example", 25, {0, 1, 1, std::string(32, 'w')});
        scene.send();
        EXPECT_EQ(scene.mx.ledger().size(), 1U);
        scene.expect_failures(TlsPolicyKind::tlsa, TlsFailureType::tlsa_invalid);
    }
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.zone.is_signed = true;
    scene.zone.fail("_25._tcp.mx.one.example", dns::RecordType::tlsa, dns::DnsStatus::servfail);
    scene.send();
    EXPECT_TRUE(scene.mx.ledger().empty());
    scene.expect_failures(TlsPolicyKind::tlsa, TlsFailureType::dnssec_invalid);
}

TEST(RelayTlsReport, mail_that_waives_tls_and_sites_without_it_are_not_counted) {
    {
        SimDisk disk(1);
        ReportScene scene(disk);
        scene.relay->inject(0, {"a@one.example"}, "TLS-Required: No\r\n\r\nhello\r\n");
        scene.world.run_for(minutes{1});
        EXPECT_EQ(scene.mx.encrypted_sessions(), 1U);
        EXPECT_TRUE(scene.counted().empty());
    }
    SimDisk disk(1);
    ReportScene scene(disk, {}, nullptr, {}, 1, TlsPolicy::none);
    scene.send();
    EXPECT_EQ(scene.mx.ledger().size(), 1U);
    EXPECT_TRUE(scene.counted().empty());
}

TEST(RelayTlsReport, the_counts_of_all_shards_come_together) {
    SimDisk disk(1);
    ReportScene scene(disk, {}, nullptr, {}, 4);
    for (int domain = 0; domain < 8; ++domain) {
        const std::string name = "d" + std::to_string(domain) + ".example";
        scene.zone.add_mx(name, 10, "mx" + std::to_string(domain) + ".one.example");
        scene.zone.add_address("mx" + std::to_string(domain) + ".one.example", kMx.ip);
        scene.send(name, static_cast<std::size_t>(domain) % 4);
    }
    for (int domain = 0; domain < 8; ++domain) {
        const auto counts = scene.counted("d" + std::to_string(domain) + ".example");
        ASSERT_EQ(counts.size(), 1U) << domain;
        EXPECT_EQ(counts[0].successes, 1U);
    }
}

// ---- What is sent

TEST(RelayTlsReport, when_the_day_is_over_its_report_is_posted_within_four_hours) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.wants_reports("one.example", kPlace);
    scene.send();
    const relay::UtcDay day = relay::utc_day(scene.world.clock().wall());
    scene.run_to_midnight();
    EXPECT_TRUE(scene.reports.posted.empty());
    scene.world.run_for(hours{4} + minutes{2});
    ASSERT_EQ(scene.reports.posted.size(), 1U);
    const SimReports::Posted& posted = scene.reports.posted[0];
    EXPECT_EQ(posted.url, kPlace);
    EXPECT_GT(posted.when, relay::begin_of(day + 1));
    const std::string json = relay::test::gunzipped(posted.file);
    for (const char* wanted :
         {R"("organization-name":"The Relay")", R"("policy-type":"no-policy-found")",
          R"("policy-domain":"one.example")", R"("total-successful-session-count":1)"}) {
        EXPECT_TRUE(json.contains(wanted)) << wanted << "\n" << json;
    }
    EXPECT_TRUE(scene.relay->reporter().tally().empty());
    EXPECT_EQ(scene.said(metrics::TlsReport::posted), 1U);
    scene.world.run_for(days{1});
    EXPECT_EQ(scene.reports.posted.size(), 1U);
}

// Section 3: "deliver despite TLS failures", and do not count the session.
TEST(RelayTlsReport, a_report_by_mail_gets_there_without_tls_and_is_not_counted) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.zone.add_txt("_mta-sts.desk.example", "v=STSv1; id=1;");
    scene.policies.files["desk.example"] = file("enforce", "*.desk.example");
    scene.wants_reports("one.example", "mailto:tls@desk.example," + kPlace);
    scene.wants_reports("desk.example", kPlace);
    scene.send();
    scene.run_to_midnight();
    scene.world.run_for(hours{4} + minutes{2});
    ASSERT_EQ(scene.desk.ledger().size(), 1U);
    const Taken& mail = scene.desk.ledger()[0];
    EXPECT_EQ(mail.sender, "tls@relay.example");
    EXPECT_EQ(mail.recipient, "tls@desk.example");
    for (const char* wanted :
         {"TLS-Report-Domain: one.example\r\n", "TLS-Report-Submitter: relay.example\r\n",
          "report-type=\"tlsrpt\"", "application/tlsrpt+gzip"}) {
        EXPECT_TRUE(mail.content.contains(wanted)) << wanted << "\n" << mail.content;
    }
    EXPECT_EQ(scene.reports.posted.size(), 1U);  // the same report, at the other place
    EXPECT_TRUE(scene.counted("desk.example").empty());
    EXPECT_TRUE(scene.relay->reporter().tally().empty());
    EXPECT_EQ(scene.said(metrics::TlsReport::mailed), 1U);
    scene.relay->inject(0, {"other@desk.example"});  // what is not a report waits
    scene.world.run_for(minutes{5});
    EXPECT_EQ(scene.desk.ledger().size(), 1U);
    EXPECT_EQ(scene.counted("desk.example").at(0).policy.kind, TlsPolicyKind::sts);
}

TEST(RelayTlsReport, a_report_by_mail_is_tried_for_a_day_whatever_the_schedule_says) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.wants_reports("one.example", "mailto:tls@desk.example");
    scene.desk.options().script = [](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        return Verdict{.reply = "450 4.2.1 not now"};
    };
    scene.send();
    scene.run_to_midnight();
    scene.world.run_for(hours{30});
    EXPECT_TRUE(scene.desk.ledger().empty());
    const std::vector<Recorded> events = scene.relay->events_of("tls@desk.example");
    ASSERT_FALSE(events.empty());
    EXPECT_GE(scene.relay->count("TransientFailure"), 3U);
    EXPECT_EQ(events.back().type, "Expiration");
    EXPECT_EQ(scene.relay->count("Reception"), 2U);  // and nobody is told
}

TEST(RelayTlsReport, whoever_publishes_no_record_gets_none) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.send();
    EXPECT_EQ((scene.zone.asked[{"_smtp._tls.one.example", dns::RecordType::txt}]), 0U);
    scene.run_to_midnight();
    scene.world.run_for(hours{5});
    EXPECT_EQ((scene.zone.asked[{"_smtp._tls.one.example", dns::RecordType::txt}]), 1U);
    EXPECT_TRUE(scene.reports.posted.empty());
    EXPECT_TRUE(scene.relay->reporter().tally().empty());
}

TEST(RelayTlsReport, what_is_not_taken_is_tried_again_with_pauses_that_double) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.wants_reports("one.example", "mailto:tls@desk.example," + kPlace);
    scene.reports.refusal = "HTTP status 503";
    scene.send();
    scene.run_to_midnight();
    scene.world.run_for(hours{8});
    const auto& posted = scene.reports.posted;
    ASSERT_GE(posted.size(), 4U);
    for (std::size_t i = 2; i < posted.size(); ++i) {
        const auto before = posted[i - 1].when - posted[i - 2].when;
        EXPECT_GT(posted[i].when - posted[i - 1].when, before * 3 / 2);
    }
    EXPECT_EQ(scene.desk.ledger().size(), 1U);  // which had it the first time
    scene.reports.refusal.clear();
    scene.world.run_for(hours{5});
    EXPECT_TRUE(posted.back().taken);
    EXPECT_EQ(std::ranges::count(posted, true, &SimReports::Posted::taken), 1);
    EXPECT_EQ(scene.desk.ledger().size(), 1U);
    EXPECT_TRUE(scene.relay->reporter().tally().empty());
}

TEST(RelayTlsReport, after_a_day_it_is_given_up) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.wants_reports("one.example", kPlace);
    scene.reports.refusal = "HTTP status 503";
    scene.send();
    scene.run_to_midnight();
    scene.world.run_for(hours{20});
    EXPECT_EQ(scene.said(metrics::TlsReport::given_up), 0U);
    scene.world.run_for(hours{9});
    EXPECT_EQ(scene.said(metrics::TlsReport::given_up), 1U);
    EXPECT_TRUE(scene.relay->reporter().tally().empty());
    const std::size_t tried = scene.reports.posted.size();
    EXPECT_LE(tried, 15U);
    scene.world.run_for(days{1});
    EXPECT_EQ(scene.reports.posted.size(), tried);
}

TEST(RelayTlsReport, nobody_is_told_when_a_report_by_mail_fails) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.desk.options().script = [](const Moment& moment) {
        return moment.stage == Stage::rcpt ? Verdict{.reply = "550 5.1.1 no"} : Verdict{};
    };
    scene.wants_reports("one.example", "mailto:tls@desk.example");
    scene.zone.add_mx("relay.example", 10, "mx.desk.example");
    scene.send();
    scene.run_to_midnight();
    scene.world.run_for(hours{6});
    EXPECT_EQ(scene.relay->waiting(), 0U);
    EXPECT_EQ(scene.relay->count("Bounce"), 1U);
    EXPECT_EQ(scene.relay->count("Reception"), 2U);
}

TEST(RelayTlsReport, dns_that_fails_is_asked_again) {
    SimDisk disk(1);
    ReportScene scene(disk);
    scene.zone.fail("_smtp._tls.one.example", dns::RecordType::txt, dns::DnsStatus::servfail);
    scene.send();
    scene.run_to_midnight();
    scene.world.run_for(hours{5});
    EXPECT_TRUE(scene.reports.posted.empty());
    EXPECT_FALSE(scene.relay->reporter().tally().empty());
    scene.wants_reports("one.example", kPlace);
    scene.world.run_for(hours{5});
    EXPECT_EQ(scene.reports.posted.size(), 1U);
}

// ---- What is kept

TEST(RelayTlsReport, a_restart_keeps_the_counts) {
    SimDisk disk(1);
    core::WallTime ended{};
    core::Duration elapsed{};
    {
        ReportScene scene(disk);
        scene.send();
        ended = scene.world.clock().wall();
        elapsed = scene.world.clock().now().time_since_epoch();
    }
    ReportScene scene(disk, {}, nullptr, elapsed + minutes{5});
    ASSERT_EQ(relay::utc_day(ended), relay::utc_day(scene.world.clock().wall()));
    scene.wants_reports("one.example", kPlace);
    scene.world.run_for(minutes{1});
    scene.mx.options().tls = nullptr;
    scene.send();
    scene.run_to_midnight();
    scene.world.run_for(hours{4} + minutes{2});
    ASSERT_EQ(scene.reports.posted.size(), 1U);
    const std::string json = relay::test::gunzipped(scene.reports.posted[0].file);
    EXPECT_TRUE(json.contains(R"("summary":{"total-successful-session-count":1,)"
                              R"("total-failure-session-count":1})"))
        << json;
}

// Killed: what was counted up to a minute before is there, also of a day that is over.
TEST(RelayTlsReport, a_crash_costs_the_last_minute_and_no_report) {
    SimDisk disk(1);
    std::unique_ptr<SimDisk> left;
    core::Duration elapsed{};
    {
        ReportScene scene(disk);
        scene.send();
        scene.world.run_for(minutes{2});
        left = disk.after_kill(3);
        scene.run_to_midnight();
        elapsed = scene.world.clock().now().time_since_epoch();
    }
    ReportScene scene(*left, {}, nullptr, elapsed + hours{6});
    scene.wants_reports("one.example", kPlace);
    scene.world.run_for(hours{4} + minutes{2});
    ASSERT_EQ(scene.reports.posted.size(), 1U);
    EXPECT_TRUE(relay::test::gunzipped(scene.reports.posted[0].file)
                    .contains(R"("total-successful-session-count":1)"));
}

}  // namespace
}  // namespace sim
