// ShapingReader: from the texts of shaping files to what each table states, with the line that
// states it. Texts merge in their order: a later option of a table replaces an earlier one. All
// mistakes of all texts are collected, as are warnings of what has no effect. Used by
// ShapingPolicy::parse() on the thread that reads the configuration; pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/toml.h"
#include "relay/shaping/options.h"
#include "relay/shaping/policy.h"
#include "relay/shaping/problem.h"
#include "relay/shaping/table.h"

namespace relay {

class ShapingReader {
  public:
    // sources: those that there are, beside "default".
    explicit ShapingReader(std::vector<std::string> sources) : known_(std::move(sources)) {}

    void read(const ShapingText& source);

    Problems problems;
    Problems warnings;
    std::vector<std::string> files;  // by StatedOption::file
    ShapingTable defaults;
    std::map<std::string, ShapingTable> domains;
    std::vector<ShapingProvider> providers;  // in the order of their first lines

  private:
    enum class Kind : std::uint8_t { domain, provider, source };
    // What a table is called in sentences, and what it may have.
    struct Place {
        std::string name;  // ["a.example"]
        Kind kind = Kind::domain;
    };

    std::size_t file() const { return files.size() - 1; }
    void problem(int line, std::string sentence);
    void warning(int line, std::string sentence);
    void providers_of(const core::TomlMember& member);
    void provider(const core::TomlMember& member);
    void domain(const core::TomlMember& member);
    void table(const Place& place, const core::TomlMember& member, ShapingTable& into);
    void option(const Place& place, const core::TomlMember& member, StatedOptions& into);
    void unknown(const Place& place, const core::TomlMember& member);
    void sources(const Place& place, const core::TomlMember& member, ShapingTable& into);
    void automation(const Place& place, const core::TomlMember& member, ShapingTable& into);
    void match(const Place& place, const core::TomlMember& member, ShapingProvider& into);
    void match_rule(const Place& place, const core::TomlValue& value, ShapingProvider& into);
    void add_match(const Place& place, ProviderMatch rule, ShapingProvider& into);

    std::vector<std::string> known_;  // egress sources
    std::size_t patterns_ = 0;
    std::size_t matches_ = 0;
};

}  // namespace relay
