#include "relay/config/check.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

#include "core/base/result.h"
#include "core/base/text_file.h"
#include "relay/config/credential.h"
#include "relay/config/egress.h"
#include "relay/config/parse.h"
#include "relay/config/tenant.h"
#include "relay/shaping/built_in.h"

namespace relay {

std::string directory_complaint(const std::filesystem::path& directory) {
    if (directory.native().contains('\0')) return "is not the name of a directory";
    std::error_code error;
    std::filesystem::path nearest = directory;
    while (!std::filesystem::exists(std::filesystem::symlink_status(nearest, error))) {
        const bool absent = !error || error == std::errc::no_such_file_or_directory ||
                            error == std::errc::not_a_directory;
        if (!absent) break;
        const std::filesystem::path parent = nearest.parent_path();
        if (parent == nearest || parent.empty()) break;
        nearest = parent;
    }
    if (!std::filesystem::is_directory(nearest, error)) {
        return nearest.string() + (error ? ": " + error.message() : " is not a directory");
    }
    if (access(nearest.c_str(), W_OK | X_OK) == 0) return "";
    const std::string reason = core::error_from_errno(errno).message();
    return nearest == directory ? "cannot be written into: " + reason
                                : "cannot be made in " + nearest.string() + ": " + reason;
}

namespace {

constexpr std::size_t kMaxResolvConfOctets = 1U << 20;

// Reads what a configuration names. All of it is looked at, whatever was wrong before; what is
// wrong is a problem with the line that names it, or of the named file itself.
class NamedThings {
  public:
    NamedThings(const std::filesystem::path& file, Config& config, Problems& problems)
        : file_(file.string()), config_(config), problems_(problems) {}

    void directories();
    void name_servers();
    void smarthosts();
    void credentials();
    std::optional<core::TlsRoots> roots();
    std::optional<ShapingPolicy::Loaded> shaping();
    std::shared_ptr<const BounceRules> bounce();
    void warn_of_addresses(Problems& warnings) const;
    // Defaults that bind where nobody would expect it.
    void warn_of_defaults(const ShapingPolicy& shaping, Problems& warnings) const;

  private:
    void problem(int line, std::string sentence) {
        problems_.push_back({file_, std::max(line, 1), std::move(sentence)});
    }
    bool directory(std::string_view key, const std::filesystem::path& place, int line);
    // The texts of those that can be read.
    template <typename Text>
    std::vector<Text> texts(std::string_view key, const std::vector<NamedFile>& files);

