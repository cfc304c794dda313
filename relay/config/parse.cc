#include "relay/config/parse.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include "core/base/ascii.h"
#include "relay/config/route.h"
#include "relay/config/section.h"
#include "relay/config/tls_report.h"
#include "relay/message/address.h"

namespace relay {
namespace {

using core::TomlValue;
using Kind = TomlValue::Kind;

constexpr std::uint64_t kNoMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostRecipients = 1'000'000;
constexpr std::size_t kMostShards = 256;
constexpr std::size_t kMostEntries = 10'000;  // listeners, routes, networks: a list of a person

// The parser of one file. Each function reads one table; all of them run, whatever went wrong
// before.
class ConfigParser {
  public:
    ConfigParser(const TomlValue& root, std::string file)
        : root_(root), file_(std::move(file)), top_(root_, "the configuration", file_, problems_) {}

    ParsedConfig parse() {
        node();
        spool();
        memory();
        listeners();
        dns();
        routes();
        delivery();
        retry();
        shaping();
        bounce();
        tls_report();
        events();
        later_features();
        top_.finish();
        for (Problems* each : {&problems_, &warnings_}) {
            std::ranges::sort(*each, {},
                              [](const Problem& one) { return std::tie(one.line, one.sentence); });
        }
        return {std::move(config_), std::move(problems_), std::move(warnings_), true};
    }

  private:
    Section section(const TomlValue& table, std::string name) {
        return {table, std::move(name), file_, problems_};
    }
    // A table such as [node]; an empty one when it is absent, so that its rules apply all the same.
    Section table(std::string_view key);
    // The tables of [[listener]].
    std::vector<const TomlValue*> tables(std::string_view key);
    void networks(Section& from, std::string_view key, std::vector<core::IpNetwork>& out);

    void node();
    void spool();
    void memory();
    void listeners();
    ListenerConfig listener(const TomlValue& table);
    void smtp_listener(Section& from, ListenerConfig& listener);
    void http_listener(Section& from, ListenerConfig& listener);
    void allow(Section& from, ListenerConfig& listener);
    void distinct(const std::vector<const TomlValue*>& tables);
    void dns();
    void routes();
    void delivery();
    void retry();
    void shaping();
    void bounce();
    void tls_report();
    void events();
    void later_features();

