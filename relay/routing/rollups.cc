#include "relay/routing/rollups.h"

#include <utility>

namespace relay {

void Rollups::begin(const ShapingPolicy& policy) {
    *this = {};
    for (const std::string_view name : policy.tables()) {
        if (policy.table(name)->mx_rollup) tables_.emplace_back(name);
    }
}

std::optional<std::string> Rollups::next() {
    if (looked_up_ == tables_.size()) return std::nullopt;
    return tables_[looked_up_++];
}

bool Rollups::note(std::string_view table, std::string_view site) {
    const auto known = sites_.find(table);
    const std::string before = known == sites_.end() ? std::string() : known->second;
    if (before == site) return false;
    if (known != sites_.end()) sites_.erase(known);
    const bool left = table_of(before) == table;
    if (left) give_to_next(before);
    if (site.empty()) return left;
    sites_.emplace(table, site);
    const auto [held, is_new] = table_of_.try_emplace(std::string(site), table);
    if (table < held->second) held->second = table;
    return left || held->second == table;
}

void Rollups::give_to_next(const std::string& site) {
    table_of_.erase(site);
    for (const auto& [table, place] : sites_) {
        if (place == site) table_of_.try_emplace(place, table);
    }
}

std::string_view Rollups::table_of(std::string_view site) const {
    const auto found = table_of_.find(site);
    return found == table_of_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace relay
