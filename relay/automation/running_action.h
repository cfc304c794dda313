// RunningAction: one action of a rule of automation that is in force for its scope: since when,
// until when, because of which reply. ActionSet: all that run at one moment, as the paths of every
// shard see them; immutable, shared. Pure values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "relay/message/path_key.h"
#include "relay/shaping/automation.h"
#include "relay/shaping/limits.h"

namespace relay {

// What a rule acts on: an egress source, with a provider (where the rule stands in the provider's
// table) or with a site. Paths that differ by their terms of TLS alone are one scope.
struct ActionScope {
    std::string source;
    std::string provider;  // empty: the site counts
    std::string site;

    std::string key() const;
    bool operator==(const ActionScope&) const = default;
};
std::string site_of(const PathKey& path);

struct RunningAction {
    std::uint64_t number = 0;  // for operators
    std::uint64_t rule = 0;
    std::size_t place_in_rule = 0;  // of several actions
    AutomationVerb verb = AutomationVerb::suspend;
    ActionScope scope{};
    // Of tenants, campaigns and bounces: whose mail.
    std::string tenant{};
    std::string campaign{};
    std::string domain{};
    std::string option{};  // of set_config
    std::string value{};
    std::function<void(ShapingLimits&)> set{};
    double low = 1;    // of reduce: the part of the limits right after the last trigger
    double level = 1;  // and now
    // ---- because
    std::string place{};  // of the rule: file:line
    std::string pattern{};
    std::string reply{};
    // ---- when
    core::WallTime began{};
    core::WallTime triggered{};  // the last time
    core::WallTime until{};
    std::uint64_t times = 1;

    // One of the path, which ActionSet applies; others are orders about mail.
    bool is_of_path() const;
    core::Duration duration() const { return until - triggered; }
};

class ActionSet {
  public:
    struct Effect {
        bool any = false;
        bool suspended = false;
    };

    explicit ActionSet(std::vector<RunningAction> all = {});
    // Changes the limits of a path as those of its scopes say. Of several that set one limit the
    // strictest counts.
    Effect apply(std::string_view source, std::string_view provider, std::string_view site,
                 ShapingLimits& limits) const;
    bool concerns(std::string_view source, std::string_view provider, std::string_view site) const;
    const std::vector<RunningAction>& all() const { return all_; }
    bool empty() const { return all_.empty(); }

  private:
    std::vector<RunningAction> all_;
    std::unordered_map<std::string, std::vector<std::size_t>> by_scope_;
};

}  // namespace relay
