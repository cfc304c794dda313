// ReplyRules: the [[….automation]] tables of the shaping files, compiled (RE2), by the table that
// they stand in. Immutable once made, so shards share one and a reload swaps the pointer; match()
// may be called from any thread and takes time linear in the reply. A path asks once for those that
// are its own (of()), and no rule costs anything where there are none. A pattern is matched against
// one line, "550 5.1.1 text", as KumoMTA does, and all rules that match count. Limits: those of
// relay/shaping/automation.h; kMatchMemory for all automata, kLeastMatchMemory for each; a reply is
// read as far as the session kept it (kMaxReplyRead).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/message/disposition.h"
#include "relay/shaping/policy.h"

namespace relay {

struct RuleAction {
    AutomationVerb verb = AutomationVerb::suspend;
    std::string option;                         // of set_config
    std::string value;                          // as a file would have it
    std::function<void(ShapingLimits&)> set{};  // of set_config
    double factor = 0.5;                        // of reduce
};

struct ReplyRule {
    std::uint64_t id = 0;  // by what it says, so that it is known again after a reload or restart
    std::string place;     // file:line
    std::string pattern;   // the first one
    bool of_provider = false;  // its scope is the provider, not the site
    bool match_internal = false;
    std::optional<core::Rate> threshold{};
    core::Duration duration{};
    std::vector<RuleAction> actions{};
};

// The rules of one table.
class RuleTable {
  public:
    ~RuleTable();
    // Those that match. local: our own words.
    void match(const std::string& line, bool local, std::vector<const ReplyRule*>& found) const;
    const std::vector<ReplyRule>& rules() const { return rules_; }

  private:
    friend class ReplyRules;
    struct Automaton;
    RuleTable();

    std::vector<ReplyRule> rules_;
    std::vector<std::size_t> rule_of_;  // by pattern
    std::unique_ptr<Automaton> automaton_;
};

class ReplyRules : public std::enable_shared_from_this<ReplyRules> {
  public:
    static constexpr std::int64_t kMatchMemory = 64 << 20;
    static constexpr std::int64_t kLeastMatchMemory = 256 << 10;

    // Those of one path; they keep what they point to.
    struct Of {
        std::shared_ptr<const ReplyRules> book{};  // null: there are none
        const RuleTable* defaults = nullptr;
        const RuleTable* provider = nullptr;
        const RuleTable* table = nullptr;
        bool empty() const { return book == nullptr; }
        std::vector<const ReplyRule*> match(const Disposition& said) const;
    };

    static std::expected<std::shared_ptr<const ReplyRules>, Problems> compile(
        const ShapingPolicy& policy);

    Of of(const ShapingScope& scope) const;
    std::size_t tables() const { return domains_.size() + providers_.size() + (defaults_ ? 1 : 0); }

  private:
    using Tables = std::map<std::string, std::unique_ptr<const RuleTable>, std::less<>>;
    ReplyRules() = default;

    std::unique_ptr<const RuleTable> defaults_;
    Tables providers_;
    Tables domains_;
};

// "550 5.1.1 text" in one line.
std::string reply_line(const Disposition& said);
// A value as a file of TOML has it.
std::string toml_value(const core::TomlValue& value);

}  // namespace relay
