// ShapingPolicy: the limits of every destination, from [shaping] and the shaping files, in
// KumoMTA's syntax (docs/configuration.md, "Shaping files"). Loaded on the main thread, immutable
// from then on, shared read-only by all shards. A domain with a table of its own has paths of its
// own, so that its limits bind nobody else (docs/decisions/0004-domain-tables-make-paths.md). What
// the files ask for and this version cannot do is a warning with file and line; a limit that makes
// no sense is a problem, and so is an option that neither KumoMTA nor we have. Limits:
// kMostDomainTables tables; a file is at most 4 MiB. Domains beyond the first 199 with a table are
// counted as "other" in metrics; their limits hold all the same.
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

namespace relay {

inline constexpr std::size_t kMostDomainTables = 100'000;
inline constexpr std::size_t kMostNamedDestinations = 199;  // with "other": 200 label values

// One text of a shaping file; several merge in order, later values over earlier ones.
struct ShapingText {
    std::string file;  // for messages
    std::string text;
};

struct ShapingOption;

// An option that a table states, and where.
struct StatedOption {
    const ShapingOption* option = nullptr;
    std::size_t file = 0;  // of ShapingPolicy::files()
    int line = 0;
};

class ShapingPolicy {
  public:
    struct Loaded;

    // No files: the defaults for everybody.
    explicit ShapingPolicy(const ShapingLimits& defaults = {});
    static std::expected<Loaded, Problems> parse(const std::vector<ShapingText>& texts,
                                                 const ShapingLimits& defaults);

    // Whatever the case of the domain, and with or without a final dot.
    const ShapingLimits& limits_for(std::string_view domain) const;
    // The domain has a table, and so paths of its own.
    bool has_table(std::string_view domain) const;
    // Whose table holds for mail to a domain: its own, or else that of the host that a route sends
    // it to (empty: there is no route). Empty: neither has one.
    std::string_view table_for(std::string_view domain, std::string_view host) const;
    // Names of the tables of domains, in order of the alphabet.
    std::vector<std::string_view> tables() const;
    // Where the table of a domain begins, or ["default"] for "default"; empty: there is none.
    FileLine place_of(std::string_view table) const;
    // What that table states itself.
    std::span<const StatedOption> stated(std::string_view table) const;
    FileLine place_of(const StatedOption& stated) const;
    // The place that set an option for a domain: its table, or else ["default"]. Empty: no shaping
    // file says it, so [shaping] default holds.
    FileLine place_of(std::string_view domain, std::string_view option) const;

    // A shaping file says how many messages a second go there; otherwise [shaping] default does.
    bool states_message_rate(std::string_view domain) const;
    // For metrics: 0 is "other".
    std::size_t destination_of(std::string_view domain) const;
    // Names by number; "other" first, then the domains in order of the alphabet.
    const std::vector<std::string>& destination_names() const { return destination_names_; }
    // Keeps the numbers of the policy that this one replaces, so that counters continue. New names
    // get the numbers after them while there is room.
    void keep_numbers(const std::vector<std::string>& names);

  private:
    struct Entry {
        ShapingLimits limits;
        std::size_t destination = 0;
        std::size_t file = 0;
        int line = 0;
        std::vector<StatedOption> stated{};
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    const Entry* find(std::string_view domain) const;
    const Entry* find_table(std::string_view table) const;  // "default" too

    Entry defaults_;  // ["default"] of the files, over [shaping] default
    std::vector<std::string> files_;
    std::unordered_map<std::string, Entry, Hash, std::equal_to<>> tables_;
    std::vector<std::string> destination_names_{"other"};
};

struct ShapingPolicy::Loaded {
    ShapingPolicy policy;
    Problems warnings;
};

}  // namespace relay
