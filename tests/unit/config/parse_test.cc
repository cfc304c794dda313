#include "relay/config/parse.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/schema.h"
#include "relay/message/message.h"
#include "tests/unit/config/parsed_text.h"
#include "tests/unit/config/temporary_directory.h"

namespace relay {
namespace {

using namespace std::chrono_literals;

TEST(ParseConfig, the_least_gives_the_defaults) {
    const Config config = parsed(kLeast);
    EXPECT_EQ(config.node.hostname, "");
    EXPECT_EQ(config.node.shards, 0U);
    EXPECT_EQ(config.node.data_dir, "/var/lib/posthaste");
    EXPECT_EQ(config.node.io_backend, IoChoice::automatic);
    EXPECT_EQ(config.spool.durability, Durability::memory);
    EXPECT_EQ(config.spool.segment_size, 64U << 20);
    EXPECT_EQ(config.spool.max_size, (SizeOrShare{0, 80}));
    EXPECT_EQ(config.spool.min_free, (SizeOrShare{0, 5}));
    EXPECT_EQ(config.memory.limit, (SizeOrShare{0, 75}));
    ASSERT_EQ(config.listeners.size(), 1U);
    const ListenerConfig& listener = config.listeners.front();
    EXPECT_EQ(listener.name, "smtp");
    EXPECT_EQ(listener.protocol, ListenerProtocol::smtp);
    EXPECT_EQ(listener.addresses.front().to_string(), "127.0.0.1:2525");
    ASSERT_EQ(listener.allow.size(), 2U);
    EXPECT_EQ(listener.allow[0].to_string(), "127.0.0.0/8");
    EXPECT_EQ(listener.allow[1].to_string(), "::1/128");
    EXPECT_EQ(listener.max_message_size, 50U << 20);
    EXPECT_EQ(listener.max_recipients, 1000U);
    EXPECT_EQ(listener.max_connections, 10000U);
    EXPECT_EQ(listener.line_endings, BareEndings::reject);
    EXPECT_TRUE(config.dns.servers.empty());
    EXPECT_TRUE(config.routes.empty());
    EXPECT_EQ(config.delivery.port, 25);
    EXPECT_EQ(config.delivery.tls, TlsPolicy::opportunistic);
    EXPECT_EQ(config.delivery.prohibited_hosts.size(), 4U);
    EXPECT_EQ(config.retry.intervals,
              (std::vector<core::Duration>{1min, 5min, 15min, 30min, 1h, 2h, 4h}));
    EXPECT_EQ(config.retry.max_age, 120h);
    EXPECT_EQ(config.shaping.defaults, ShapingLimits{});
    EXPECT_EQ(config.events.log_rotate_size, 256U << 20);
    EXPECT_EQ(config.events.log_keep, 168h);
}

TEST(ParseConfig, a_listener_may_have_further_names) {
    const std::string web =
        "[[listener]]\nprotocol = \"http\"\naddress = [\"127.0.0.1:8025\"]\nhosts = ";
    EXPECT_EQ(parsed(web + "[\"posthaste\", \"mail.example.com\"]\n").listeners[0].hosts,
              (std::vector<std::string>{"posthaste", "mail.example.com"}));
    for (const char* wrong : {"a:8025", "http://a", "", "a b"}) {
        const auto config = parse_config(web + "[\"" + wrong + "\"]\n", "test.toml");
        ASSERT_FALSE(config) << wrong;
        EXPECT_TRUE(config.error()[0].sentence.contains("is not a host name")) << wrong;
    }
}

TEST(ParseConfig, reads_every_key_of_this_version) {
    const Config config = parsed(R"(
[node]
hostname = "mta1.example.com"
shards = 4
data_dir = "/srv/mail"
io_backend = "io_uring"
[spool]
durability = "memory"
segment_size = "16MiB"
max_size = "100GiB"
min_free = "1%"
[memory]
limit = "2GiB"
[[listener]]
name = "in"
protocol = "smtp"
address = ["0.0.0.0:25", "[::]:25"]
tls = "none"
certificate = ""
private_key = ""
allow = ["10.0.0.0/8", "fd00::/8"]
auth = "optional"
max_message_size = "1MiB"
max_recipients = 7
max_connections = 9
line_endings = "normalize"
[[listener]]
name = "web"
protocol = "http"
address = ["127.0.0.1:8025"]
serve = ["metrics"]
[dns]
servers = ["192.0.2.53", "[2001:db8::53]:5353"]
trust_ad = true
[[route]]
domain = "*.Example.COM"
hosts = ["127.0.0.1:2600", "Relay.example.net", "[::1]:26", "backup:2525", "2001:db8::1"]
[delivery]
port = 2600
tls = "none"
prohibited_hosts = []
[retry]
intervals = ["1s", "2s"]
max_age = "1h"
[shaping]
files = ["/etc/a.toml", "b.toml"]
default.connection_limit = 3
default.max_deliveries_per_connection = 4
default.max_message_rate = "5/m"
default.max_connection_rate = "6/h"
[events]
log_dir = "/srv/events"
log_rotate_size = "1MiB"
log_keep = "1h"
)");
    EXPECT_EQ(config.node.hostname, "mta1.example.com");
    EXPECT_EQ(config.node.shards, 4U);
    EXPECT_EQ(config.node.data_dir, "/srv/mail");
    EXPECT_EQ(config.node.io_backend, IoChoice::io_uring);
    EXPECT_EQ(config.spool.segment_size, 16U << 20);
    EXPECT_EQ(config.spool.max_size, (SizeOrShare{100ULL << 30, 0}));
    EXPECT_EQ(config.spool.min_free, (SizeOrShare{0, 1}));
    EXPECT_EQ(config.memory.limit, (SizeOrShare{2ULL << 30, 0}));
    ASSERT_EQ(config.listeners.size(), 2U);
    const ListenerConfig& smtp = config.listeners[0];
    EXPECT_EQ(smtp.name, "in");
    EXPECT_EQ(smtp.addresses.size(), 2U);
    EXPECT_EQ(smtp.allow.size(), 2U);
    EXPECT_EQ(smtp.max_message_size, 1U << 20);
    EXPECT_EQ(smtp.max_recipients, 7U);
    EXPECT_EQ(smtp.max_connections, 9U);
    EXPECT_EQ(smtp.line_endings, BareEndings::normalize);
    const ListenerConfig& http = config.listeners[1];
    EXPECT_EQ(http.protocol, ListenerProtocol::http);
    EXPECT_FALSE(http.serve_inject);
    EXPECT_TRUE(http.serve_metrics);
    EXPECT_EQ(http.max_recipients, 1'000'000U);
    ASSERT_EQ(config.dns.servers.size(), 2U);
    EXPECT_EQ(config.dns.servers[0].to_string(), "192.0.2.53:53");
    EXPECT_EQ(config.dns.servers[1].to_string(), "[2001:db8::53]:5353");
    ASSERT_EQ(config.routes.size(), 1U);
    EXPECT_EQ(config.routes[0].domain, "*.example.com");
    const std::vector<NextHop> hops{{"127.0.0.1", 2600, core::IpAddress::v4(0x7f000001)},
                                    {"relay.example.net", 25, {}},
                                    {"::1", 26, *core::IpAddress::parse("::1")},
                                    {"backup", 2525, {}},
                                    {"2001:db8::1", 25, *core::IpAddress::parse("2001:db8::1")}};
    EXPECT_EQ(config.routes[0].hosts, hops);
    EXPECT_EQ(config.delivery.port, 2600);
    EXPECT_EQ(config.delivery.tls, TlsPolicy::none);
    EXPECT_TRUE(config.delivery.prohibited_hosts.empty());
    EXPECT_EQ(config.retry.intervals, (std::vector<core::Duration>{1s, 2s}));
    EXPECT_EQ(config.retry.max_age, 1h);
    EXPECT_EQ(config.shaping.files.size(), 2U);
    EXPECT_EQ(config.shaping.defaults, (ShapingLimits{3, 4, {5, 1min}, {6, 1h}}));
    EXPECT_EQ(config.events.log_dir, "/srv/events");
    EXPECT_EQ(config.events.log_rotate_size, 1U << 20);
    EXPECT_EQ(config.events.log_keep, 1h);
}

TEST(ParseConfig, a_spool_that_says_nothing_commits) {
    const auto silent = parse_config("[[listener]]\naddress = [\"127.0.0.1:2525\"]\n", "t.toml");
    ASSERT_TRUE(silent);
    EXPECT_EQ(silent->spool.durability, Durability::commit);
    const auto wrong = problems(
        "[[listener]]\naddress = [\"127.0.0.1:1\"]\n[spool]\ndurability = \"sometimes\"\n");
    ASSERT_EQ(wrong.size(), 1U);
    EXPECT_TRUE(wrong[0].starts_with("t.toml:4: ")) << wrong[0];
}

TEST(ParseConfig, needs_a_listener) {
    const auto all = problems("[spool]\ndurability = \"memory\"\n");
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(has(all[0], "at least one [[listener]]")) << all[0];
    EXPECT_TRUE(has(problem_of("[[listener]]\nname = \"b\"\n"),
                    "t.toml:5: [[listener]] needs an "
                    "address"));
    EXPECT_TRUE(has(problem_of("[[listener]]\nname=\"b\"\naddress = []\n"), "at least one"));
}

TEST(ParseConfig, names_unknown_keys_and_guesses) {
    EXPECT_EQ(problem_of("[node]\nhostnam = \"a\"\n"),
              "t.toml:6: [node] has no key \"hostnam\"; is \"hostname\" meant?");
    EXPECT_EQ(problem_of("[nodes]\nhostname = \"a\"\n"),
              "t.toml:5: the configuration has no key \"nodes\"; is \"node\" meant?");
    EXPECT_EQ(problem_of("[events]\nzzzzzzzz = 1\n"), "t.toml:6: [events] has no key \"zzzzzzzz\"");
    EXPECT_EQ(problem_of("[shaping]\ndefault = { conection_limit = 1 }\n"),
              "t.toml:6: [shaping] default has no key \"conection_limit\"; is \"connection_limit\" "
              "meant?");
}

TEST(ParseConfig, names_wrong_types) {
    EXPECT_EQ(problem_of("[node]\nshards = \"two\"\n"),
              "t.toml:6: [node] shards must be an integer, not a string");
    EXPECT_EQ(problem_of("[node]\nhostname = 5\n"),
              "t.toml:6: [node] hostname must be a string, not an integer");
    EXPECT_EQ(problem_of("[spool.x]\n").substr(0, 17), "t.toml:5: [spool]");
    EXPECT_TRUE(has(problem_of("[retry]\nintervals = \"1m\"\n"), "must be a list of strings"));
    EXPECT_TRUE(has(problem_of("[retry]\nintervals = [1]\n"), "must be a list of strings"));
    EXPECT_TRUE(has(problem_of("[retry]\nmax_age = 5\n"), "must be a time in quotes"));
    EXPECT_TRUE(has(problem_of("[retry]\ndelay_warning = \"soon\"\n"), "is not a time"));
    EXPECT_TRUE(has(problem_of("[dns]\ntrust_ad = \"no\"\n"), "must be true or false"));
    EXPECT_TRUE(has(problem_of("[memory]\nlimit = 5\n"), "must be a share or size in quotes"));
    EXPECT_TRUE(has(problem_of("[shaping]\ndefault = 5\n"), "must be a table"));
    EXPECT_TRUE(has(problem_of("[route]\ndomain = \"*\"\n"), "must be written as [[route]]"));
    EXPECT_TRUE(has(problems("node = 5\n" + kLeast).at(0), "t.toml:1: [node] must be one table"));
}

TEST(ParseConfig, names_impossible_values) {
    EXPECT_EQ(problem_of("[node]\nshards = -1\n"),
              "t.toml:6: [node] shards must be from 0 to 256, not -1");
    EXPECT_TRUE(has(problem_of("[node]\nhostname = \"a b\"\n"), "is not the name of a host"));
    EXPECT_TRUE(has(problem_of("[node]\nhostname = \"\"\n"), "is not the name of a host"));
    EXPECT_TRUE(has(problem_of("[node]\ndata_dir = \"\"\n"), "must not be empty"));
    EXPECT_TRUE(has(problem_of("[memory]\nlimit = \"0%\"\n"), "1% to 100%"));
    EXPECT_TRUE(has(problem_of("[memory]\nlimit = \"101%\"\n"), "1% to 100%"));
    EXPECT_TRUE(has(problem_of("[memory]\nlimit = \"1KiB\"\n"), "at least 16MiB"));
    EXPECT_TRUE(has(problem_of("[memory]\nlimit = \"much\"\n"), "neither a share"));
    EXPECT_TRUE(has(problem_of("[delivery]\nport = 0\n"), "from 1 to 65535"));
    EXPECT_TRUE(has(problem_of("[delivery]\nport = 99999\n"), "from 1 to 65535"));
    EXPECT_TRUE(has(problem_of("[delivery]\nprohibited_hosts = [\"x\"]\n"), "not an IP network"));
    EXPECT_TRUE(has(problem_of("[retry]\nintervals = []\n"), "at least one"));
    EXPECT_TRUE(has(problem_of("[retry]\nintervals = [\"0s\"]\n"), "too short"));
    EXPECT_TRUE(has(problem_of("[retry]\nmax_age = \"1 year\"\n"), "is not a time"));
    EXPECT_TRUE(has(problem_of("[dns]\nservers = [\"resolver\"]\n"), "is not an IP address"));
    EXPECT_TRUE(has(problem_of("[shaping]\ndefault = { connection_limit = 0 }\n"), "from 1 to"));
    EXPECT_TRUE(
        has(problem_of("[shaping]\ndefault = { max_message_rate = \"0/s\" }\n"), "allows nothing"));
    EXPECT_TRUE(has(problem_of("[events]\nlog_rotate_size = \"1B\"\n"), "octets"));
    EXPECT_TRUE(has(problem_of("[[route]]\ndomain = \"a..b\"\nhosts = [\"x\"]\n"),
                    "\"a..b\" is not a domain"));
    EXPECT_TRUE(has(problem_of("[[route]]\ndomain = \"*\"\nhosts = []\n"), "needs hosts"));
    for (const char* host : {"", ":25", "a b", "a:0", "a:x", "1.2.3", "a:b:c", "-a", "a:"}) {
        EXPECT_TRUE(
            has(problem_of("[[route]]\ndomain = \"*\"\nhosts = [\"" + std::string(host) + "\"]\n"),
                "is not a host"))
            << host;
    }
}

TEST(ParseConfig, a_transaction_of_smtp_has_20000_recipients_at_most) {
    static_assert(kMostSmtpRecipients == Message::kMostRecipients);
    const std::string listener = "[[listener]]\nname = \"b\"\naddress = [\"127.0.0.1:1\"]\n";
    const Config config =
        parsed(kLeast + listener + "protocol = \"smtp\"\nmax_recipients = 20000\n" +
               "[[listener]]\nname = \"c\"\naddress = [\"127.0.0.1:2\"]\n"
               "protocol = \"http\"\nmax_recipients = 20001\n");
    EXPECT_EQ(config.listeners[1].max_recipients, 20'000U);
    EXPECT_EQ(config.listeners[2].max_recipients, 20'001U);
    const std::string problem =
        problem_of(listener + "protocol = \"smtp\"\nmax_recipients = 20001\n");
    EXPECT_TRUE(has(problem, "[[listener]] max_recipients may be 20000 at most for SMTP"))
        << problem;
}

TEST(ParseConfig, refuses_to_be_an_open_relay) {
    for (const char* network :
         {"0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "0.0.0.0/1", "2000::/3"}) {
        const auto text = "[[listener]]\nname = \"b\"\naddress = [\"127.0.0.1:1\"]\nallow = [\"" +
                          std::string(network) + "\"]\n";
        const std::string problem = problem_of(text);
        EXPECT_TRUE(problem.starts_with("t.toml:8: [[listener]] allow must not contain"))
            << problem;
        EXPECT_TRUE(has(problem, "open relay"));
    }
    const Config nobody = parsed(kLeast + "allow = []\n");
    EXPECT_FALSE(nobody.listeners[0].allows(*core::IpAddress::parse("127.0.0.1")));
}

TEST(ParseConfig, reads_what_a_route_says_about_tls_and_auth) {
    const Config config =
        parsed(kLeast +
               "[delivery]\ntls = \"encrypt\"\ntls_ca_file = \"/ca.pem\"\n"
               "[[route]]\ndomain = \"a.example\"\nhosts = [\"127.0.0.1:465\"]\n"
               "tls = \"implicit\"\ntls_name = \"smtp.example\"\ntls_ca_file = \"/own.pem\"\n"
               "certificate = \"/c.pem\"\nprivate_key = \"/k.pem\"\n"
               "username = \"mta\"\npassword_file = \"/p\"\nauth_insecure = true\n"
               "[[route]]\ndomain = \"b.example\"\nhosts = [\"h\"]\ntls = \"none\"\n"
               "[[route]]\ndomain = \"c.example\"\nhosts = [\"h\"]\n");
    EXPECT_EQ(config.delivery.tls, TlsPolicy::encrypt);
    EXPECT_EQ(config.delivery.tls_ca_file, "/ca.pem");
    EXPECT_EQ(config.routes[0].tls, TlsPolicy::implicit);
    ASSERT_NE(config.routes[0].smarthost, nullptr);
    const Smarthost& smarthost = *config.routes[0].smarthost;
    EXPECT_EQ(smarthost.tls_name, "smtp.example");
    EXPECT_EQ(smarthost.ca_file, "/own.pem");
    EXPECT_EQ(smarthost.certificate_file, "/c.pem");
    EXPECT_EQ(smarthost.key_file, "/k.pem");
    EXPECT_EQ(smarthost.username, "mta");
    EXPECT_EQ(smarthost.password_file, "/p");
    EXPECT_TRUE(smarthost.auth_insecure);
    EXPECT_EQ(config.routes[1].tls, TlsPolicy::none);
    EXPECT_EQ(config.routes[1].smarthost, nullptr);
    EXPECT_EQ(config.routes[2].tls, std::nullopt);
}

// RFC 2782; a host that is called "srv" stays one.
TEST(ParseConfig, reads_services) {
    const Config config = parsed(kLeast +
                                 "[[route]]\ndomain = \"*\"\n"
                                 "hosts = [\"srv:_Submissions._tcp.Example.org.\", \"srv:587\"]\n");
    ASSERT_EQ(config.routes[0].hosts.size(), 2U);
    const NextHop& service = config.routes[0].hosts[0];
    EXPECT_TRUE(service.service);
    EXPECT_EQ(service.host, "_submissions._tcp.example.org");
    EXPECT_EQ(service.address, std::nullopt);
    EXPECT_EQ(config.routes[0].hosts[1], (NextHop{"srv", 587}));
    for (const char* host :
         {"srv:", "srv:smtp.example.org", "srv:_submissions._tcp", "srv:_submissions._tcp.",
          "srv:_submissions._udp.example.org", "srv:_submissions.example.org",
          "srv:_submissions._tcp.example.org:465", "srv:_._tcp.example.org",
          "srv:_submissions._tcp._x.example.org", "srv:_submissions._tcp.192.0.2.1 "}) {
        const std::string problem =
            problem_of("[[route]]\ndomain = \"*\"\nhosts = [\"" + std::string(host) + "\"]\n");
        EXPECT_TRUE(
            has(problem, host == std::string("srv:") ? "is not a host" : "is not a service"))
            << host << ": " << problem;
    }
}

TEST(ParseConfig, address_literals_are_off_unless_allowed) {
    EXPECT_FALSE(parsed(kLeast).delivery.address_literals);
    EXPECT_TRUE(parsed(kLeast + "[delivery]\naddress_literals = true\n").delivery.address_literals);
}

TEST(ParseConfig, refuses_half_of_what_goes_together) {
    const std::string route = kLeast + "[[route]]\ndomain = \"a.example\"\nhosts = [\"h\"]\n";
    for (const char* half :
         {"certificate = \"/c.pem\"\n", "private_key = \"/k.pem\"\n", "username = \"mta\"\n",
          "password_file = \"/p\"\n", "tls = \"maybe\"\n", "tls_name = \"not a name\"\n",
          "username = \"a\\nb\"\npassword_file = \"/p\"\n"}) {
        EXPECT_FALSE(parse_config(route + half, "p.toml").has_value()) << half;
    }
    EXPECT_FALSE(parse_config(kLeast + "[delivery]\ntls = \"implicit\"\n", "p.toml").has_value());
}

TEST(ParseConfig, the_ad_bit_counts_only_when_told_so) {
    EXPECT_FALSE(parse_config(kLeast, "p.toml")->dns.trust_ad);
    EXPECT_TRUE(parse_config(kLeast + "[dns]\ntrust_ad = true\n", "p.toml")->dns.trust_ad);
}

TEST(ParseConfig, asks_for_an_io_backend_by_name) {
    const auto choice = [](const std::string& name) {
        return parse_config(kLeast + "[node]\nio_backend = \"" + name + "\"\n", "p.toml")
            ->node.io_backend;
    };
    EXPECT_EQ(choice("auto"), IoChoice::automatic);
    EXPECT_EQ(choice("io_uring"), IoChoice::io_uring);
    EXPECT_EQ(choice("epoll"), IoChoice::epoll);
    EXPECT_TRUE(has(problem_of("[node]\nio_backend = \"kqueue\"\n"), "io_backend"));
}

TEST(ParseConfig, header_fields_name_tenant_campaign_and_priority) {
    const Config config = parsed(kLeast +
                                 "tenant_header = \"X-Tenant\"\ncampaign_header = \"X-Campaign\"\n"
                                 "priority_header = \"X-Priority\"\n");
    EXPECT_EQ(config.listeners[0].tenant_header, "X-Tenant");
    EXPECT_EQ(config.listeners[0].campaign_header, "X-Campaign");
    EXPECT_EQ(config.listeners[0].priority_header, "X-Priority");
    EXPECT_TRUE(has(problem_of("tenant_header = \"X Tenant\"\n"), "is not the name of a header"));
    EXPECT_TRUE(has(problem_of("campaign_header = \"subject\"\n"), "would be lost"));
    EXPECT_TRUE(has(problem_of("tenant_header = \"X-A\"\ncampaign_header = \"x-a\"\n"),
                    "another key names that field already"));
}

TEST(ParseConfig, refuses_what_this_version_cannot_do) {
    const std::vector<std::string> asked{
        "tls = \"starttls\"\n",
        "tls = \"implicit\"\n",
        "auth = \"required\"\n",
        "certificate = \"/a.pem\"\n",
        "private_key = \"/a.pem\"\n",
        "[[dkim]]\ndomain = \"a\"\n",
        "[[webhook]]\nurl = \"a\"\n",
        "[[listener]]\nname = \"h\"\nprotocol = \"http\"\naddress = [\"127.0.0.1:1\"]\n"
        "serve = [\"console\"]\n"};
    for (const std::string& lines : asked) {
        EXPECT_TRUE(has(problem_of(lines), "not available in this version")) << lines;
    }
}

TEST(ParseConfig, keys_belong_to_their_protocol) {
    EXPECT_TRUE(
        has(problem_of("serve = [\"inject\"]\n"), "is for listeners with protocol = \"http\""));
    EXPECT_TRUE(has(problem_of("[[listener]]\nname = \"h\"\nprotocol = \"http\"\n"
                               "address = [\"127.0.0.1:1\"]\nline_endings = \"reject\"\n"),
                    "is for listeners with protocol = \"smtp\""));
}

TEST(ParseConfig, listeners_differ) {
    EXPECT_TRUE(has(problem_of("[[listener]]\naddress = [\"127.0.0.1:1\"]\n"),
                    "two listeners have the name \"smtp\""));
    EXPECT_TRUE(has(problem_of("[[listener]]\nname=\"b\"\naddress = [\"127.0.0.1:2525\"]\n"),
                    "127.0.0.1:2525 is listened on twice"));
    EXPECT_EQ(parsed(kLeast + "[[listener]]\nname=\"b\"\naddress = [\"127.0.0.1:0\"]\n"
                              "[[listener]]\nname=\"c\"\naddress = [\"127.0.0.1:0\"]\n")
                  .listeners.size(),
              3U);
}

// U12
TEST(ParseConfig, a_port_of_every_address_and_of_one_is_a_mistake) {
    const auto with = [](const std::string& address) {
        return problem_of("[[listener]]\nname=\"b\"\nprotocol=\"http\"\naddress = [\"" + address +
                          "\"]\n");
    };
    EXPECT_TRUE(has(with("0.0.0.0:2525"),
                    "0.0.0.0:2525 and 127.0.0.1:2525 overlap: one of them needs another port"));
    EXPECT_EQ(parsed(kLeast + "[[listener]]\nname=\"b\"\naddress = [\"[::]:2525\"]\n"
                              "[[listener]]\nname=\"c\"\naddress = [\"0.0.0.0:2526\"]\n")
                  .listeners.size(),
              3U);
    EXPECT_TRUE(has(with("[::]:7\", \"[::1]:7"), "[::1]:7 and [::]:7 overlap"));
}

TEST(ParseConfig, reports_every_mistake_in_order) {
    const auto all = problems(
        "[node]\nshards = 1000\nhostnme = \"x\"\n[delivery]\nport = \"a\"\n"
        "[dkim]\n");
    ASSERT_EQ(all.size(), 5U);
    EXPECT_TRUE(all[0].starts_with("t.toml:1:"));  // no listener
    EXPECT_TRUE(all[1].starts_with("t.toml:2:"));
    EXPECT_TRUE(all[2].starts_with("t.toml:3:"));
    EXPECT_TRUE(all[3].starts_with("t.toml:5:"));
    EXPECT_TRUE(all[4].starts_with("t.toml:6:"));
}

TEST(ParseConfig, reports_where_the_syntax_ends) {
    const auto all = problems("[node]\nhostname = \n");
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(all[0].starts_with("t.toml:2: ")) << all[0];
    EXPECT_FALSE(problems("[node\n").empty());
    EXPECT_FALSE(problems("a = 1\na = 2\n").empty());
    EXPECT_FALSE(problems(std::string(5U << 20, '#')).empty());
}

// U12
TEST(ParseConfig, a_domain_of_a_route_that_is_none_is_named) {
    const std::string hosts = "hosts = [\"h\"]\n";
    EXPECT_EQ(problem_of("[[route]]\ndomain = \"exa mple\"\n" + hosts),
              "t.toml:6: [[route]] domain = \"exa mple\" is not a domain: write \"example.com\", "
              "\"*.example.com\" or \"*\"");
    EXPECT_TRUE(has(problem_of("[[route]]\ndomain = \"b\u00fccher.example\"\n" + hosts),
                    "write its A-labels"));
    EXPECT_EQ(problem_of("[[route]]\n" + hosts),
              "t.toml:5: [[route]] needs a domain: \"example.com\", \"*.example.com\" or \"*\"");
    EXPECT_EQ(problem_of("[[route]]\ndomain = 1\n" + hosts),
              "t.toml:6: [[route]] domain must be a string, not an integer");
    EXPECT_TRUE(has(problem_of("[[route]]\ndomain = \"\"\n" + hosts), "domain = \"\" is not"));
}

TEST(LoadConfig, fills_in_what_comes_from_the_machine) {
    const TemporaryDirectory directory;
    const auto file = directory.write("p.toml", kLeast +
                                                    "[node]\ndata_dir = \"data\"\n[shaping]\n"
                                                    "files = [\"s.toml\", \"/etc/s.toml\"]\n");
    const ParsedConfig parsed = load_config(file);
    ASSERT_TRUE(parsed.problems.empty());
    const Config& config = parsed.config;
    EXPECT_EQ(config.node.hostname, machine_hostname());
    EXPECT_EQ(config.node.data_dir, directory.path() / "data");
    EXPECT_EQ(config.node.lines.of("data_dir"), 6);
    EXPECT_EQ(config.events.log_dir, directory.path() / "data/events");
    EXPECT_EQ(config.events.lines.of("log_dir"), 0);
    EXPECT_EQ(config.shaping.files[0], directory.path() / "s.toml");
    EXPECT_EQ(config.shaping.files[1], "/etc/s.toml");
    EXPECT_EQ(config.shaping.files[1].line, 8);
    EXPECT_EQ(load_config(file, "known.example").config.node.hostname, "known.example");
}

TEST(LoadConfig, says_why_a_file_cannot_be_read) {
    const TemporaryDirectory directory;
    const auto missing = load_config(directory.path() / "no.toml");
    ASSERT_EQ(missing.problems.size(), 1U);
    EXPECT_EQ(missing.problems[0].to_string(), (directory.path() / "no.toml").string() +
                                                   ": cannot be read: No such file or directory");
    EXPECT_EQ(load_config(directory.path()).problems[0].to_string(),
              directory.path().string() + ": is a directory, not a file");
}

TEST(ParseConfig, reads_how_failures_are_told) {
    const std::string rest =
        "[spool]\ndurability = \"memory\"\n[[listener]]\naddress = [\"127.0.0.1:0\"]\n";
    const auto read = [&](const std::string& text) { return parse_config(rest + text, "f"); };
    const auto plain = read("");
    ASSERT_TRUE(plain.has_value());
    EXPECT_EQ(plain->listeners[0].bounces, BouncePolicy::record);
    EXPECT_FALSE(plain->listeners[0].verp);
    EXPECT_TRUE(plain->listeners[0].convert_eight_bit);
    EXPECT_EQ(plain->retry.delay_warning, core::Duration{});
    const auto told = read("bounces = \"both\"\nverp = true\n[retry]\ndelay_warning = \"4h\"\n");
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(told->listeners[0].bounces, BouncePolicy::both);
    EXPECT_TRUE(told->listeners[0].verp);
    EXPECT_EQ(told->retry.delay_warning, 4h);
    EXPECT_EQ(read("bounces = \"mail\"\n")->listeners[0].bounces, BouncePolicy::mail);
    EXPECT_FALSE(read("bounces = \"never\"\n").has_value());
    EXPECT_FALSE(read("verp = \"yes\"\n").has_value());
    EXPECT_FALSE(read("eight_bit = \"keep\"\n")->listeners[0].convert_eight_bit);
    EXPECT_FALSE(read("eight_bit = true\n").has_value());
    EXPECT_EQ(plain->listeners[0].max_age, core::Duration{});
    EXPECT_EQ(read("max_age = \"3d\"\n")->listeners[0].max_age, 72h);
    EXPECT_FALSE(read("max_age = \"0s\"\n").has_value());
}

TEST(ParseConfig, reads_who_sends_reports_about_tls) {
    EXPECT_FALSE(parsed(kLeast).tls_report.enabled);
    const std::string names =
        "organization = \"Example Ltd\"\ncontact = \"postmaster@example.com\"\n";
    const std::string table = "[tls_report]\nenabled = true\n";
    const Config config = parsed(kLeast + table + names + "from = \"tls@mta.example.com\"\n");
    EXPECT_TRUE(config.tls_report.enabled);
    EXPECT_EQ(config.tls_report.organization, "Example Ltd");
    EXPECT_EQ(config.tls_report.contact, "postmaster@example.com");
    EXPECT_EQ(config.tls_report.from, "tls@mta.example.com");
    EXPECT_EQ(problems(kLeast + table),
              (std::vector<std::string>{
                  "t.toml:5: [tls_report] contact is needed for enabled = true",
                  "t.toml:5: [tls_report] from is needed for enabled = true",
                  "t.toml:5: [tls_report] organization is needed for enabled = true"}));
    EXPECT_TRUE(problem_of(table + names + "from = \"tls\"\n")
                    .contains("[tls_report] from = \"tls\" is not an address"));
    EXPECT_TRUE(problem_of(table + names + "from = \"\"\n").contains("from must not be empty"));
    EXPECT_TRUE(problem_of("[tls_report]\ncontact = \"a\\nb\"\n").contains("must be one line"));
    EXPECT_TRUE(problem_of("[tls_report]\nform = \"a\"\n").contains("has no key \"form\""));
    EXPECT_FALSE(parsed(kLeast + "[tls_report]\n" + names).tls_report.enabled);
}

}  // namespace
}  // namespace relay
