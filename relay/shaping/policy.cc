#include "relay/shaping/policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/ascii.h"
#include "relay/shaping/options.h"
#include "relay/shaping/reader.h"

namespace relay {
namespace {

const StatedOption* find_stated(std::span<const StatedOption> stated, std::string_view option) {
    const auto found = std::ranges::find(
        stated, option, [](const StatedOption& each) { return each.option->name; });
    return found == stated.end() ? nullptr : &*found;
}

}  // namespace

ShapingPolicy::ShapingPolicy(const ShapingLimits& defaults) : defaults_{.limits = defaults} {}

std::expected<ShapingPolicy::Loaded, Problems> ShapingPolicy::parse(
    const std::vector<ShapingText>& texts, const ShapingLimits& defaults) {
    ShapingReader reader;
    for (const ShapingText& each : texts)
        reader.read(each);
    if (!reader.problems.empty()) return std::unexpected(std::move(reader.problems));

    ShapingPolicy policy(defaults);
    policy.files_ = std::move(reader.files);
    reader.defaults.apply(policy.defaults_.limits);
    policy.defaults_.file = reader.defaults.file;
    policy.defaults_.line = reader.defaults.line;
    policy.defaults_.stated = std::move(reader.defaults.stated);
    policy.tables_.reserve(reader.domains.size());
    for (auto& [domain, table] : reader.domains) {
        Entry entry{policy.defaults_.limits, 0, table.file, table.line, std::move(table.stated)};
        table.apply(entry.limits);
        if (policy.destination_names_.size() <= kMostNamedDestinations) {
            entry.destination = policy.destination_names_.size();
            policy.destination_names_.push_back(domain);
        }
        policy.tables_.emplace(domain, std::move(entry));
    }
    return Loaded{std::move(policy), std::move(reader.warnings)};
}

const ShapingPolicy::Entry* ShapingPolicy::find(std::string_view domain) const {
    if (tables_.empty()) return nullptr;
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::array<char, 253> lower;
    if (domain.size() > lower.size()) return nullptr;  // longer than any name in DNS
    std::ranges::transform(domain, lower.begin(), core::ascii_lower);
    const auto found = tables_.find(std::string_view(lower.data(), domain.size()));
    return found == tables_.end() ? nullptr : &found->second;
}

const ShapingLimits& ShapingPolicy::limits_for(std::string_view domain) const {
    const Entry* entry = find(domain);
    return entry == nullptr ? defaults_.limits : entry->limits;
}

std::string_view ShapingPolicy::table_for(std::string_view domain, std::string_view host) const {
    if (has_table(domain)) return domain;
    return has_table(host) ? host : std::string_view();
}

const ShapingPolicy::Entry* ShapingPolicy::find_table(std::string_view table) const {
    if (table == "default") return defaults_.line == 0 ? nullptr : &defaults_;
    return find(table);
}

std::vector<std::string_view> ShapingPolicy::tables() const {
    std::vector<std::string_view> names;
    for (const auto& [domain, entry] : tables_)
        names.push_back(domain);
    std::ranges::sort(names);
    return names;
}

FileLine ShapingPolicy::place_of(std::string_view table) const {
    const Entry* entry = find_table(table);
    return entry == nullptr ? FileLine{} : FileLine{files_[entry->file], entry->line};
}

std::span<const StatedOption> ShapingPolicy::stated(std::string_view table) const {
    const Entry* entry = find_table(table);
    return entry == nullptr ? std::span<const StatedOption>() : entry->stated;
}

FileLine ShapingPolicy::place_of(const StatedOption& stated) const {
    return {files_[stated.file], stated.line};
}

FileLine ShapingPolicy::place_of(std::string_view domain, std::string_view option) const {
    const StatedOption* found = find_stated(stated(domain), option);
    if (found == nullptr) found = find_stated(defaults_.stated, option);
    return found == nullptr ? FileLine{} : place_of(*found);
}

bool ShapingPolicy::states_message_rate(std::string_view domain) const {
    return !place_of(domain, "max_message_rate").empty();
}

bool ShapingPolicy::has_table(std::string_view domain) const {
    return find(domain) != nullptr;
}

void ShapingPolicy::keep_numbers(const std::vector<std::string>& names) {
    const std::vector<std::string> ours = std::exchange(destination_names_, names);
    std::unordered_map<std::string_view, std::size_t> numbers;
    for (std::size_t i = 1; i < names.size(); ++i)
        numbers.emplace(names[i], i);
    for (auto& [domain, entry] : tables_) {
        const auto known = numbers.find(domain);
        entry.destination = known == numbers.end() ? 0 : known->second;
    }
    for (std::size_t i = 1; i < ours.size(); ++i) {
        if (numbers.contains(ours[i]) || destination_names_.size() > kMostNamedDestinations)
            continue;
        tables_.find(ours[i])->second.destination = destination_names_.size();
        destination_names_.push_back(ours[i]);
    }
}

std::size_t ShapingPolicy::destination_of(std::string_view domain) const {
    const Entry* entry = find(domain);
    return entry == nullptr ? 0 : entry->destination;
}

}  // namespace relay
