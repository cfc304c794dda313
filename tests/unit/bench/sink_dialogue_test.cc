#include "bench/load/sink_dialogue.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace bench {
namespace {

// A dialogue with its surroundings; pauses are noted and passed over.
struct Bed final : SinkCapture {
    explicit Bed(SinkOptions given = {}) : options(std::move(given)) {}

    std::string play(std::string_view input, std::size_t largest = 100'000, unsigned seed = 0) {
        compose_greetings(context);
        SinkDialogue dialogue(context, "192.0.2.1");
        dialogue.greet({});
        settle(dialogue);
        std::mt19937 random(seed);
        while (!input.empty() && !ended) {
            const std::string_view piece =
                input.substr(0, std::uniform_int_distribution<std::size_t>(1, largest)(random));
            input.remove_prefix(piece.size());
            for (std::size_t used = 0; used < piece.size() && !ended;) {
                used += dialogue.feed(piece.substr(used), {}, {});
                settle(dialogue);
            }
        }
        return std::exchange(sent, {});
    }
    void settle(SinkDialogue& dialogue) {
        sent += std::exchange(dialogue.out(), {});
        if (!dialogue.pause()) return;
        ended = dialogue.pause()->ending != Ending::none;
        if (ended) ending = dialogue.pause()->ending;
        dialogue.resume();
        sent += std::exchange(dialogue.out(), {});
    }
    void store(std::string_view id, std::string_view, const std::vector<std::string>&,
               std::string_view content) override {
        captured += std::string(id) + "|" + std::string(content) + "|";
    }

