// RuleReader: bounce rules from TOML, KumoMTA's format and ours (docs/configuration.md, "Bounce
// rules"), into plain tables, with every mistake and its line. On the main thread, at start or
// reload. Limits: kMostPatterns patterns of at most kMostPatternOctets, kMostClasses classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/toml.h"
#include "relay/bounce/bounce_class.h"
#include "relay/shaping/problem.h"

namespace relay {

inline constexpr std::size_t kMostPatterns = 10'000;
inline constexpr std::size_t kMostPatternOctets = 1000;
inline constexpr std::size_t kMostClasses = 1000;

// One file of rules; earlier ones come first.
struct BounceText {
    std::string file;  // for messages
    std::string text;
    bool built_in = false;
};

using BounceClassIndex = std::uint16_t;

struct BounceClassEntry {
    std::string name;
    BounceNature nature = BounceNature::unknown;
    bool suppress = false;
    bool retry = false;  // although the reply is permanent
};

struct TextRule {
    std::string pattern;
    BounceClassIndex klass = 0;
    std::uint16_t hosts = 0;  // index of a list; 0: any host
    bool vague_only = false;  // only where the enhanced code decides nothing
    bool keep = false;        // never suppress, whatever the class says
    bool built_in = false;
    std::uint16_t commands = 0;  // a bit for each Asked; 0: whatever was asked
    const BounceText* source = nullptr;
    int line = 0;
    std::size_t order = 0;  // among those of one line
};

// What stands for any number in an enhanced code.
inline constexpr std::uint16_t kAnyNumber = 0xffff;

struct EnhancedKey {
    std::uint16_t klass = kAnyNumber;
    std::uint16_t subject = kAnyNumber;
    std::uint16_t detail = kAnyNumber;
    auto operator<=>(const EnhancedKey&) const = default;
};

struct RuleTables {
    std::vector<BounceClassEntry> classes;        // the predefined ones first
    std::vector<std::vector<std::string>> hosts;  // lower case; the first list is empty
    std::vector<TextRule> text;                   // in order: the first that matches decides
    std::map<EnhancedKey, BounceClassIndex> enhanced;
    std::map<std::string, BounceClassIndex> code;  // "552", "4xx"
    std::vector<EnhancedKey> vague;
};

class RuleReader {
  public:
    RuleReader();
    void file(const BounceText& source);  // outlives the tables
    // After the last file: a class that rules use and no file declares is a problem.
    void finish();

    RuleTables tables;
    Problems problems;

  private:
    void kumo_rules(const core::TomlValue& table);
    void classes(const core::TomlValue& table);
    void class_option(const std::string& name, const core::TomlMember& option,
                      BounceClassEntry& entry);
    void text_rules(const core::TomlValue& array);
    void text_rule(const core::TomlValue& table);
    void text_option(const core::TomlMember& member, TextRule& rule);
    void hosts(const core::TomlMember& member, TextRule& rule);
    void commands(const core::TomlMember& member, TextRule& rule);
    void enhanced(const core::TomlValue& table);
    void codes(const core::TomlValue& table);
    void vague(const core::TomlValue& array);
    void pattern(const core::TomlValue& value, TextRule rule);
    BounceClassIndex class_named(const std::string& name, int line);
    bool texts(const core::TomlMember& member, std::vector<const core::TomlValue*>& out);
    void problem(int line, std::string sentence);

    const BounceText* source_ = nullptr;
    std::map<std::string, BounceClassIndex, std::less<>> by_name_;
    // Classes that are used and not declared as yet, with the place of the first use.
    std::map<std::string, Problem, std::less<>> undeclared_;
};

}  // namespace relay