    static const TomlValue kEmpty;
    const TomlValue& root_;
    std::string file_;
    Problems problems_;
    Problems warnings_;
    Section top_;
    Config config_ = default_config();
};

const TomlValue ConfigParser::kEmpty{};

Section ConfigParser::table(std::string_view key) {
    const std::string name = "[" + std::string(key) + "]";
    const TomlValue* value = top_.take(key);
    if (value != nullptr && value->kind != Kind::table) {
        problems_.push_back({file_, value->line, name + " must be one table"});
        value = nullptr;
    }
    return section(value == nullptr ? kEmpty : *value, name);
}

std::vector<const TomlValue*> ConfigParser::tables(std::string_view key) {
    const TomlValue* value = top_.take(key);
    if (value == nullptr) return {};
    std::vector<const TomlValue*> found;
    const std::string wrong = std::string(key) + " must be written as [[" + std::string(key) + "]]";
    if (value->kind != Kind::array) {
        problems_.push_back({file_, value->line, wrong});
        return {};
    }
    for (const TomlValue& item : value->items) {
        if (item.kind != Kind::table || found.size() == kMostEntries) {
            problems_.push_back({file_, item.line, wrong + ", at most 10000 times"});
            return found;
        }
        found.push_back(&item);
    }
    return found;
}

void ConfigParser::networks(Section& from, std::string_view key,
                            std::vector<core::IpNetwork>& out) {
    std::vector<TextAtLine> items;
    if (!from.texts(key, items)) return;
    out.clear();
    for (const TextAtLine& item : items) {
        const auto network = core::IpNetwork::parse(item.text);
        if (network) {
            out.push_back(*network);
        } else {
            from.problem_with(key, item.line, ": " + network.error());
        }
    }
}

void ConfigParser::node() {
    Section from = table("node");
    NodeConfig& node = config_.node;
    if (const TomlValue* value = from.take("hostname"); value != nullptr) {
        node.hostname_line = value->line;
    }
    if (from.text("hostname", node.hostname) && !is_host_name(node.hostname)) {
        from.problem_with("hostname", node.hostname_line,
                          "= \"" + node.hostname.substr(0, 80) +
                              "\" is not the name of a host such as \"mta1.example.com\"");
    }
    from.integer("shards", node.shards, 0, kMostShards);
    std::string data_dir;
    if (from.text("data_dir", data_dir)) {
        if (data_dir.empty()) {
            from.problem_with("data_dir", from.take("data_dir")->line, "must not be empty");
        }
        node.data_dir = data_dir;
        node.data_dir_line = from.take("data_dir")->line;
    }
    from.choice<IoChoice>("io_backend", node.io_backend,
                          {{"auto", IoChoice::automatic},
                           {"io_uring", IoChoice::io_uring},
                           {"epoll", IoChoice::epoll}});
    from.finish();
}

void ConfigParser::spool() {
    Section from = table("spool");
    SpoolConfig& spool = config_.spool;
    from.choice<Durability>("durability", spool.durability,
                            {{"commit", Durability::commit}, {"memory", Durability::memory}});
    from.size("segment_size", spool.segment_size, 1U << 20, 2ULL << 30);
    from.size_or_share("max_size", spool.max_size);
    from.size_or_share("min_free", spool.min_free);
    from.finish();
}

void ConfigParser::memory() {
    Section from = table("memory");
    from.size_or_share("limit", config_.memory.limit);
    if (config_.memory.limit.percent == 0 && config_.memory.limit.octets < (16U << 20)) {
        from.problem_with("limit", from.take("limit")->line, "must be at least 16MiB");
    }
    from.finish();
}

void ConfigParser::listeners() {
    const auto all = tables("listener");
    for (const TomlValue* table : all)
        config_.listeners.push_back(listener(*table));
    if (all.empty()) {
        top_.problem(1,
                     "at least one [[listener]] is needed, with protocol = \"smtp\" and address = "
                     "[\"127.0.0.1:2525\"] for instance");
    }
    distinct(all);
}

ListenerConfig ConfigParser::listener(const TomlValue& table) {
    Section from = section(table, "[[listener]]");
    ListenerConfig listener;
    from.choice<ListenerProtocol>(
        "protocol", listener.protocol,
        {{"smtp", ListenerProtocol::smtp}, {"http", ListenerProtocol::http}});
    listener.name = listener.protocol == ListenerProtocol::smtp ? "smtp" : "http";
    if (from.text("name", listener.name) && (listener.name.empty() || listener.name.size() > 64)) {
        from.problem_with("name", from.take("name")->line, "must have 1 to 64 characters");
    }
    std::vector<TextAtLine> addresses;
    if (!from.texts("address", addresses)) {
        if (from.take("address") == nullptr) {
            from.problem(table.line, "[[listener]] needs an address such as [\"127.0.0.1:2525\"]");
        }
    } else if (addresses.empty()) {
        from.problem_with("address", from.take("address")->line, "must name at least one address");
    }
    for (const TextAtLine& item : addresses) {
        const auto address = core::SocketAddress::parse(item.text);
        if (address) {
            listener.addresses.push_back(*address);
        } else {
            from.problem_with("address", item.line, ": " + address.error());
        }
    }
    allow(from, listener);
    enum class Nothing : std::uint8_t { nothing };
    Nothing nothing{};
    from.choice<Nothing>("tls", nothing, {{"none", Nothing::nothing}}, {"starttls", "implicit"});
    from.not_available("certificate");
    from.not_available("private_key");
    // "optional" without any credential is what this version does: AUTH is not offered.
    from.choice<Nothing>("auth", nothing,
                         {{"none", Nothing::nothing}, {"optional", Nothing::nothing}},
                         {"required"});
    from.size("max_message_size", listener.max_message_size, 1024, 1ULL << 30);
    // A session of SMTP sends a large list in several transactions, a request by HTTP in one.
    if (listener.protocol == ListenerProtocol::http) listener.max_recipients = kMostRecipients;
    from.integer("max_recipients", listener.max_recipients, 1, kMostRecipients);
    from.integer("max_connections", listener.max_connections, 1, 1'000'000);
    from.choice<Bounces>(
        "bounces", listener.bounces,
        {{"record", Bounces::record}, {"mail", Bounces::mail}, {"both", Bounces::both}});
    from.flag("verp", listener.verp);
    from.duration("max_age", listener.max_age, std::chrono::seconds(1));
    from.choice<bool>("eight_bit", listener.convert_eight_bit,
                      {{"convert", true}, {"keep", false}});
    if (listener.protocol == ListenerProtocol::smtp) {
        smtp_listener(from, listener);
    } else {
        http_listener(from, listener);
    }
    from.finish();
    return listener;
}

void ConfigParser::smtp_listener(Section& from, ListenerConfig& listener) {
    from.choice<LineEndings>(
        "line_endings", listener.line_endings,
        {{"reject", LineEndings::reject}, {"normalize", LineEndings::normalize}});
    if (const TomlValue* serve = from.take("serve"); serve != nullptr) {
        from.problem_with("serve", serve->line, "is for listeners with protocol = \"http\"");
    }
    if (const TomlValue* hosts = from.take("hosts"); hosts != nullptr) {
        from.problem_with("hosts", hosts->line, "is for listeners with protocol = \"http\"");
    }
}

void ConfigParser::http_listener(Section& from, ListenerConfig& listener) {
    if (const TomlValue* value = from.take("line_endings"); value != nullptr) {
        from.problem_with("line_endings", value->line, "is for listeners with protocol = \"smtp\"");
    }
    std::vector<TextAtLine> hosts;
    from.texts("hosts", hosts);
    for (const TextAtLine& item : hosts) {
        if (is_domain(item.text)) {
            listener.hosts.push_back(item.text);
        } else {
            from.problem_with("hosts", item.line,
                              ": \"" + item.text.substr(0, 80) +
                                  "\" is not a host name, without a port, such as "
                                  "\"mail.example.com\"");
        }
    }
    std::vector<TextAtLine> served;
    if (!from.texts("serve", served)) return;
    listener.serve_inject = listener.serve_metrics = false;
    for (const TextAtLine& item : served) {
        if (item.text == "inject") {
            listener.serve_inject = true;
        } else if (item.text == "metrics") {
            listener.serve_metrics = true;
        } else if (item.text == "admin" || item.text == "console") {
            from.problem_with("serve", item.line,
                              "= \"" + item.text + "\" is not available in this version; " +
                                  "\"inject\" and \"metrics\" are");
        } else {
            from.problem_with("serve", item.line,
                              "has no service \"" + item.text.substr(0, 80) +
                                  "\"; there are \"inject\" and \"metrics\"");
        }
    }
}

// A network that holds most of the world would make an open relay, which gets its addresses listed
// within hours. No private network is larger than 10.0.0.0/8 and fc00::/7.
void ConfigParser::allow(Section& from, ListenerConfig& listener) {
    listener.allow = default_allow();
    networks(from, "allow", listener.allow);
    for (const core::IpNetwork& network : listener.allow) {
        const bool v4 = network.to_string().contains('.');
        if (network.prefix_length() >= (v4 ? 8 : 7)) continue;
        from.problem_with("allow", from.take("allow")->line,
                          "must not contain " + network.to_string() +
                              ": anybody could send mail through this relay (an open relay); name "
                              "the networks of your own senders");
    }
}

// 0.0.0.0 and an IPv4 address, or :: and an IPv6 address, at one port: whoever listens first keeps
// the other from it. :: does not listen on IPv4.
bool overlap(const core::SocketAddress& one, const core::SocketAddress& other) {
    const core::IpAddress any_v6 = core::IpAddress::v6({});
    const auto everywhere = [&any_v6](const core::IpAddress& ip) {
        return ip == core::IpAddress{} || ip == any_v6;
    };
    return one.port == other.port && one.ip.is_v4() == other.ip.is_v4() &&
           (everywhere(one.ip) || everywhere(other.ip));
}

void ConfigParser::distinct(const std::vector<const TomlValue*>& tables) {
    std::set<std::string> names;
    std::set<core::SocketAddress> addresses;
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
        const ListenerConfig& each = config_.listeners[i];
        if (!names.insert(each.name).second) {
            top_.problem(tables[i]->line, "two listeners have the name \"" + each.name + "\"");
        }
        for (const core::SocketAddress& address : each.addresses) {
            if (address.port == 0) continue;
            if (!addresses.insert(address).second) {
                top_.problem(tables[i]->line, address.to_string() + " is listened on twice");
                continue;
            }
            const auto other = std::ranges::find_if(addresses, [&address](const auto& known) {
                return known != address && overlap(known, address);
            });
            if (other == addresses.end()) continue;
            top_.problem(tables[i]->line, address.to_string() + " and " + other->to_string() +
                                              " overlap: one of them needs another port");
        }
    }
}

void ConfigParser::dns() {
    Section from = table("dns");
    std::vector<TextAtLine> servers;
    from.texts("servers", servers);
    for (const TextAtLine& item : servers) {
        const auto address = core::SocketAddress::parse(item.text, 53);
        if (address && address->port != 0) {
            config_.dns.servers.push_back(*address);
        } else {
            from.problem_with("servers", item.line,
                              ": " + (address ? "port 0 is no DNS server's" : address.error()));
        }
    }
    from.flag("trust_ad", config_.dns.trust_ad);
    from.finish();
}

void ConfigParser::routes() {
    for (const TomlValue* table : tables("route")) {
        Section from = section(*table, "[[route]]");
        config_.routes.push_back(read_route(from));
    }
}

void ConfigParser::delivery() {
    Section from = table("delivery");
    from.integer("port", config_.delivery.port, 1, 65535);
    from.choice<TlsPolicy>("tls", config_.delivery.tls,
                           {{"none", TlsPolicy::none},
                            {"opportunistic", TlsPolicy::opportunistic},
                            {"encrypt", TlsPolicy::encrypt},
                            {"verify", TlsPolicy::verify}});
    from.file("tls_ca_file", config_.delivery.tls_ca_file);
    networks(from, "prohibited_hosts", config_.delivery.prohibited_hosts);
    from.flag("address_literals", config_.delivery.address_literals);
    from.finish();
}

void ConfigParser::retry() {
    Section from = table("retry");
    std::vector<TextAtLine> intervals;
    if (from.texts("intervals", intervals)) {
        config_.retry.intervals.clear();
        for (const TextAtLine& item : intervals) {
            const auto interval = core::parse_duration(item.text);
            if (interval && *interval >= std::chrono::milliseconds(1)) {
                config_.retry.intervals.push_back(*interval);
            } else {
                from.problem_with(
                    "intervals", item.line,
                    ": " + (interval ? "\"" + item.text + "\" is too short" : interval.error()));
            }
        }
        if (intervals.empty()) {
            from.problem_with("intervals", from.take("intervals")->line,
                              "must have at least one time");
        }
    }
    from.duration("max_age", config_.retry.max_age, std::chrono::seconds(1));
    from.duration("delay_warning", config_.retry.delay_warning, core::Duration{});
    from.finish();
}

void ConfigParser::bounce() {
    Section from = table("bounce");
    from.files("files", config_.bounce.files);
    from.finish();
}

void ConfigParser::tls_report() {
    Section from = table("tls_report");
    read_tls_report(from, config_.tls_report);
}

void ConfigParser::shaping() {
    Section from = table("shaping");
    from.files("files", config_.shaping.files);
    if (const TomlValue* value = from.take("default"); value != nullptr) {
        if (value->kind != Kind::table) {
            from.problem_with("default", value->line,
                              "must be a table: { connection_limit = 10, … }");
        } else {
            Section limits = section(*value, "[shaping] default");
            ShapingLimits& out = config_.shaping.defaults;
            limits.integer("connection_limit", out.connection_limit, 1, kMostConnectionsPerPath);
            limits.integer("max_deliveries_per_connection", out.max_deliveries_per_connection, 1,
                           kMostDeliveriesPerConnection);
            config_.shaping.states_message_rate =
                limits.rate("max_message_rate", out.max_message_rate);
            limits.rate("max_connection_rate", out.max_connection_rate);
            limits.finish();
        }
    }
    from.finish();
}

void ConfigParser::events() {
    Section from = table("events");
    NamedFile log_dir;
    if (from.file("log_dir", log_dir) && !log_dir.empty()) {
        config_.events.log_dir = log_dir.path;
        config_.events.log_dir_line = log_dir.line;
    }
    from.size("log_rotate_size", config_.events.log_rotate_size, 1U << 20, kNoMost);
    from.duration("log_keep", config_.events.log_keep, std::chrono::minutes(1));
    from.finish();
}

void ConfigParser::later_features() {
    for (const char* key :
         {"credential", "egress_source", "egress_pool", "tenant", "dkim", "webhook"}) {
        const TomlValue* value = top_.take(key);
        if (value == nullptr || (value->kind == Kind::array && value->items.empty())) continue;
        const int line = value->items.empty() ? value->line : value->items.front().line;
        top_.problem(line, "[[" + std::string(key) + "]] is not available in this version");
    }
}

}  // namespace

ParsedConfig read_config(std::string_view text, const std::string& file) {
    const auto root = core::parse_toml(text);
    if (root) return ConfigParser(*root, file).parse();
    ParsedConfig nothing;
    nothing.problems.push_back({file, root.error().line, root.error().sentence});
    return nothing;
}

std::expected<Config, Problems> parse_config(std::string_view text, const std::string& file) {
    ParsedConfig parsed = read_config(text, file);
    if (!parsed.problems.empty()) return std::unexpected(std::move(parsed.problems));
    return std::move(parsed.config);
}

}  // namespace relay
