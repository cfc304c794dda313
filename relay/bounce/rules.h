// BounceRules: what a reply that refuses mail means. That depends on what was asked: a refusal of
// the greeting, EHLO, STARTTLS, AUTH or MAIL is about us or the sender, and only a refusal of RCPT,
// or of content that had a single recipient, says anything about an address (docs/dispositions.md).
// The order is: rules of text (of the files of [bounce] first, then the built-in ones, which may be
// bound to a provider's hosts), the enhanced status code, the basic code, "Uncategorized".
// Immutable once made, so shards share one and a reload swaps the pointer; classify() may be called
// from any thread and takes time linear in the text (RE2). A pattern is matched against one line,
// "550 5.1.1 text", as KumoMTA does; the built-in ones against that line without mail addresses,
// whose words mean nothing. Limits: those of rule_reader.h; kMatchMemory for the automaton of all
// patterns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/bounce/asked.h"
#include "relay/bounce/rule_reader.h"
#include "relay/bounce/verdict.h"
#include "relay/message/reply.h"

namespace relay {

// A reply as the rules see it: what was said, by whom, and about what.
struct BounceReply {
    ReplyView said;
    std::string_view host;  // who said so; empty when that is not known
    bool local = false;     // our own words: rules of text do not apply
    Asked asked = Asked::rcpt;
    std::uint32_t recipients = 1;  // whom it is about; of content, those that it had
    bool deferred = false;         // it is tried again, or no longer, whatever the code says
};

class BounceRules {
  public:
    static constexpr std::int64_t kMatchMemory = 32 << 20;

    // The files in order, then the built-in rules.
    static std::expected<std::shared_ptr<const BounceRules>, Problems> parse(
        const std::vector<BounceText>& files);
    // These texts alone.
    static std::expected<std::shared_ptr<const BounceRules>, Problems> parse_only(
        const std::vector<BounceText>& texts);
    static std::shared_ptr<const BounceRules> built_in();
    static std::string_view built_in_text();

    ~BounceRules();

    BounceVerdict classify(const BounceReply& reply) const;
    std::size_t patterns() const { return tables_.text.size(); }

  private:
    struct Patterns;  // one automaton of them
    BounceRules();

    bool compile(Problems& problems);
    bool compile(Patterns& patterns, Problems& problems) const;
    const TextRule* first_match(const BounceReply& reply) const;
    const TextRule* first_of(const Patterns& patterns, const std::string& line,
                             const BounceReply& reply) const;
    bool applies(const TextRule& rule, const BounceReply& reply) const;
    BounceClassIndex by_codes(const BounceReply& reply) const;
    BounceClassIndex as_asked(BounceClassIndex index, const BounceReply& reply) const;
    bool from_host(const TextRule& rule, std::string_view host) const;
    bool is_vague(const BounceReply& reply) const;
    BounceClassIndex by_enhanced_code(const BounceReply& reply) const;
    BounceClassIndex by_code(std::uint16_t code) const;

    RuleTables tables_;
    std::unique_ptr<Patterns> given_;     // of the files
    std::unique_ptr<Patterns> built_in_;  // our own
};

// "550 5.1.1 text" in one line, for patterns.
std::string bounce_line(const BounceReply& reply);
// The same with "x@x" for each mail address.
std::string without_addresses(std::string_view line);

}  // namespace relay
