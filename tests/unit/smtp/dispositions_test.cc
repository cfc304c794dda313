// Plays every line of the first table of docs/dispositions.md against the dialogue.
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/ascii.h"
#include "relay/smtp/client_dialogue.h"
#include "tests/unit/smtp/conversation.h"

namespace relay {
namespace {

struct Line {
    std::string where;
    std::string reply;  // without backquotes; "lost": the connection
    std::string outcome;
    std::string scope;
};

std::vector<Line> table() {
    std::vector<Line> lines;
    std::ifstream in(POSTHASTE_DOCS "/dispositions.md");
    bool inside = false;
    for (std::string text; std::getline(in, text);) {
        if (text.starts_with("## ")) inside = text == "## In a transaction";
        if (!inside || !text.starts_with("| ") || text.starts_with("| where")) continue;
        std::vector<std::string> cells;
        std::size_t at = 1;
        while (at < text.size()) {
            const std::size_t bar = text.find('|', at);
            cells.emplace_back(core::trim(std::string_view(text).substr(at, bar - at)));
            at = bar + 1;
        }
        std::erase(cells[1], '`');
        lines.push_back({cells[0], cells[1], cells[2], cells[3]});
    }
    return lines;
}

// The line's reply where it belongs, everything before it as usual.
Disposition played(const Line& line, PipelineMode mode) {
    Conversation c(mode);
    c.greet();
    const bool only = line.where == "only RCPT";
    const std::vector<std::string> two{"a@to.example", "b@to.example"};
    Letter letter(only ? std::vector<std::string>{two[1]} : two);
    c.dialogue.begin(letter.transaction);
    struct Step {
        std::string where;
        std::string usual;
    };
    std::vector<Step> steps{{"MAIL", "250 ok"}};
    if (!only) steps.push_back({"first", "250 ok"});
    steps.push_back({only ? "only RCPT" : "RCPT", "250 ok"});
    steps.push_back({"DATA", "354 go"});
    steps.push_back({"content", "250 taken"});
    for (const Step& step : steps) {
        c.written();
        if (!c.finished.empty()) break;
        if (step.where == line.where && line.reply == "lost") {
            c.lose();
            break;
        }
        c.hears((step.where == line.where ? line.reply : step.usual) + "\r\n");
    }
    EXPECT_EQ(c.finished.size(), 1U) << line.where << " " << line.reply;
    return letter.result(letter.transaction.results.size() - 1);
}

TEST(Dispositions, are_those_of_the_table) {
    const auto lines = table();
    ASSERT_GE(lines.size(), 35U);
    for (const PipelineMode mode :
         {PipelineMode::lock_step, PipelineMode::message, PipelineMode::next}) {
        for (const Line& line : lines) {
            const Disposition result = played(line, mode);
            std::string outcome =
                result.outcome == Outcome::none ? "again" : std::string(to_string(result.outcome));
            if (result.ambiguous_end) outcome += ", ambiguous";
            const std::string_view scopes[] = {"session", "site", "message", "recipient"};
            const auto said =
                std::to_string(static_cast<int>(mode)) + ": " + line.where + " " + line.reply;
            EXPECT_EQ(outcome, line.outcome) << said;
            EXPECT_EQ(scopes[static_cast<std::size_t>(result.scope)], line.scope) << said;
        }
    }
}

}  // namespace
}  // namespace relay
