// Config: the configuration as plain values, parsed and checked. The schema (relay/config/schema.h)
// gives each member its key; the member has the key's default, and `lines` the line that set it.
// Made by parse_config() or load_config() (relay/config/parse.h) on the main thread before the
// shards start, immutable from then on, shared read-only by all shards. A Config that came from
// there has passed every check of one value and of values against each other; that files and
// directories exist is checked by relay/config/check.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/base/units.h"
#include "core/io/probe.h"
#include "relay/config/key_lines.h"
#include "relay/config/named_file.h"
#include "relay/config/smarthost.h"
#include "relay/egress/plan.h"
#include "relay/message/bounce_policy.h"
#include "relay/message/tenant_policy.h"
#include "relay/shaping/file_line.h"
#include "relay/shaping/limits.h"
#include "relay/shaping/tls_policy.h"
#include "relay/smtp/bare_endings.h"

namespace relay {

// A share of something, or a number of octets: "80%" or "20GiB".
struct SizeOrShare {
    std::uint64_t octets = 0;
    unsigned percent = 0;  // 1 to 100; 0: octets count
    std::uint64_t of(std::uint64_t whole) const;
    bool operator==(const SizeOrShare&) const = default;
};

using core::IoChoice;

struct NodeConfig {
    std::string hostname;  // load_config() fills it with the machine's FQDN when the key is absent
    std::size_t shards = 0;  // 0: one per CPU this process may use
    std::filesystem::path data_dir = "/var/lib/posthaste";
    IoChoice io_backend = IoChoice::automatic;
    KeyLines lines{};
};

enum class Durability : std::uint8_t { commit, memory };

struct SpoolConfig {
    Durability durability = Durability::commit;
    std::uint64_t segment_size = 64ULL << 20;
    SizeOrShare max_size{0, 80};  // of the file system
    SizeOrShare min_free{0, 5};
    KeyLines lines{};
};

struct MemoryConfig {
    SizeOrShare limit{0, 75};  // of the cgroup's or the machine's memory: see memory_limit()
    KeyLines lines{};
};

enum class ListenerProtocol : std::uint8_t { smtp, http };

struct ListenerConfig {
    std::string name;
    ListenerProtocol protocol = ListenerProtocol::smtp;
    std::vector<core::SocketAddress> addresses;  // at least one; port 0: any free one
    std::vector<core::IpNetwork> allow;          // who may inject; empty: nobody
    std::uint64_t max_message_size = 50ULL << 20;
    std::size_t max_recipients = 1000;  // http: a million, unless the file says otherwise
    std::size_t max_connections = 10000;
    BareEndings line_endings = BareEndings::reject;
    BouncePolicy bounces = BouncePolicy::record;  // how failures are told
    bool verp = false;                            // a return path of its own for each recipient
    bool convert_eight_bit = true;                // eight_bit = "convert": content is made 7-bit
    core::Duration max_age{};   // of its mail, where schedules say more; zero: as they say
    std::string tenant_header;  // field that names the tenant; empty: none
    std::string campaign_header;
    std::string priority_header;
    bool serve_inject = true;        // http
    bool serve_admin = true;         // http
    std::vector<std::string> hosts;  // http: further names that requests may use in Host
    bool serve_metrics = true;       // http; /healthz and /readyz are always there
    int line = 0;                    // where the file has it
    KeyLines lines{};

    bool allows(const core::IpAddress& client) const;
};

// Who asks over HTTP with a secret, and what for (relay/config/credential.h).
struct CredentialConfig {
    std::string name{};
    std::string secret{};  // its hash; of secret_file, if that is set, once that was read
    NamedFile secret_file{};
    std::string tenant{};
    bool read = false;
    bool inject = false;
    bool admin = false;
    int line = 0;
    KeyLines lines{};
};

struct DnsConfig {
    std::vector<core::SocketAddress> servers;  // empty: the system's resolv.conf
    bool trust_ad = false;                     // they validate DNSSEC, and the way there is safe
    KeyLines lines{};
};

struct NextHop {
    std::string host;  // a name, or an address in text without brackets
    std::uint16_t port = 25;
    std::optional<core::IpAddress> address{};  // set when host is an address
    // host is "_submissions._tcp.example.org" and stands for those that its SRV records name (RFC
    // 2782); port means nothing.
    bool service = false;
    bool operator==(const NextHop&) const = default;
};

struct RouteConfig {
    std::string domain;  // lower case: "example.com", "*.example.com" (below it) or "*"
    std::vector<NextHop> hosts;
    std::optional<TlsPolicy> tls{};                // without: as [delivery] says
    std::shared_ptr<const Smarthost> smarthost{};  // null: nothing but tls and hosts is said
    int line = 0;                                  // where the file has it
    KeyLines lines{};                              // those of its smarthost too

