#include "relay/config/schema.h"

#include <algorithm>
#include <chrono>

#include "relay/config/kinds.h"
#include "relay/message/address.h"

namespace relay {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string host_complaint(std::string_view text) {
    if (is_host_name(text)) return "";
    return "= " + toml_text(text.substr(0, 80)) +
           " is not the name of a host such as \"mta1.example.com\"";
}

std::string line_complaint(std::string_view text) {
    const bool control = std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
    return text.size() > 200 || control ? "must be one line of at most 200 octets" : "";
}

std::string mailbox_complaint(std::string_view text) {
    std::string wrong = line_complaint(text);
    if (!wrong.empty() || text.empty()) return wrong;
    const auto mailbox = parse_mailbox(text);
    if (mailbox && !mailbox->literal && !mailbox->utf8) return "";
    return "= " + toml_text(text.substr(0, 80)) +
           " is not an address such as \"tls-reports@example.com\"";
}

}  // namespace

const Keys<NodeConfig>& node_keys() {
    using Node = NodeConfig;
    static const Keys<Node> kKeys{
        {"hostname", &Node::hostname, Text{host_complaint, "host name"}, InForce::restart,
         "the name in EHLO, greetings and Received; letters, digits, hyphens and dots. A name "
         "without a dot is a warning: many receivers refuse it",
         "the machine's full name"},
        {"shards", &Node::shards, Integer{0, kMostShards}, InForce::restart,
         "threads, each with its own I/O backend; 0: one per CPU that affinity and cgroup quota "
         "allow"},
        {"data_dir", &Node::data_dir, Directory{}, InForce::restart,
         "where the spool (`spool/`) and the event log (`events/`) go; one process at a time"},
        {"io_backend", &Node::io_backend,
         Words<IoChoice>{{{"auto", IoChoice::automatic},
                          {"io_uring", IoChoice::io_uring},
                          {"epoll", IoChoice::epoll}}},
         InForce::restart,
         "`\"auto\"`: io_uring, or epoll where the system refuses it "
         "([operating.md](operating.md#what-it-needs)); `\"io_uring\"`: that, or no start"},
    };
    return kKeys;
}

const Keys<SpoolConfig>& spool_keys() {
    using Spool = SpoolConfig;
    static const Keys<Spool> kKeys{
        {"durability", &Spool::durability,
         Words<Durability>{{{"commit", Durability::commit}, {"memory", Durability::memory}}},
         InForce::restart,
         "`\"commit\"`: a message is accepted once it is durable in the spool. `\"memory\"`: once "
         "it is complete in memory, and lost when the process ends before it is delivered; the "
         "reply says so. For tests, and for senders who inject again"},
        {"segment_size", &Spool::segment_size, Size{1U << 20, 2ULL << 30}, InForce::restart,
         "of a file of the spool; each shard keeps one or two ready, and a message larger than "
         "this gets a file of its own"},
        {"max_size", &Spool::max_size, ShareOrSize{}, InForce::restart,
         "what the spool may take: a share of its file system, or a size. Beyond it SMTP answers "
         "452 4.3.1, HTTP 503"},
        {"min_free", &Spool::min_free, ShareOrSize{}, InForce::restart,
         "what must stay free on its file system; below it, new mail is refused as well"},
    };
    return kKeys;
}

const Keys<MemoryConfig>& memory_keys() {
    static const Keys<MemoryConfig> kKeys{
        {"limit", &MemoryConfig::limit, ShareOrSize{16U << 20}, InForce::restart,
         "how much the queue may hold: a share of the smallest memory limit of our cgroup and its "
         "parents, or of the machine's memory; or a size of 16MiB or more. Above 80 % of it "
         "contents leave memory and are read back from the spool when they are sent; with "
         "`durability = \"memory\"`, or when the rest fills it too, SMTP answers 452 4.3.1, HTTP "
         "503"},
    };
    return kKeys;
}

const Keys<DnsConfig>& dns_keys() {
    static const Keys<DnsConfig> kKeys{
        {"servers", &DnsConfig::servers, Addresses{53, false}, InForce::restart,
         "`\"ip\"` or `\"ip:port\"`", "the system's `resolv.conf`"},
        {"trust_ad", &DnsConfig::trust_ad, Flag{}, InForce::restart,
         "`true`: the AD bit of these servers is believed, and with it DANE is in force "
         "([dns.md](dns.md)). Only for servers that validate DNSSEC and are reached safely: on "
         "loopback, or over a network in which nobody can forge packets. It holds for all of "
         "`servers`"},
    };
    return kKeys;
}

