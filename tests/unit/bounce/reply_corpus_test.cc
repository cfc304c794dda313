// Replies of real providers and servers, in our words (tests/unit/bounce/data/replies.jsonl), with
// the command that they answer, through the parser of replies and the built-in rules.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "relay/bounce/classifier.h"
#include "relay/smtp/reply_parser.h"

namespace relay {
namespace {

struct Case {
    std::string text;
    std::string command;
    std::vector<std::string> classes;  // any of these is sensible
    std::string kind;                  // empty: any
    bool suppress = false;
    Disposition disposition;
};

// What a Disposition calls it.
std::string command_of(std::string_view named) {
    if (named == "greeting") return "connect";
    return named == "content" ? "." : std::string(named);
}

Disposition disposition_of(std::string_view command, std::string_view reply) {
    ReplyParser parser;
    std::string octets;
    for (const char c : reply)
        octets.append(c == '\n' ? "\r\n" : std::string(1, c));
    octets += "\r\n";
    std::string_view input = octets;
    EXPECT_EQ(parser.feed(input), ReplyParser::Status::complete) << reply;
    Disposition result;
    result.quote(parser.reply());
    result.command = command_of(command);
    // A host that does not let us in is tried again.
    const bool opening =
        command != "MAIL" && command != "RCPT" && command != "DATA" && command != "content";
    const bool final = parser.reply().permanent() && !opening;
    result.outcome = final ? Outcome::bounced : Outcome::deferred;
    return result;
}

std::vector<Case> corpus() {
    const auto file = std::filesystem::path(POSTHASTE_BOUNCE_TEST_DATA) / "replies.jsonl";
    simdjson::dom::parser parser;
    simdjson::dom::document_stream lines;
    EXPECT_FALSE(parser.load_many(file.string()).get(lines));
    std::vector<Case> cases;
    for (simdjson::dom::element line : lines) {
        Case one;
        one.text = std::string_view(line["reply"]);
        one.command = std::string_view(line["command"]);
        for (simdjson::dom::element each : line["classes"])
            one.classes.emplace_back(std::string_view(each));
        std::string_view kind;
        if (!line["kind"].get(kind)) one.kind = kind;
        one.suppress = bool(line["suppress"]);
        one.disposition = disposition_of(one.command, one.text);
        one.disposition.recipients = static_cast<std::uint32_t>(std::uint64_t(line["recipients"]));
        one.disposition.peer_name = std::string_view(line["host"]);
        cases.push_back(std::move(one));
    }
    return cases;
}

// C2, C3, C12: at least 95 % have a sensible class, and nobody is suppressed wrongly.
TEST(ReplyCorpus, replies_of_many_providers_have_sensible_verdicts_and_none_suppresses_wrongly) {
    BounceClassifier classifier(BounceRules::built_in());
    const auto cases = corpus();
    ASSERT_GE(cases.size(), 300U);
    std::set<std::string> hosts;
    std::size_t sensible = 0;
    for (const Case& one : cases) {
        const auto verdict = classifier.classify(one.disposition);
        const bool known = std::ranges::find(one.classes, verdict.name) != one.classes.end();
        const bool kind = one.kind.empty() || one.kind == to_string(verdict.kind);
        const bool suppress = one.suppress == verdict.suppress;
        hosts.insert(one.disposition.peer_name);
        EXPECT_FALSE(verdict.suppress && !one.suppress)
            << one.command << " " << one.text << ": " << verdict.name;
        if (known && kind && suppress) {
            ++sensible;
        } else {
            std::printf("%s %s: %.*s\n", one.command.c_str(), one.text.c_str(),
                        static_cast<int>(verdict.name.size()), verdict.name.data());
        }
    }
    EXPECT_GE(sensible * 100, cases.size() * 95) << sensible << " of " << cases.size();
    EXPECT_GE(hosts.size(), 20U);
}

// C3: the same words, whatever they are, where they cannot be about an address.
TEST(ReplyCorpus, no_words_suppress_before_rcpt_or_for_several_recipients_or_in_a_deferral) {
    BounceClassifier classifier(BounceRules::built_in());
    const auto expect_nobody = [&](const Disposition& asked, const std::string& text) {
        const auto verdict = classifier.classify(asked);
        EXPECT_FALSE(verdict.suppress) << asked.command << " " << text;
        EXPECT_NE(verdict.kind, BounceKind::hard) << asked.command << " " << text;
        EXPECT_FALSE(verdict.name.empty());
    };
    for (const Case& one : corpus()) {
        for (const char* command :
             {"connect", "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "idle"}) {
            Disposition asked = one.disposition;
            asked.outcome = Outcome::bounced;
            asked.command = command;
            expect_nobody(asked, one.text);
        }
        Disposition several = one.disposition;
        several.command = ".";
        several.recipients = 2;
        expect_nobody(several, one.text);
        for (const Outcome outcome : {Outcome::deferred, Outcome::expired}) {
            Disposition later = one.disposition;
            later.command = "RCPT";
            later.outcome = outcome;
            expect_nobody(later, one.text);
        }
    }
}

}  // namespace
}  // namespace relay