    // Whatever the case of the domain, and with or without a final dot.
    bool matches(std::string_view recipient_domain) const;
};

struct DeliveryConfig {
    std::uint16_t port = 25;
    TlsPolicy tls = TlsPolicy::opportunistic;
    NamedFile tls_ca_file;                          // empty: the system's bundle
    std::vector<core::IpNetwork> prohibited_hosts;  // as MX targets; routes are not affected
    bool address_literals = false;                  // user@[192.0.2.1] is taken and sent there
    KeyLines lines{};

    bool prohibits(const core::IpAddress& host) const;
};

struct RetryConfig {
    std::vector<core::Duration> intervals;  // at least one; the last repeats; +-10 % jitter
    core::Duration max_age = std::chrono::days(5);
    core::Duration delay_warning{};  // zero: none
    KeyLines lines{};
};

struct TenantConfig {
    TenantPolicy policy;
    int line = 0;  // where the file has it
    KeyLines lines{};
};

struct ShapingConfig {
    std::vector<NamedFile> files;
    bool built_in = true;  // the built-in file is below them
    ShapingLimits defaults;
    KeyLines lines{};
    KeyLines default_lines{};  // of the limits in `default`
};

struct EgressSourceConfig {
    EgressSource source;
    int line = 0;  // where the file has it
    KeyLines lines{};
};

struct EgressPoolConfig {
    EgressPool pool;
    int line = 0;
    KeyLines lines{};
};

struct WarmupConfig {
    Warmup warmup;
    int line = 0;
    KeyLines lines{};
};

struct BounceConfig {
    std::vector<NamedFile> files;  // rules, asked before the built-in ones
    KeyLines lines{};
};

// Reports about TLS to the domains that ask for them (RFC 8460).
struct TlsReportConfig {
    bool enabled = false;
    std::string organization;
    std::string contact;
    std::string from;                              // a mailbox
    core::Duration delay = std::chrono::hours(4);  // a report waits for a random part of it
    KeyLines lines{};
};

inline constexpr const char* kEventFileName = "events.jsonl";

struct EventsConfig {
    // load_config() fills it: data_dir/events when the key is absent.
    std::filesystem::path log_dir;
    std::uint64_t log_rotate_size = 256ULL << 20;
    core::Duration log_keep = std::chrono::days(7);
    KeyLines lines{};
};

struct Config {
    std::string file;  // where it was read
    NodeConfig node;
    SpoolConfig spool;
    MemoryConfig memory;
    std::vector<ListenerConfig> listeners;  // at least one
    std::vector<CredentialConfig> credentials;
    DnsConfig dns;
    std::vector<RouteConfig> routes;  // in order: the first match wins
    DeliveryConfig delivery;
    RetryConfig retry;
    std::vector<TenantConfig> tenants;
    ShapingConfig shaping;
    std::vector<EgressSourceConfig> egress_sources;
    std::vector<EgressPoolConfig> egress_pools;
    std::vector<WarmupConfig> warmups;
    BounceConfig bounce;
    TlsReportConfig tls_report;
    EventsConfig events;

    const RouteConfig* route_for(std::string_view recipient_domain) const;  // nullptr: by MX
};

// A Config with every default, for tests and for parse_config() to start from; it has no listener.
Config default_config();

// What `allow` is without the key: loopback.
std::vector<core::IpNetwork> default_allow();

// Octets that memory.limit comes to, here and now: the smallest memory limit of our cgroup and its
// parents, or else the machine's memory, is the whole.
std::uint64_t memory_limit(const MemoryConfig& memory);

// The addresses of the machine's interfaces, as of now; loopback among them.
std::vector<core::IpAddress> machine_addresses();

// Why this machine cannot make connections from the address; empty: it can.
std::string binding_complaint(const core::IpAddress& address);

// Addresses at which mail comes back to us (RFC 5321 section 5.1): those that SMTP listeners name,
// and for a listener on all addresses that has the port of MX hosts those of the interfaces. A
// listener on loopback says nothing: others may well listen there.
std::vector<core::IpAddress> own_addresses(const Config& config,
                                           const std::vector<core::IpAddress>& interfaces);

// The machine's fully qualified name, or its plain name when that is all there is.
std::string machine_hostname();

}  // namespace relay