    SinkOptions options;
    SinkRules rules;
    SinkCounters counters;
    SinkLedger ledger;
    std::string captured;
    SinkContext context{options, rules, counters, ledger, this, {}, {}, {}};
    std::string sent;
    bool ended = false;
    Ending ending = Ending::none;
};

// The first three characters of each reply.
std::string codes(const std::string& replies) {
    std::istringstream lines(replies);
    std::string line;
    std::string found;
    while (std::getline(lines, line)) {
        if (line.size() > 3 && line[3] == '-') continue;
        found += line.substr(0, 3) + " ";
    }
    return found;
}

constexpr std::string_view kTwoMessages =
    "EHLO me\r\n"
    "MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
    "Received: x\r\nX-Load-Id: run-7\r\n\r\n..dot\r\ntext\r\n.\r\n"
    "MAIL FROM:<>\r\nRCPT TO:<e@f.example>\r\nRCPT TO:<g@f.example>\r\nBDAT 7\r\nab\r\n.\r\n"
    "BDAT 5 LAST\r\nend\r\n"
    "QUIT\r\n";

TEST(SinkDialogue, takes_messages_by_data_and_bdat) {
    Bed bed;
    EXPECT_EQ(codes(bed.play(kTwoMessages)), "220 250 250 250 354 250 250 250 250 250 250 221 ");
    EXPECT_EQ(bed.captured,
              "run-7|Received: x\r\nX-Load-Id: run-7\r\n\r\n.dot\r\ntext\r\n|"
              "e@f.example#2|ab\r\n.\r\nend\r\n|");
    EXPECT_EQ(bed.counters.messages.get(), 2U);
    EXPECT_EQ(bed.counters.recipients.get(), 3U);
    EXPECT_EQ(bed.counters.by_bdat.get(), 1U);
    EXPECT_EQ(bed.counters.violations.get(), 0U);
    EXPECT_EQ(bed.ending, Ending::close);
}

TEST(SinkDialogue, the_split_of_the_input_does_not_matter) {
    Bed whole;
    const std::string expected = whole.play(kTwoMessages);
    for (unsigned seed = 1; seed < 300; ++seed) {
        Bed split;
        EXPECT_EQ(split.play(kTwoMessages, 1 + seed % 20, seed), expected);
        EXPECT_EQ(split.captured, whole.captured);
    }
}

TEST(SinkDialogue, offers_starttls_once_and_forgets_what_came_before) {
    SinkOptions options;
    options.tls_certificate = "c.pem";
    SinkRules rules;
    SinkCounters counters;
    SinkLedger ledger;
    SinkContext context{options, rules, counters, ledger, nullptr, {}, {}, {}};
    compose_greetings(context);
    SinkDialogue dialogue(context, "127.0.0.1");
    const core::Instant now{std::chrono::seconds{1}};
    dialogue.greet(now);
    const auto say = [&](std::string_view text) {
        dialogue.out().clear();
        return dialogue.feed(text, now, {});
    };
    say("STARTTLS\r\n");
    EXPECT_EQ(codes(dialogue.out()), "503 ");  // not before EHLO
    say("EHLO me\r\n");
    EXPECT_TRUE(dialogue.out().contains("250 STARTTLS\r\n"));
    const std::string_view injected = "STARTTLS\r\nMAIL FROM:<a@b>\r\n";
    EXPECT_EQ(say(injected), 10U);  // what is after it is not looked at
    EXPECT_EQ(codes(dialogue.out()), "220 ");
    ASSERT_TRUE(dialogue.wants_tls());
    dialogue.secured();
    say("MAIL FROM:<a@b>\r\n");
    EXPECT_EQ(codes(dialogue.out()), "503 ");
    say("EHLO me\r\n");
    EXPECT_FALSE(dialogue.out().contains("STARTTLS"));
    EXPECT_EQ(counters.violations.get(), 2U);
}

TEST(SinkDialogue, answers_what_is_wrong_and_counts_it) {
    Bed bed;
    EXPECT_EQ(codes(bed.play("MAIL FROM:<a@b.example>\r\nEHLO me\r\nRCPT TO:<c@d.example>\r\n"
                             "DATA\r\nMAIL FROM:a@b.example\r\nMAIL FROM:<a@b.example> FOO\r\n"
                             "MAIL FROM:<a@b.example>\r\nDATA\r\nWHAT\r\nRSET\nNOOP\r\n")),
              "220 503 250 503 503 501 555 250 554 500 500 250 ");
    EXPECT_EQ(bed.counters.violations.get(), 7U);
}

TEST(SinkDialogue, refuses_big_messages_and_many_recipients) {
    SinkOptions options;
    options.max_size = 10;
    options.max_recipients = 1;
    Bed bed(options);
    EXPECT_EQ(codes(bed.play("EHLO me\r\nMAIL FROM:<> SIZE=11\r\nMAIL FROM:<>\r\n"
                             "RCPT TO:<a@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\n"
                             "far too long a text\r\n.\r\n")),
              "220 250 552 250 250 452 354 552 ");
    EXPECT_EQ(bed.counters.messages.get(), 0U);
    EXPECT_EQ(bed.counters.violations.get(), 0U);
}

TEST(SinkDialogue, reads_the_octets_of_a_refused_chunk) {
    Bed bed;
    ASSERT_TRUE(bed.rules.add("RCPT: 550 5.1.1 no"));
    EXPECT_EQ(codes(bed.play("EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n"
                             "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")),
              "220 250 250 550 554 250 ");
    EXPECT_EQ(bed.counters.violations.get(), 0U);
}

TEST(SinkDialogue, drops_after_the_dot_without_forgetting_the_message) {
    Bed bed;
    ASSERT_TRUE(bed.rules.add("DOT: drop"));
    EXPECT_EQ(codes(bed.play("EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n"
                             "NOOP\r\n")),
              "220 250 250 250 354 ");
    EXPECT_EQ(bed.ending, Ending::drop);
    EXPECT_EQ(bed.counters.messages.get(), 1U);
    EXPECT_EQ(bed.counters.unacknowledged.get(), 1U);
}

TEST(SinkDialogue, closes_after_so_many_messages) {
    SinkOptions options;
    options.close_after = 1;
    Bed bed(options);
    EXPECT_EQ(codes(bed.play("EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n"
                             "MAIL FROM:<>\r\n")),
              "220 250 250 250 354 250 ");
    EXPECT_EQ(bed.ending, Ending::close);
}

TEST(SinkDialogue, answers_like_haraka_to_the_group_of_the_dot) {
    SinkOptions options;
    options.after_dot_503 = true;
    Bed bed(options);
    EXPECT_EQ(
        codes(bed.play("EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\n"
                       "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")),
        "220 250 250 250 354 250 503 503 503 ");
    EXPECT_EQ(bed.counters.messages.get(), 1U);
    EXPECT_EQ(bed.counters.after_dot_503.get(), 3U);
}

TEST(SinkDialogue, without_pipelining_a_group_is_a_fault) {
    SinkOptions options;
    options.pipelining = false;
    Bed bed(options);
    EXPECT_EQ(codes(bed.play("EHLO me\r\nMAIL FROM:<>\r\n")), "220 250 503 ");
    EXPECT_EQ(bed.counters.violations.get(), 1U);
}

TEST(SinkDialogue, bounds_the_command_line) {
    Bed bed;
    const std::string line(100'000, 'x');
    EXPECT_EQ(codes(bed.play(line + "\r\nNOOP\r\n", 5000)), "220 500 250 ");
}

TEST(SinkDialogue, writes_the_ledger) {
    const auto path =
        std::filesystem::temp_directory_path() / ("sink_ledger_test." + std::to_string(::getpid()));
    {
        Bed bed;
        ASSERT_TRUE(bed.ledger.open(path.string()));
        bed.play(kTwoMessages);
    }
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    std::filesystem::remove(path);
    EXPECT_EQ(text.str(),
              "run-7\tc@d.example\t0.000000\tacknowledged\n"
              "e@f.example#2\te@f.example\t0.000000\tacknowledged\n"
              "e@f.example#2\tg@f.example\t0.000000\tacknowledged\n");
}

}  // namespace
}  // namespace bench