    std::string file_;
    Config& config_;
    Problems& problems_;
};

bool NamedThings::directory(std::string_view key, const std::filesystem::path& place, int line) {
    const std::string complaint = directory_complaint(place);
    if (complaint.empty()) return true;
    problem(line, std::string(key) + " = \"" + place.string() + "\"" +
                      (line == 0 ? ", as by default: " : ": ") + complaint);
    return false;
}

void NamedThings::directories() {
    const NodeConfig& node = config_.node;
    const EventsConfig& events = config_.events;
    const int log_dir_line = events.lines.of("log_dir");
    const bool data = directory("[node] data_dir", node.data_dir, node.lines.of("data_dir"));
    // Without a key of its own it is below data_dir, which is one mistake.
    if (log_dir_line == 0 && !data) return;
    if (!directory("[events] log_dir", events.log_dir, log_dir_line)) return;
    std::error_code error;
    const auto log = events.log_dir / kEventFileName;
    const auto status = std::filesystem::status(log, error);
    using std::filesystem::file_type;
    for (const file_type fine : {file_type::not_found, file_type::regular, file_type::character}) {
        if (status.type() == fine) return;
    }
    problem(log_dir_line, "[events] log_dir: " + log.string() + ": is not a file");
}

void NamedThings::name_servers() {
    if (!config_.dns.servers.empty()) return;
    const std::string complaint = resolver_complaint(kResolvConf);
    if (complaint.empty()) return;
    problem(0, "[dns] servers is absent, and " + std::string(kResolvConf) + ": " + complaint);
}

void NamedThings::smarthosts() {
    for (RouteConfig& route : config_.routes) {
        if (route.smarthost == nullptr) continue;
        Smarthost loaded = *route.smarthost;
        load_smarthost(loaded, file_, problems_);
        route.smarthost = std::make_shared<const Smarthost>(std::move(loaded));
    }
}

void NamedThings::credentials() {
    for (CredentialConfig& credential : config_.credentials)
        load_credential(credential, file_, problems_);
}

// Without a bundle nothing is ever verified, which only a policy that asks for it minds.
std::optional<core::TlsRoots> NamedThings::roots() {
    const NamedFile& named = config_.delivery.tls_ca_file;
    const std::filesystem::path file =
        named.empty() ? std::filesystem::path(core::TlsRoots::system_bundle()) : named.path;
    if (file.empty()) return std::nullopt;
    auto loaded = core::TlsRoots::load(file);
    if (loaded) return std::move(*loaded);
    problem(named.line, "[delivery] tls_ca_file: " + file.string() + ": " + loaded.error());
    return std::nullopt;
}

template <typename Text>
std::vector<Text> NamedThings::texts(std::string_view key, const std::vector<NamedFile>& files) {
    std::vector<Text> read;
    for (const NamedFile& file : files) {
        auto text = core::read_text_file(file.path, core::kMostTomlOctets);
        if (text) {
            read.push_back({file.path.string(), std::move(*text)});
        } else {
            problem(file.line, std::string(key) + ": " + file.path.string() + ": " + text.error());
        }
    }
    return read;
}

std::optional<ShapingPolicy::Loaded> NamedThings::shaping() {
    auto named = texts<ShapingText>("[shaping] files", config_.shaping.files);
    if (config_.shaping.built_in) named.insert(named.begin(), built_in_shaping());
    std::vector<std::string> sources;
    for (const EgressSourceConfig& each : config_.egress_sources)
        sources.push_back(each.source.name);
    auto loaded = ShapingPolicy::parse(named, config_.shaping.defaults, sources);
    if (loaded) return std::move(*loaded);
    std::ranges::move(loaded.error(), std::back_inserter(problems_));
    return std::nullopt;
}

std::shared_ptr<const BounceRules> NamedThings::bounce() {
    if (config_.bounce.files.empty()) return BounceRules::built_in();
    auto rules = BounceRules::parse(texts<BounceText>("[bounce] files", config_.bounce.files));
    if (rules) return *rules;
    std::ranges::move(rules.error(), std::back_inserter(problems_));
    return nullptr;
}

// It may come, or belong to another machine that has this file too: mail goes by others meanwhile.
void NamedThings::warn_of_addresses(Problems& warnings) const {
    for (const EgressSourceConfig& each : config_.egress_sources) {
        for (const core::IpAddress& address : each.source.addresses) {
            const std::string complaint = binding_complaint(address);
            if (complaint.empty()) continue;
            warnings.push_back({file_, each.lines.of("address"),
                                "[[egress_source]] \"" + each.source.name + "\" address = \"" +
                                    address.to_string() + "\": " + complaint +
                                    ": no mail leaves by it until this machine has it"});
        }
    }
}

// A route for many domains sends all their mail to one host, whose rate is then the rate of all.
void NamedThings::warn_of_defaults(const ShapingPolicy& shaping, Problems& warnings) const {
    if (config_.shaping.default_lines.has("max_message_rate")) return;
    const core::Rate rate = config_.shaping.defaults.max_message_rate;
    std::set<std::string_view> said;
    for (const RouteConfig& route : config_.routes) {
        const std::string& host = route.hosts.front().host;
        if (!route.domain.starts_with('*') || shaping.states_message_rate(host)) continue;
        if (!said.insert(host).second) continue;
        warnings.push_back({file_, route.line,
                            "[[route]] domain = \"" + route.domain + "\": mail to " + host +
                                " leaves at no more than " + std::to_string(rate.count) +
                                " messages a second, as by default; max_message_rate in [shaping] "
                                "default, or in a "
                                "table [\"" +
                                host + "\"] of a shaping file, sets another rate"});
    }
}

// Those of the file itself by their lines, then those of each file that it names.
Problems in_order(Problems problems, const std::string& file) {
    Problems ordered;
    Problems others;
    for (Problem& each : problems)
        (each.file == file ? ordered : others).push_back(std::move(each));
    std::ranges::sort(ordered, {},
                      [](const Problem& each) { return std::tie(each.line, each.sentence); });
    std::ranges::move(others, std::back_inserter(ordered));
    return ordered;
}

}  // namespace

std::string resolver_complaint(const std::filesystem::path& file) {
    std::error_code error;
    // Without the file the name server of this machine is asked (resolv.conf(5)).
    if (!std::filesystem::exists(std::filesystem::symlink_status(file, error))) return "";
    const auto text = core::read_text_file(file, kMaxResolvConfOctets);
    return text ? "" : text.error();
}

std::expected<CheckedConfig, Problems> check_config(const std::filesystem::path& file,
                                                    const std::string& hostname) {
    ParsedConfig parsed = load_config(file, hostname);
    if (!parsed.readable) return std::unexpected(std::move(parsed.problems));
    Problems& problems = parsed.problems;
    NamedThings named(file, parsed.config, problems);
    named.directories();
    named.name_servers();
    auto roots = named.roots();
    named.smarthosts();
    named.credentials();
    auto shaping = named.shaping();
    auto bounce = named.bounce();
    std::shared_ptr<const ReplyRules> automation;
    if (shaping) {
        auto compiled = ReplyRules::compile(shaping->policy);
        if (compiled) automation = *compiled;
        if (!compiled) std::ranges::move(compiled.error(), std::back_inserter(problems));
    }
    if (!problems.empty()) {
        return std::unexpected(in_order(std::move(problems), file.string()));
    }
    named.warn_of_defaults(shaping->policy, parsed.warnings);
    named.warn_of_addresses(parsed.warnings);
    EgressPlan egress = egress_plan(parsed.config, nullptr);
    std::ranges::move(shaping->warnings, std::back_inserter(parsed.warnings));
    auto tenants = tenant_policies(parsed.config);
    return CheckedConfig{.config = std::move(parsed.config),
                         .shaping = std::move(shaping->policy),
                         .egress = std::move(egress),
                         .bounce = std::move(bounce),
                         .warnings = std::move(parsed.warnings),
                         .tls_roots = std::move(roots),
                         .automation = std::move(automation),
                         .tenants = std::move(tenants)};
}

TlsPolicy CheckedConfig::tls_of(const ShapingLimits& limits, const RouteConfig* route) const {
    if (route != nullptr && route->tls) return *route->tls;
    return limits.tls.value_or(config.delivery.tls);
}

std::expected<std::shared_ptr<const CheckedConfig>, Problems> recheck_config(
    const std::filesystem::path& file, const CheckedConfig& in_force) {
    auto checked = check_config(file, in_force.config.node.hostname);
    if (!checked) return std::unexpected(std::move(checked.error()));
    checked->generation = in_force.generation + 1;
    checked->egress = egress_plan(checked->config, &in_force.egress);
    if (checked->egress.numbers() > EgressPlan::kMostNumbers) {
        return std::unexpected(
            Problems{{file.string(), 0,
                      "there were more than " + std::to_string(EgressPlan::kMostNumbers) +
                          " names of egress sources since the start; restart to begin again"}});
    }
    checked->shaping.keep_numbers(in_force.shaping.destination_names());
    if (!checked->tls_roots && in_force.tls_roots) {
        checked->warnings.push_back(
            {file.string(), 0, "no bundle of trusted certificates is left; the old one stays"});
        checked->tls_roots = in_force.tls_roots;
    }
    return std::make_shared<const CheckedConfig>(std::move(*checked));
}

}  // namespace relay
