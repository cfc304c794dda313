// Records as octets: what goes in comes out, and nothing else does.
#include "relay/spool/record.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "relay/spool/noted_outcomes.h"

namespace relay {
namespace {

using core::WallTime;
using std::chrono::milliseconds;

const Tenant kAcme{TenantId{1}, "acme"};
const WallTime kCreated{std::chrono::seconds{1'767'225'600} + milliseconds{123}};

std::unique_ptr<Message> message(std::size_t recipients) {
    auto made = std::make_unique<Message>();
    made->id = {0x0123456789abcdef, 0xfedcba9876543210};
    made->created = kCreated;
    made->sender = "news@sender.example";
    made->content.append("Subject: x\r\n\r\n");
    made->content.mark_leading_dot();
    made->content.append(".\r\n");
    made->content.seal();
    for (std::size_t i = 0; i < recipients; ++i) {
        made->recipients.push_back(
            std::make_unique<Recipient>(*made, "r" + std::to_string(i) + "@example.org"));
    }
    return made;
}

std::string encoded(Message& made, bool moved = false) {
    std::string octets;
    encode_message(made, moved, octets);
    return octets;
}

TEST(SpoolRecord, what_was_asked_about_tls_comes_back) {
    for (const TlsRequest asked : {TlsRequest::unsaid, TlsRequest::waived, TlsRequest::required}) {
        const auto made = message(1);
        made->tls = asked;
        const auto record = decode_message(encoded(*made));
        ASSERT_TRUE(record.has_value()) << record.error();
        EXPECT_EQ(record->tls, asked);
    }
}

TEST(SpoolRecord, a_time_to_be_delivered_by_comes_back) {
    for (const bool returns : {true, false}) {
        const auto made = message(1);
        const DeliverBy by{kCreated + std::chrono::seconds{90}, returns, !returns};
        made->set_deliver_by(by);
        const auto record = decode_message(encoded(*made));
        ASSERT_TRUE(record.has_value()) << record.error();
        EXPECT_EQ(record->by, by);
    }
    EXPECT_FALSE(decode_message(encoded(*message(1)))->by.asked());
}

TEST(SpoolRecord, the_end_of_its_time_comes_back) {
    const auto made = message(1);
    made->set_expires(kCreated + std::chrono::hours{7});
    const std::string octets = encoded(*made);
    const auto record = decode_message(octets);
    ASSERT_TRUE(record.has_value()) << record.error();
    EXPECT_EQ(record->expires, kCreated + std::chrono::hours{7});
    EXPECT_EQ(decode_message(encoded(*message(1)))->expires, core::WallTime{});
    const std::string plain = encoded(*message(1));
    for (const auto& field : {std::string("\x07\x07\x00\x01\x01\x01\x01\x01\x01\x01", 10),
                              std::string("\x07\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00", 11),
                              std::string("\x07\x00\x00", 3)}) {
        EXPECT_FALSE(decode_message(plain + field).has_value());
    }
}

TEST(SpoolRecord, the_priority_comes_back) {
    for (const Priority priority : {Priority::urgent, Priority::normal, Priority::bulk}) {
        const auto made = message(1);
        made->priority = priority;
        const std::string octets = encoded(*made);
        const auto record = decode_message(octets);
        ASSERT_TRUE(record.has_value()) << record.error();
        EXPECT_EQ(record->priority, priority);
    }
    const std::string unknown = encoded(*message(1)) + std::string("\x08\x03\x00low", 6);
    EXPECT_FALSE(decode_message(unknown).has_value());
}

TEST(SpoolRecord, a_message_comes_back_as_it_was) {
    const auto made = message(3);
    made->eight_bit = true;
    made->tls = TlsRequest::required;
    made->edit_labels() = {&kAcme, "spring sale"};
    const LastReply reply{{451, {4, 7, 1}, "try again\nlater"}, "RCPT"};
    made->recipients[1]->attempts = 7;
    made->recipients[1]->next_attempt = kCreated + std::chrono::hours{1};
    made->recipients[1]->last_reply = &reply;
    const std::string octets = encoded(*made, true);

    const auto record = decode_message(octets);
    ASSERT_TRUE(record.has_value()) << record.error();
    EXPECT_EQ(record->id, made->id);
    EXPECT_EQ(record->created, kCreated);
    EXPECT_TRUE(record->eight_bit);
    EXPECT_EQ(record->tls, TlsRequest::required);
    EXPECT_FALSE(record->utf8);
    EXPECT_TRUE(record->moved);
    EXPECT_EQ(record->leading_dots, 1U);
    EXPECT_EQ(record->sender, "news@sender.example");
    EXPECT_EQ(record->tenant, "acme");
    EXPECT_EQ(record->campaign, "spring sale");
    ASSERT_EQ(record->recipients.size(), 3U);
    EXPECT_EQ(record->recipients[0].address, "r0@example.org");
    EXPECT_EQ(record->recipients[0].attempts, 0);
    EXPECT_EQ(record->recipients[0].next_attempt, WallTime{});
    EXPECT_FALSE(record->recipients[0].has_reply);
    const RecipientRecord& deferred = record->recipients[1];
    EXPECT_EQ(deferred.attempts, 7);
    EXPECT_EQ(deferred.next_attempt, kCreated + std::chrono::hours{1});
    ASSERT_TRUE(deferred.has_reply);
    EXPECT_EQ(deferred.reply.code, 451);
    EXPECT_EQ(deferred.reply.enhanced, (EnhancedCode{4, 7, 1}));
    EXPECT_EQ(deferred.reply.text, "try again\nlater");
    EXPECT_EQ(deferred.command, "RCPT");
    made->recipients[1]->last_reply = nullptr;
}

TEST(SpoolRecord, the_null_sender_and_no_labels_come_back) {
    const auto made = message(1);
    made->sender.clear();
    made->utf8 = true;
    const std::string octets = encoded(*made);
    const auto record = decode_message(octets);
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->sender, "");
    EXPECT_EQ(record->tenant, "");
    EXPECT_EQ(record->campaign, "");
    EXPECT_TRUE(record->utf8);
    EXPECT_FALSE(record->eight_bit);
    EXPECT_FALSE(record->moved);
}

TEST(SpoolRecord, recipients_that_are_settled_stay_out_and_the_others_keep_their_numbers) {
    const auto made = message(5);
    for (std::uint32_t i = 0; i < 5; ++i)
        made->recipients[i]->index = i;
    made->recipients[0]->settled = true;
    made->recipients[3]->settled = true;
    const std::string octets = encoded(*made, true);
    const auto record = decode_message(octets);
    ASSERT_TRUE(record.has_value());
    ASSERT_EQ(record->recipients.size(), 3U);
    EXPECT_EQ(record->recipients[0].address, "r1@example.org");
    EXPECT_EQ(record->recipients[1].address, "r2@example.org");
    EXPECT_EQ(record->recipients[2].address, "r4@example.org");
    EXPECT_EQ(record->recipients[0].index, 1U);
    EXPECT_EQ(record->recipients[1].index, 2U);
    EXPECT_EQ(record->recipients[2].index, 4U);
}

TEST(SpoolRecord, no_truncation_of_a_message_passes_for_another_one) {
    const auto made = message(4);
    made->edit_labels() = {&kAcme, "spring"};
    const LastReply reply{{421, {4, 3, 0}, "busy"}, "connect"};
    made->recipients[2]->last_reply = &reply;
    const std::string octets = encoded(*made);
    std::size_t whole = 0;
    for (std::size_t length = 0; length < octets.size(); ++length) {
        const auto record = decode_message(std::string_view(octets).substr(0, length));
        if (!record) continue;
        // The optional fields stand at the end: without one, or both, it is a message.
        ++whole;
        EXPECT_EQ(record->recipients.size(), 4U);
        EXPECT_EQ(record->campaign, "");
    }
    EXPECT_EQ(whole, 2U);
    made->recipients[2]->last_reply = nullptr;
}

TEST(SpoolRecord, every_octet_changed_is_an_error_or_a_record_of_its_own_octets) {
    const auto made = message(2);
    made->edit_labels() = {&kAcme, "spring"};
    const std::string octets = encoded(*made);
    for (std::size_t at = 0; at < octets.size(); ++at) {
        for (int value = 0; value < 256; ++value) {
            // Exactly sized, so that the sanitizers see a read after the end.
            const auto copy = std::make_unique<char[]>(octets.size());
            octets.copy(copy.get(), octets.size());
            copy[at] = static_cast<char>(value);
            const auto record = decode_message({copy.get(), octets.size()});
            if (!record) continue;
            for (const RecipientRecord& one : record->recipients) {
                EXPECT_GE(one.address.data(), copy.get());
                EXPECT_LE(one.address.data() + one.address.size(), copy.get() + octets.size());
            }
        }
    }
}

TEST(SpoolRecord, a_message_that_counts_more_than_it_has_is_refused_without_the_memory) {
    const auto made = message(1);
    std::string octets = encoded(*made);
    const std::size_t count_at = 8 + 8 + 8 + 1 + 4 + 2 + made->sender.size();
    ASSERT_EQ(octets[count_at], 1);
    octets.replace(count_at, 4, "\xff\xff\xff\xff");
    EXPECT_FALSE(decode_message(octets).has_value());
}

TEST(SpoolRecord, unknown_flags_and_fields_are_refused) {
    const auto made = message(1);
    std::string octets = encoded(*made);
    EXPECT_TRUE(decode_message(octets).has_value());
    EXPECT_FALSE(decode_message(octets + std::string("\x09\x01\x00x", 4)).has_value());
    octets[8 + 8 + 8] = '\x80';
    EXPECT_FALSE(decode_message(octets).has_value());
}

OutcomeRecord outcome(Outcome what) {
    OutcomeRecord record;
    record.id = {1, 2};
    record.index = 77;
    record.outcome = what;
    record.attempts = 3;
    record.next_attempt = kCreated;
    record.reply.code = 450;
    record.reply.enhanced = {4, 2, 1};
    record.reply.text = "greylisted";
    record.command = "RCPT";
    return record;
}

TEST(SpoolRecord, outcomes_come_back_and_deferrals_with_their_reply) {
    for (const Outcome what : {Outcome::none, Outcome::delivered, Outcome::deferred,
                               Outcome::bounced, Outcome::expired}) {
        std::string octets;
        encode_outcome(outcome(what), octets);
        const auto record = decode_outcome(octets);
        ASSERT_TRUE(record.has_value()) << record.error();
        EXPECT_EQ(record->id, (MessageId{1, 2}));
        EXPECT_EQ(record->index, 77U);
        EXPECT_EQ(record->outcome, what);
        EXPECT_EQ(record->attempts, 3);
        const bool deferred = what == Outcome::deferred;
        EXPECT_EQ(record->next_attempt, deferred ? kCreated : WallTime{});
        EXPECT_EQ(record->reply.code, deferred ? 450 : 0);
        EXPECT_EQ(record->reply.text, deferred ? "greylisted" : "");
        EXPECT_EQ(record->command, deferred ? "RCPT" : "");
        for (std::size_t length = 0; length < octets.size(); ++length)
            EXPECT_FALSE(decode_outcome(std::string_view(octets).substr(0, length)).has_value());
        EXPECT_FALSE(decode_outcome(octets + "x").has_value());
    }
}

TEST(SpoolRecord, an_unknown_outcome_is_refused) {
    std::string octets;
    encode_outcome(outcome(Outcome::bounced), octets);
    octets[8 + 8 + 4] = 5;
    EXPECT_FALSE(decode_outcome(octets).has_value());
}

TEST(SpoolRecord, a_reply_is_kept_up_to_a_length) {
    OutcomeRecord record = outcome(Outcome::deferred);
    const std::string text(100'000, 'x');
    record.reply.text = text;
    record.command = text;
    std::string octets;
    encode_outcome(record, octets);
    EXPECT_LT(octets.size(), 1200U);
    const auto back = decode_outcome(octets);
    ASSERT_TRUE(back.has_value());
    EXPECT_TRUE(text.starts_with(back->reply.text) && back->reply.text.size() >= 512);
}

TEST(SpoolRecord, random_octets_never_crash_the_decoders) {
    core::Prng prng(4);
    for (int round = 0; round < 200'000; ++round) {
        const std::size_t length = prng.below(120);
        const auto octets = std::make_unique<char[]>(length);
        for (std::size_t i = 0; i < length; ++i)
            octets[i] = static_cast<char>(prng.below(4) == 0 ? prng.below(256) : prng.below(3));
        const auto message = decode_message({octets.get(), length});
        const auto outcome = decode_outcome({octets.get(), length});
        EXPECT_TRUE(message || !message.error().empty());
        EXPECT_TRUE(outcome || !outcome.error().empty());
    }
}

// However they are added and taken, they come in order, and nothing is kept of those that are gone.
TEST(NotedOutcomes, come_out_as_they_went_in) {
    constexpr std::uint32_t kMany = 10'000;
    NotedOutcomes noted;
    core::Prng prng(7);
    std::uint32_t added = 0;
    std::uint32_t taken = 0;
    std::size_t most = 0;
    while (taken < kMany) {
        for (std::uint64_t n = prng.below(40); n > 0 && added < kMany; --n) {
            OutcomeRecord record = outcome(Outcome::deferred);
            record.index = added++;
            noted.add(record);
        }
        most = std::max(most, noted.octets());
        for (std::uint64_t n = prng.below(40); n > 0 && !noted.empty(); --n) {
            const auto record = decode_outcome(noted.front());
            ASSERT_TRUE(record.has_value()) << record.error();
            EXPECT_EQ(record->index, taken++);
            noted.pop();
        }
        EXPECT_EQ(noted.count(), added - taken);
    }
    EXPECT_EQ(noted.octets(), 0U);
    EXPECT_GT(most, 0U);
    noted.add(outcome(Outcome::delivered));
    noted.clear();
    EXPECT_TRUE(noted.empty());
    EXPECT_EQ(noted.octets(), 0U);
}

// A message for a million recipients is encoded in steps; the octets are the same.
TEST(SpoolRecord, is_encoded_in_steps) {
    const auto made = message(1000);
    made->recipients[17]->settled = true;
    made->recipients[999]->settled = true;
    const std::string whole = encoded(*made);
    std::string octets;
    MessageEncoder encoder(*made, false, octets);
    std::size_t steps = 1;
    std::size_t longest = 0;
    for (bool more = true; more; ++steps) {
        const std::size_t before = octets.size();
        more = encoder.advance(10);
        longest = std::max(longest, octets.size() - before);
    }
    EXPECT_EQ(octets, whole);
    EXPECT_EQ(steps, 101U);
    EXPECT_LE(longest, 10U * 64U);
    EXPECT_EQ(decode_message(octets)->recipients.size(), 998U);
}

}  // namespace
}  // namespace relay