const Keys<DeliveryConfig>& delivery_keys() {
    using Delivery = DeliveryConfig;
    static const Keys<Delivery> kKeys{
        {"port", &Delivery::port, Integer{1, 65535}, InForce::reload, "of MX hosts"},
        {"tls", &Delivery::tls,
         Words<TlsPolicy>{{{"none", TlsPolicy::none},
                           {"opportunistic", TlsPolicy::opportunistic},
                           {"encrypt", TlsPolicy::encrypt},
                           {"verify", TlsPolicy::verify}}},
         InForce::reload,
         "`\"none\"`: clear text. `\"opportunistic\"`: STARTTLS where it is offered, whatever the "
         "certificate; where it is refused, is not answered, or the connection is lost before the "
         "first reply inside TLS, a new connection in clear text at once, and clear text for this "
         "host for 5 min; then one session tries TLS again, and the time doubles to 40 min while "
         "it fails ([decision 37](decisions/0037-clear-text-where-tls-is-broken.md)). "
         "`\"encrypt\"`: never clear text; a host without TLS is passed over, and when none is "
         "left the mail is deferred with 4.7.5. `\"verify\"`: and the certificate is trusted, in "
         "time, and has the name of the MX host. TLS 1.2 or 1.3. Except with `\"none\"`, what a "
         "domain publishes raises this: TLSA records (with `trust_ad`) and MTA-STS policies, see "
         "[dns.md](dns.md)"},
        {"tls_ca_file", &Delivery::tls_ca_file, File{}, InForce::reload, "PEM: whom to trust",
         "the system's bundle"},
        {"prohibited_hosts", &Delivery::prohibited_hosts, Networks{}, InForce::restart,
         "networks that no MX host may be in (a domain whose MX points at us would make a loop); "
         "routes are not affected"},
        {"address_literals", &Delivery::address_literals, Flag{}, InForce::restart,
         "`true`: recipients such as `user@[192.0.2.1]` are taken, and sent to that address "
         "([dns.md](dns.md#address-literals))"},
    };
    return kKeys;
}

const Keys<RetryConfig>& retry_keys() {
    static const Keys<RetryConfig> kKeys{
        {"intervals", &RetryConfig::intervals, Times{milliseconds{1}}, InForce::restart,
         "waits between attempts; the last repeats; ±10 % jitter"},
        {"max_age", &RetryConfig::max_age, Time{seconds{1}}, InForce::restart,
         "then the recipient expires"},
        {"delay_warning", &RetryConfig::delay_warning, Time{}, InForce::restart,
         "senders who get notifications by mail are told once when a recipient waits for so long",
         "none"},
    };
    return kKeys;
}

const Keys<ShapingConfig>& shaping_keys() {
    static const Keys<ShapingConfig> kKeys{
        {"files", &ShapingConfig::files, Files{}, InForce::reload,
         "[shaping files](#shaping-files); later ones over earlier ones"},
        {"built_in", &ShapingConfig::built_in, Flag{}, InForce::reload,
         "the [built-in providers](#built-in-providers) hold, below `files`"},
    };
    return kKeys;
}

const Keys<ShapingLimits>& default_limit_keys() {
    using Limits = ShapingLimits;
    static const Keys<Limits> kKeys{
        {"connection_limit", &Limits::connection_limit, Integer{1, kMostConnectionsPerPath},
         InForce::reload, "connections of a path that are open at once"},
        {"max_deliveries_per_connection", &Limits::max_deliveries_per_connection,
         Integer{1, kMostDeliveriesPerConnection}, InForce::reload,
         "messages before a connection is closed"},
        {"max_message_rate", &Limits::max_message_rate, PerTime{}, InForce::reload,
         "messages of a path in a time. At most what fits into 50 ms (or one) goes at once"},
        {"max_connection_rate", &Limits::max_connection_rate, PerTime{}, InForce::reload,
         "connections that a path opens in a time"},
    };
    return kKeys;
}

const Keys<BounceConfig>& bounce_keys() {
    static const Keys<BounceConfig> kKeys{
        {"files", &BounceConfig::files, Files{}, InForce::reload,
         "files of [bounce rules](#bounce-rules), asked in their order before the built-in ones"},
    };
    return kKeys;
}

const Keys<TlsReportConfig>& tls_report_keys() {
    using Report = TlsReportConfig;
    static const Keys<Report> kKeys{
        {"enabled", &Report::enabled, Flag{}, InForce::restart,
         "sessions are counted and reports sent. Then `organization`, `contact` and `from` are "
         "needed"},
        {"organization", &Report::organization, Text{line_complaint}, InForce::restart,
         "the organization that sends them, for people", "none"},
        {"contact", &Report::contact, Text{line_complaint}, InForce::restart,
         "whom a receiver may ask: an address, or a page", "none"},
        {"from", &Report::from, Text{mailbox_complaint, "mail address"}, InForce::restart,
         "the address that reports by mail come from. Its domain names the sender, so it should "
         "be one that SPF lets this machine send for",
         "none"},
        {"delay", &Report::delay, Time{{}, hours{24}}, InForce::restart,
         "each report leaves a random part of this time after the day is over, so that not all "
         "relays of the world send at once"},
    };
    return kKeys;
}

const Keys<EventsConfig>& events_keys() {
    using Events = EventsConfig;
    static const Keys<Events> kKeys{
        {"log_dir", &Events::log_dir, Directory{true}, InForce::restart,
         "`events.jsonl` is written there and renamed to `events-<time>.jsonl` when it is full or "
         "a day old; see [events.md](events.md)",
         "`data_dir/events`"},
        {"log_rotate_size", &Events::log_rotate_size, Size{1U << 20}, InForce::restart,
         "`events.jsonl` is renamed at this size"},
        {"log_keep", &Events::log_keep, Time{minutes{1}}, InForce::restart,
         "renamed files whose last record is older are deleted; earlier where the "
         "[room](operating.md#the-event-log) is taken"},
    };
    return kKeys;
}

}  // namespace relay
