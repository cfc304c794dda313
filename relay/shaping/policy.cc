#include "relay/shaping/policy.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "core/base/ascii.h"
#include "relay/shaping/options.h"
#include "relay/shaping/reader.h"

namespace relay {
namespace {

std::string in_brackets(std::string_view before, std::string_view name) {
    return "[" + std::string(before) + "\"" + std::string(name) + "\"]";
}

}  // namespace

ShapingPolicy::ShapingPolicy(const ShapingLimits& defaults)
    : given_(defaults), defaults_{.table = {}, .limits = defaults} {}

std::expected<ShapingPolicy::Loaded, Problems> ShapingPolicy::parse(
    const std::vector<ShapingText>& texts, const ShapingLimits& defaults,
    const std::vector<std::string>& sources) {
    ShapingReader reader(sources);
    for (const ShapingText& each : texts)
        reader.read(each);
    if (!reader.problems.empty()) return std::unexpected(std::move(reader.problems));

    ShapingPolicy policy(defaults);
    policy.files_ = std::move(reader.files);
    policy.providers_ = std::move(reader.providers);
    policy.defaults_.table = std::move(reader.defaults);
    policy.defaults_.limits = policy.merged({});
    policy.tables_.reserve(reader.domains.size());
    for (auto& [domain, table] : reader.domains) {
        Entry& entry = policy.tables_[domain];
        entry.table = std::move(table);
        entry.limits = policy.merged({.table = domain, .provider = {}});
    }
    policy.name_destinations();
    return Loaded{std::move(policy), std::move(reader.warnings)};
}

// ---- limits

const ShapingPolicy::Entry* ShapingPolicy::find(std::string_view domain) const {
    if (tables_.empty()) return nullptr;
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::array<char, 253> lower;
    if (domain.size() > lower.size()) return nullptr;  // longer than any name in DNS
    std::ranges::transform(domain, lower.begin(), core::ascii_lower);
    const auto found = tables_.find(std::string_view(lower.data(), domain.size()));
    return found == tables_.end() ? nullptr : &found->second;
}

// Rising: ["default"], the provider, the domain; the tables of the source come after their table.
template <typename Visit>
void ShapingPolicy::each_layer(const ShapingScope& scope, const Visit& visit) const {
    const auto both = [&](std::string_view before, std::string_view name,
                          const ShapingTable* table) {
        if (table == nullptr || table->line == 0) return;
        visit(before, name, std::string_view(), table->stated);
        const StatedOptions* const source = table->of_source(scope.source);
        if (source != nullptr) visit(before, name, scope.source, *source);
    };
    both({}, "default", &defaults_.table);
    if (!scope.provider.empty()) both("provider.", scope.provider, provider(scope.provider));
    if (scope.table.empty()) return;
    if (const Entry* entry = find(scope.table)) both({}, scope.table, &entry->table);
}

const ShapingLimits& ShapingPolicy::limits_for(std::string_view domain) const {
    const Entry* entry = find(domain);
    return entry == nullptr ? defaults_.limits : entry->limits;
}

ShapingLimits ShapingPolicy::limits_for(const ShapingScope& scope) const {
    if (scope.provider.empty() && scope.source == kDefaultSource) return limits_for(scope.table);
    return merged(scope);
}

ShapingLimits ShapingPolicy::merged(const ShapingScope& scope) const {
    ShapingLimits limits = given_;
    each_layer(scope, [&limits](std::string_view, std::string_view, std::string_view,
                                const StatedOptions& stated) { apply(stated, limits); });
    return limits;
}

std::string_view ShapingPolicy::provider_of(std::string_view domain,
                                            std::span<const std::string> hosts) const {
    for (auto each = providers_.rbegin(); each != providers_.rend(); ++each) {
        if (belongs_to(each->match, domain, hosts)) return each->name;
    }
    return {};
}

bool ShapingPolicy::has_table(std::string_view domain) const {
    return find(domain) != nullptr;
}

std::string_view ShapingPolicy::table_for(std::string_view domain, std::string_view host) const {
    if (has_table(domain)) return domain;
    return has_table(host) ? host : std::string_view();
}

bool ShapingPolicy::states_message_rate(std::string_view domain) const {
    return !place_of(ShapingScope{.table = domain, .provider = {}}, "max_message_rate").empty();
}

// ---- what the files say, and where

std::vector<std::string_view> ShapingPolicy::tables() const {
    std::vector<std::string_view> names;
    for (const auto& [domain, entry] : tables_)
        names.push_back(domain);
    std::ranges::sort(names);
    return names;
}

const ShapingTable* ShapingPolicy::table(std::string_view name) const {
    if (name == "default") return defaults_.table.line == 0 ? nullptr : &defaults_.table;
    const Entry* entry = find(name);
    return entry == nullptr ? nullptr : &entry->table;
}

const ShapingProvider* ShapingPolicy::provider(std::string_view name) const {
    const auto found = std::ranges::find(providers_, name, &ShapingProvider::name);
    return found == providers_.end() ? nullptr : &*found;
}

FileLine ShapingPolicy::place_of(const ShapingTable* table) const {
    return table == nullptr ? FileLine{} : FileLine{files_[table->file], table->line};
}

FileLine ShapingPolicy::place_of(const StatedOption& stated) const {
    return {files_[stated.file], stated.line};
}

FileLine ShapingPolicy::place_of(const ShapingScope& scope, std::string_view option) const {
    FileLine place;
    each_layer(scope, [&](std::string_view, std::string_view, std::string_view,
                          const StatedOptions& stated) {
        for (const StatedOption& each : stated) {
            if (each.option->name == option) place = place_of(each);
        }
    });
    return place;
}

// `tls` and `enable_tls` are one limit by two names: the later one set it.
std::vector<EffectiveLimit> ShapingPolicy::explain(const ShapingScope& scope) const {
    const ShapingLimits limits = limits_for(scope);
    std::vector<EffectiveLimit> all;
    for (const ShapingOption& option : shaping_options()) {
        if (option.write == nullptr || option.name == "enable_tls") continue;
        EffectiveLimit& one = all.emplace_back(option.name, option.write(limits));
        each_layer(scope, [&](std::string_view before, std::string_view name,
                              std::string_view source, const StatedOptions& stated) {
            for (const StatedOption& each : stated) {
                if (each.option->write != option.write) continue;
                one.place = place_of(each);
                one.table = in_brackets(before, name);
                if (source.empty()) continue;
                one.table.pop_back();
                one.table.append(".sources.\"").append(source).append("\"]");
            }
        });
    }
    return all;
}

// ---- for metrics

void ShapingPolicy::name_destinations() {
    std::vector<std::string_view> names;
    for (const ShapingProvider& each : providers_)
        names.emplace_back(each.name);
    std::ranges::sort(names);
    std::ranges::move(tables(), std::back_inserter(names));
    for (const std::string_view name : names) {
        if (destination_names_.size() > kMostNamedDestinations) return;
        const bool is_new =
            destinations_.try_emplace(std::string(name), destination_names_.size()).second;
        if (is_new) destination_names_.emplace_back(name);
    }
}

void ShapingPolicy::keep_numbers(const std::vector<std::string>& names) {
    const std::vector<std::string> ours = std::exchange(destination_names_, names);
    ByName<std::size_t> numbers;
    for (std::size_t i = 1; i < names.size(); ++i)
        numbers.emplace(names[i], i);
    destinations_.clear();
    for (std::size_t i = 1; i < ours.size(); ++i) {
        const auto known = numbers.find(ours[i]);
        if (known != numbers.end()) {
            destinations_.emplace(ours[i], known->second);
        } else if (destination_names_.size() <= kMostNamedDestinations) {
            destinations_.emplace(ours[i], destination_names_.size());
            destination_names_.push_back(ours[i]);
        }
    }
}

std::size_t ShapingPolicy::destination_of(const ShapingScope& scope) const {
    const std::string name =
        scope.provider.empty() ? core::to_lower(scope.table.ends_with('.')
                                                    ? scope.table.substr(0, scope.table.size() - 1)
                                                    : scope.table)
                               : std::string(scope.provider);
    const auto found = destinations_.find(name);
    return found == destinations_.end() ? 0 : found->second;
}

}  // namespace relay
