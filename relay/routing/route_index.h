// RouteIndex: the first [[route]] of a configuration that matches a domain, as Config::route_for()
// finds it, at a cost that does not grow with their number. Made for one configuration, which
// outlives it. One shard.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/config/config.h"

namespace relay {

class RouteIndex {
  public:
    explicit RouteIndex(const Config& config) : routes_(&config.routes) {
        for (std::size_t i = 0; i < routes_->size(); ++i) {
            const std::string_view domain = (*routes_)[i].domain;
            places_.emplace(domain.starts_with("*.") ? domain.substr(1) : domain, i);
        }
    }

    // name: a PlainDomain's. Null: by MX.
    const RouteConfig* route_for(std::string_view name) const {
        if (routes_->empty()) return nullptr;
        if (name.ends_with('.')) name.remove_suffix(1);
        std::size_t first = std::min(place_of("*"), place_of(name));
        for (std::size_t dot = name.find('.', 1); dot != std::string_view::npos;
             dot = name.find('.', dot + 1)) {
            first = std::min(first, place_of(name.substr(dot)));
        }
        return first < routes_->size() ? &(*routes_)[first] : nullptr;
    }

  private:
    std::size_t place_of(std::string_view domain) const {
        const auto found = places_.find(domain);
        return found == places_.end() ? routes_->size() : found->second;
    }

    const std::vector<RouteConfig>* routes_;
    std::unordered_map<std::string_view, std::size_t> places_;  // ".example.com": below it
};

}  // namespace relay
