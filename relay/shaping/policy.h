// ShapingPolicy: the limits of every destination, from [shaping] and the shaping files, in
// KumoMTA's syntax (docs/configuration.md, "Shaping files"). Loaded on the main thread, immutable
// from then on, shared read-only by all shards. Limits come, in rising order, from [shaping]
// default, ["default"], the provider that the site belongs to, and the table of the domain; each
// may have a table for the egress source. What the files ask for and this version cannot do is a
// warning with file and line; a limit that makes no sense is a problem, and so is an option that
// neither KumoMTA nor we have. Limits: kMostDomainTables tables, kMostProviders providers; a file
// is at most 4 MiB. Providers and domains beyond the first 199 are counted as "other" in metrics;
// their limits hold all the same.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/shaping/file_line.h"
#include "relay/shaping/limits.h"
#include "relay/shaping/problem.h"
#include "relay/shaping/table.h"

namespace relay {

inline constexpr std::size_t kMostDomainTables = 100'000;
inline constexpr std::size_t kMostNamedDestinations = 199;  // with "other": 200 label values

// One text of a shaping file; several merge in order, later values over earlier ones.
struct ShapingText {
    std::string file;  // for messages
    std::string text;
};

// Whose limits hold for a path.
struct ShapingScope {
    std::string_view table{};     // of a domain; empty: none
    std::string_view provider{};  // empty: none
    std::string_view source = kDefaultSource;
};

// One option as it holds for a path, and what set it.
struct EffectiveLimit {
    std::string_view option;
    std::string value;    // as a file would have it
    FileLine place{};     // empty: no shaping file says it
    std::string table{};  // ["a.example"]
};

class ShapingPolicy {
  public:
    struct Loaded;

    // No files: the defaults for everybody.
    explicit ShapingPolicy(const ShapingLimits& defaults = {});
    // sources: the egress sources that there are, beside "default".
    static std::expected<Loaded, Problems> parse(const std::vector<ShapingText>& texts,
                                                 const ShapingLimits& defaults,
                                                 const std::vector<std::string>& sources = {});

    // ---- limits. Whatever the case of the domain, and with or without a final dot.
    // Of a domain whose site belongs to no provider.
    const ShapingLimits& limits_for(std::string_view domain) const;
    ShapingLimits limits_for(const ShapingScope& scope) const;
    // The provider that mail to these hosts belongs to: of those that fit the last one. Empty:
    // none. domain: empty where it does not count, as the hosts are those of a route.
    std::string_view provider_of(std::string_view domain, std::span<const std::string> hosts) const;
    bool has_table(std::string_view domain) const;
    // Whose table holds for mail to a domain: its own, or else that of the host that a route sends
    // it to (empty: there is no route). Empty: neither has one.
    std::string_view table_for(std::string_view domain, std::string_view host) const;
    // A shaping file says how many messages a second go there; otherwise [shaping] default does.
    bool states_message_rate(std::string_view domain) const;

    // ---- what the files say, and where
    // Names of the tables of domains, in order of the alphabet.
    std::vector<std::string_view> tables() const;
    std::span<const ShapingProvider> providers() const { return providers_; }
    // Of a domain, or ["default"] for "default"; nullptr: there is none.
    const ShapingTable* table(std::string_view name) const;
    const ShapingProvider* provider(std::string_view name) const;
    FileLine place_of(const ShapingTable* table) const;  // empty: nullptr
    FileLine place_of(const StatedOption& stated) const;
    FileLine place_of(const ProviderMatch& match) const { return {files_[match.file], match.line}; }
    FileLine place_of(const AutomationRule& rule) const { return {files_[rule.file], rule.line}; }
    // The place that set an option for a path. Empty: no shaping file says it, so [shaping] default
    // holds.
    FileLine place_of(const ShapingScope& scope, std::string_view option) const;
    // Every option that limits something, in the order of shaping_options().
    std::vector<EffectiveLimit> explain(const ShapingScope& scope) const;

    // ---- for metrics: 0 is "other"
    // The provider's number, or else that of the domain's table.
    std::size_t destination_of(const ShapingScope& scope) const;
    // Names by number; "other" first, then providers, then domains, in order of the alphabet.
    const std::vector<std::string>& destination_names() const { return destination_names_; }
    // Keeps the numbers of the policy that this one replaces, so that counters continue. New names
    // get the numbers after them while there is room.
    void keep_numbers(const std::vector<std::string>& names);

  private:
    struct Entry {
        ShapingTable table;
        ShapingLimits limits{};  // without a provider
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    template <typename Value>
    using ByName = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;
    const Entry* find(std::string_view domain) const;
    // What holds for a path, in rising order: "provider." or nothing, the name of the table, the
    // source of a table below it, what it states.
    template <typename Visit>
    void each_layer(const ShapingScope& scope, const Visit& visit) const;
    ShapingLimits merged(const ShapingScope& scope) const;
    void name_destinations();

    ShapingLimits given_;  // [shaping] default
    Entry defaults_;       // ["default"] of the files, over that
    std::vector<std::string> files_;
    ByName<Entry> tables_;
    std::vector<ShapingProvider> providers_;
    std::vector<std::string> destination_names_{"other"};
    ByName<std::size_t> destinations_;  // of the names that tables have
};

struct ShapingPolicy::Loaded {
    ShapingPolicy policy;
    Problems warnings;
};

}  // namespace relay
