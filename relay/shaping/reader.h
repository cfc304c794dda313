// ShapingReader: from the texts of shaping files to what each table states, with the line that
// states it. Texts merge in their order: a later option of a table replaces an earlier one. All
// mistakes of all texts are collected, as are warnings of what has no effect. Used by
// ShapingPolicy::parse() on the thread that reads the configuration; pure.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/toml.h"
#include "relay/shaping/options.h"
#include "relay/shaping/policy.h"
#include "relay/shaping/problem.h"

namespace relay {

// What one table says; the rest comes from the table below it.
struct ShapingTable {
    std::size_t file = 0;  // of `files`: the last text that has it
    int line = 0;          // where it begins there; 0: no text has it
    std::vector<std::function<void(ShapingLimits&)>> sets;  // in order; later ones win
    std::vector<StatedOption> stated;

    void apply(ShapingLimits& limits) const {
        for (const auto& set : sets)
            set(limits);
    }
};

class ShapingReader {
  public:
    void read(const ShapingText& source);

    Problems problems;
    Problems warnings;
    std::vector<std::string> files;  // by StatedOption::file
    ShapingTable defaults;
    std::map<std::string, ShapingTable> domains;

  private:
    void problem(int line, std::string sentence);
    void warning(int line, std::string sentence);
    void providers(const core::TomlMember& member);
    void domain(const core::TomlMember& member);
    void option(const std::string& table, const core::TomlMember& member, ShapingTable& into);
    void unknown(const std::string& table, const core::TomlMember& member);
};

}  // namespace relay
