#include "relay/intake/intake.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/runtime/event.h"
#include "relay/intake/intake_room.h"
#include "tests/unit/core/net/scripted_stream.h"
#include "tests/unit/intake/kept_acceptance.h"
#include "tests/unit/intake/scarce_memory.h"

namespace relay {
namespace {

using Answer = std::expected<MessageId, Refusal>;

class IntakeTest : public testing::Test {
  protected:
    void TearDown() override {
        if (intake_) intake_->close();
        events_.close();
    }
    Intake& intake() {
        if (!intake_) {
            intake_.emplace(loop_.reactor(), policy_, acceptance_, metrics_, events_,
                            metrics::Protocol::smtp);
        }
        return *intake_;
    }
    static Submitter client() {
        return {.address = *core::IpAddress::parse("192.0.2.7"),
                .name = "client.example",
                .protocol = "ESMTP",
                .session_id = "S1"};
    }
    // With sender, recipient and content.
    Submission complete(const std::string& content, bool eight_bit = false) {
        Submission submission = intake().begin(client());
        submission.set_sender("a@sender.example");
        submission.add_recipient("b@receiver.example");
        submission.begin_content(0, submission.recipient(0));
        submission.content().append(content);
        HeaderScan header;
        header.feed(content);
        submission.end_content(header, eight_bit);
        return submission;
    }
    Answer commit(Submission submission) {
        Answer committed = std::unexpected(Refusal::draining);
        loop_.run(await(&intake(), std::move(submission), &committed));
        return committed;
    }
    static core::Task<void> await(Intake* intake, Submission submission, Answer* committed) {
        core::Event never(intake->reactor());
        co_await never.wait(intake->reactor().now() + std::chrono::milliseconds{1});
        *committed = co_await intake->commit(std::move(submission));
    }
    const Message& committed() { return *acceptance_.messages.back(); }
    static AddressView address(std::string_view text) { return *parse_mailbox(text); }

    core::test::TestLoop loop_;
    relay_test::KeptAcceptance acceptance_{loop_.reactor()};
    metrics::ShardMetrics metrics_;
    MemoryEventSink sink_;
    EventWriter events_{sink_, loop_.reactor()};
    IntakePolicy policy_{.hostname = "mx.example", .allow = {}};
    std::optional<Intake> intake_;
};

TEST_F(IntakeTest, what_was_filled_in_is_what_is_committed) {
    policy_.bounces = BouncePolicy::both;
    policy_.verp = true;
    Submission submission = complete("Subject: x\r\n\r\nhello\r\n");
    submission.set_notify(0, Notify(Notify::kDelay), "rfc822;B@receiver.example");
    submission.wishes = {.dsn = {.content = ReturnContent::headers, .envelope_id = "E1"},
                         .by = ByTime{.seconds = 120, .returns = true, .traces = false},
                         .require_tls = true,
                         .max_age = {}};
    const Answer id = commit(std::move(submission));
    ASSERT_TRUE(id.has_value());
    const Message& message = committed();
    EXPECT_EQ(*id, message.id);
    EXPECT_EQ(message.sender, "a@sender.example");
    ASSERT_EQ(message.recipients.size(), 1U);
    EXPECT_EQ(message.recipients[0]->address, "b@receiver.example");
    EXPECT_EQ(message.recipients[0]->message, &message);
    EXPECT_TRUE(message.recipients[0]->notify.on_delay());
    EXPECT_EQ(message.recipients[0]->original(), "rfc822;B@receiver.example");
    EXPECT_EQ(message.bounces, BouncePolicy::both);
    EXPECT_TRUE(message.verp);
    EXPECT_EQ(message.tls, TlsRequest::required);
    EXPECT_EQ(message.dsn().envelope_id, "E1");
    EXPECT_EQ(message.deliver_by().deadline, message.created + std::chrono::seconds{120});
    EXPECT_EQ(message.expires(), core::WallTime{});
    EXPECT_EQ(message.injection().protocol, "ESMTP");
    EXPECT_EQ(message.injection().session_id, "S1");
    EXPECT_EQ(message.injection().client_name, "client.example");
    EXPECT_EQ(message.injection().client_address, "192.0.2.7");
    const std::string content = message.content.to_string();
    EXPECT_TRUE(
        content.starts_with("Received: from client.example ([192.0.2.7])\r\n"
                            "\tby mx.example with ESMTP id " +
                            message.id.to_string() + "\r\n\tfor <b@receiver.example>;\r\n\t"))
        << content;
    EXPECT_TRUE(content.ends_with(" +0000\r\nSubject: x\r\n\r\nhello\r\n"));
}

TEST_F(IntakeTest, a_client_without_a_name_is_received_from_its_address) {
    for (const auto& [address, literal] :
         {std::pair{"192.0.2.7", "[192.0.2.7]"}, std::pair{"::ffff:192.0.2.7", "[192.0.2.7]"},
          std::pair{"2001:db8::7", "[IPv6:2001:db8::7]"}}) {
        Submission submission = intake().begin({.address = *core::IpAddress::parse(address),
                                                .name = {},
                                                .protocol = "HTTP",
                                                .session_id = {}});
        submission.begin_content(100, {});
        const std::string received = submission.content().head(100);
        EXPECT_TRUE(received.starts_with("Received: from " + std::string(literal) + " "))
            << received;
        EXPECT_EQ(submission.octets(), 0U);
        submission.content().append("x: y\r\n");
        EXPECT_EQ(submission.octets(), 6U);
        intake().drop(std::move(submission));
    }
}

TEST_F(IntakeTest, mail_may_expire_sooner_and_never_later) {
    using std::chrono::hours;
    EXPECT_EQ(shorter_age({}, {}), core::Duration{});
    EXPECT_EQ(shorter_age(hours{4}, {}), hours{4});
    EXPECT_EQ(shorter_age({}, hours{6}), hours{6});
    EXPECT_EQ(shorter_age(hours{4}, hours{6}), hours{4});
    EXPECT_EQ(shorter_age(hours{8}, hours{6}), hours{6});
    policy_.max_age = hours{6};
    Submission submission = complete("Subject: x\r\n\r\n");
    submission.wishes.max_age = hours{4};
    ASSERT_TRUE(commit(std::move(submission)).has_value());
    EXPECT_EQ(committed().expires(), committed().created + hours{4});
}

TEST_F(IntakeTest, header_fields_say_whose_mail_it_is_and_are_taken_out) {
    policy_.labels = {"X-Tenant", "X-Campaign", "X-Urgency"};
    Submission submission = complete(
        "x-tenant: acme\r\nSubject: x\r\nX-Campaign:\r\n spring \r\nX-Urgency: Bulk\r\n"
        "X-Other: stays\r\n\r\n.X-Tenant: b\r\n");
    EXPECT_FALSE(submission.take_label_fields().has_value());
    ASSERT_TRUE(commit(std::move(submission)).has_value());
    EXPECT_EQ(committed().labels().tenant->name, "acme");
    EXPECT_EQ(committed().labels().campaign, "spring");
    EXPECT_EQ(committed().priority, Priority::bulk);
    EXPECT_TRUE(committed().content.to_string().ends_with(
        "\r\nSubject: x\r\nX-Other: stays\r\n\r\n.X-Tenant: b\r\n"));
}

TEST_F(IntakeTest, what_is_asked_for_goes_before_header_fields) {
    policy_.labels = {"X-Tenant", "X-Campaign", "X-Urgency"};
    Submission submission = complete("X-Tenant: acme\r\nX-Campaign: a\r\nX-Urgency: bulk\r\n\r\n");
    submission.wishes.tenant = "other";
    submission.wishes.priority = Priority::urgent;
    EXPECT_FALSE(submission.take_label_fields().has_value());
    ASSERT_TRUE(commit(std::move(submission)).has_value());
    EXPECT_EQ(committed().labels().tenant->name, "other");
    EXPECT_EQ(committed().labels().campaign, "a");
    EXPECT_EQ(committed().priority, Priority::urgent);
    EXPECT_FALSE(committed().content.to_string().contains("X-"));
}

TEST_F(IntakeTest, a_header_field_that_names_nobody_is_a_mistake) {
    policy_.labels = {"X-Tenant", "X-Campaign", "X-Urgency"};
    const auto wrong = [this](const std::string& field) {
        Submission submission = complete(field + "\r\n\r\n");
        auto sentence = submission.take_label_fields();
        intake().drop(std::move(submission));
        return sentence.value_or("");
    };
    EXPECT_EQ(wrong("X-Tenant: "), "X-Tenant must have 1 to 128 octets");
    EXPECT_EQ(wrong("X-Campaign: " + std::string(129, 'x')),
              "X-Campaign must have 1 to 128 octets");
    EXPECT_EQ(wrong("X-Campaign: a\r\n b"), "X-Campaign must be text without control characters");
    EXPECT_EQ(wrong("X-Tenant: \xff"), "X-Tenant must be text without control characters");
    EXPECT_EQ(wrong("X-Urgency: high"), "X-Urgency must be urgent, normal or bulk");
}

TEST_F(IntakeTest, a_tenants_table_says_what_holds_for_its_mail) {
    policy_.bounces = BouncePolicy::both;
    std::vector<TenantPolicy> tables(2);
    tables[0].name = "acme";
    tables[0].priority = Priority::bulk;
    tables[0].bounces = BouncePolicy::mail;
    tables[1].name = "default";
    tables[1].priority = Priority::urgent;
    acceptance_.policies = std::make_shared<const TenantPolicies>(std::move(tables));
    const auto of = [this](const std::string& tenant) {
        Submission submission = complete("Subject: x\r\n\r\n");
        submission.wishes.tenant = tenant;
        EXPECT_TRUE(commit(std::move(submission)).has_value());
        return std::pair{committed().priority, committed().bounces};
    };
    EXPECT_EQ(of("acme"), std::pair(Priority::bulk, BouncePolicy::mail));
    EXPECT_EQ(of("unknown"), std::pair(Priority::urgent, BouncePolicy::both));
    EXPECT_EQ(of(""), std::pair(Priority::urgent, BouncePolicy::both));
    EXPECT_EQ(of("default"), std::pair(Priority::urgent, BouncePolicy::both));
    EXPECT_EQ(committed().labels().tenant, &kNoTenant);
}

// RFC 8689 section 4.1: REQUIRETLS outweighs the field.
TEST_F(IntakeTest, the_header_may_waive_tls_and_the_envelope_may_demand_it) {
    const std::string waives = "TLS-Required: No\r\nSubject: x\r\n\r\n";
    ASSERT_TRUE(commit(complete(waives)).has_value());
    EXPECT_EQ(committed().tls, TlsRequest::waived);
    Submission submission = complete(waives);
    submission.wishes.require_tls = true;
    ASSERT_TRUE(commit(std::move(submission)).has_value());
    EXPECT_EQ(committed().tls, TlsRequest::required);
}

TEST_F(IntakeTest, recipients_are_taken_by_one_set_of_rules) {
    acceptance_.null_mx = "null.example";
    EXPECT_EQ(intake().fault_of(address("a@b.example")), std::nullopt);
    EXPECT_EQ(intake().fault_of(address("a@null.example")), RecipientFault::null_mx);
    EXPECT_EQ(intake().fault_of(address("a@[192.0.2.1]")), RecipientFault::address_literal);
    intake_.reset();
    policy_.address_literals = true;
    EXPECT_EQ(intake().fault_of(address("a@[192.0.2.1]")), std::nullopt);
}

const std::string kEightBit =
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9f"
    "e\r\n";

TEST_F(IntakeTest, content_is_made_7_bit_where_the_policy_says_so) {
    ASSERT_TRUE(commit(complete(kEightBit, true)).has_value());
    EXPECT_FALSE(committed().eight_bit);
    EXPECT_TRUE(committed().content.to_string().contains("Gr=C3=BC=C3=9Fe"));
    intake_.reset();
    policy_.convert_eight_bit = false;
    ASSERT_TRUE(commit(complete(kEightBit, true)).has_value());
    EXPECT_TRUE(committed().eight_bit);
    EXPECT_TRUE(committed().content.to_string().ends_with(kEightBit));
}

TEST_F(IntakeTest, a_conversion_needs_room) {
    Submission submission = complete(kEightBit, true);
    acceptance_.room = submission.content().size();
    EXPECT_EQ(commit(std::move(submission)), Answer(std::unexpected(Refusal::memory_full)));
    EXPECT_TRUE(acceptance_.messages.empty());
}

TEST_F(IntakeTest, what_the_queue_refuses_is_refused) {
    acceptance_.commit_refusal = Refusal::spool_failed;
    EXPECT_EQ(commit(complete("Subject: x\r\n\r\n")),
              Answer(std::unexpected(Refusal::spool_failed)));
    EXPECT_EQ(commit(complete(kEightBit, true)), Answer(std::unexpected(Refusal::spool_failed)));
}

// Decision 50.
class VeryMany : public IntakeTest {
  protected:
    static constexpr std::size_t kMost = Message::kMostRecipients;

    Submission submission_for(std::size_t recipients) {
        Submission submission = complete("Subject: x\r\n\r\nhello\r\n");
        submission.expect_recipients(recipients);
        for (std::size_t i = 1; i < recipients; ++i)
            submission.add_recipient("r" + std::to_string(i) + "@receiver.example");
        return submission;
    }
    Committed commit_many(std::size_t recipients) {
        Committed done;
        loop_.run(await_many(&intake(), submission_for(recipients), &done));
        return done;
    }
    static core::Task<void> await_many(Intake* intake, Submission submission, Committed* done) {
        core::Event never(intake->reactor());
        co_await never.wait(intake->reactor().now() + std::chrono::milliseconds{1});
        *done = co_await intake->commit_many(std::move(submission));
    }
};

TEST_F(VeryMany, they_are_committed_in_messages_of_at_most_so_many) {
    policy_.max_age = std::chrono::hours{4};
    const Committed done = commit_many(2 * kMost + 5000);
    EXPECT_FALSE(done.refusal.has_value());
    ASSERT_EQ(done.ids.size(), 3U);
    ASSERT_EQ(acceptance_.messages.size(), 3U);
    std::size_t next = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const Message& part = *acceptance_.messages[i];
        EXPECT_EQ(part.id, done.ids[i]);
        EXPECT_EQ(part.recipients.size(), i < 2 ? kMost : 5000U);
        for (const auto& each : part.recipients) {
            ASSERT_EQ(each->message, &part);
            const std::string name = next == 0 ? "b" : "r" + std::to_string(next);
            ASSERT_EQ(each->address, name + "@receiver.example");
            ++next;
        }
        EXPECT_EQ(part.content.to_string(), acceptance_.messages[0]->content.to_string());
        EXPECT_EQ(part.injection().session_id, "S1");
        EXPECT_EQ(part.expires(), part.created + std::chrono::hours{4});
    }
}

TEST_F(VeryMany, as_many_as_one_message_has_are_one) {
    EXPECT_EQ(commit_many(kMost).ids.size(), 1U);
    EXPECT_EQ(commit_many(kMost + 1).ids.size(), 2U);
    EXPECT_EQ(commit_many(2 * kMost).ids.size(), 2U);
}

TEST_F(VeryMany, what_was_committed_before_a_refusal_stays_and_the_rest_is_named) {
    acceptance_.commit_refusal = Refusal::spool_full;
    acceptance_.takes_first = 1;
    const Committed done = commit_many(2 * kMost + 1);
    EXPECT_EQ(done.ids.size(), 1U);
    EXPECT_EQ(done.refusal, Refusal::spool_full);
    EXPECT_EQ(done.refused, kMost + 1);
    ASSERT_EQ(done.refused_names.size(), kMost + 1);
    EXPECT_EQ(done.refused_names.front(), "r" + std::to_string(kMost) + "@receiver.example");
    EXPECT_EQ(done.refused_names.back(), "r" + std::to_string(2 * kMost) + "@receiver.example");
}

TEST_F(VeryMany, when_the_first_is_refused_nothing_is_taken) {
    acceptance_.commit_refusal = Refusal::draining;
    const Committed done = commit_many(2 * kMost + 1);
    EXPECT_TRUE(done.ids.empty());
    EXPECT_EQ(done.refusal, Refusal::draining);
    EXPECT_EQ(done.refused, 2 * kMost + 1);
    EXPECT_TRUE(done.refused_names.empty());
}

TEST_F(IntakeTest, room_is_asked_for_in_steps_and_leaves_some_for_others) {
    constexpr std::size_t kStep = IntakeRoom::kStep;
    const core::IpAddress one = *core::IpAddress::parse("192.0.2.1");
    acceptance_.room = 6 * kStep;
    {
        IntakeRoom room(intake(), one);
        room.begin(0);
        EXPECT_FALSE(room.hold(kStep).has_value());
        acceptance_.room = 0;
        EXPECT_FALSE(room.hold(kStep).has_value());  // agreed already
        EXPECT_EQ(room.hold(kStep + 1), Refusal::memory_full);
        acceptance_.room = 6 * kStep;
        // A client that is alone may have two thirds.
        EXPECT_FALSE(room.hold(4 * kStep).has_value());
        EXPECT_EQ(room.hold(5 * kStep + 1), Refusal::memory_full);
        EXPECT_EQ(intake().shares().total(), room.octets());
        room.set(0);
        EXPECT_FALSE(room.check().has_value());
    }
    EXPECT_EQ(intake().shares().total(), 0U);
    IntakeRoom announced(intake(), one);
    announced.begin(3 * kStep);
    acceptance_.room = 0;
    EXPECT_FALSE(announced.hold(3 * kStep).has_value());
}

TEST_F(IntakeTest, what_is_incomplete_has_a_limit_of_its_own) {
    policy_.max_incomplete = 3 * IntakeRoom::kStep;
    const core::IpAddress one = *core::IpAddress::parse("192.0.2.1");
    IntakeRoom room(intake(), one);
    EXPECT_FALSE(room.hold(2 * IntakeRoom::kStep).has_value());
    EXPECT_EQ(room.hold(4 * IntakeRoom::kStep), Refusal::memory_full);
    EXPECT_FALSE(intake().room_for(4 * IntakeRoom::kStep).has_value());  // Acceptance has room
}

TEST_F(IntakeTest, a_refusal_is_counted_and_recorded) {
    intake().refuse(metrics::Rejection::address);
    EXPECT_EQ(metrics_.rejected_count(metrics::Protocol::smtp, metrics::Rejection::address).value(),
              1U);
    intake().record(client(), {.sender = "a@sender.example",
                               .recipient = "b@null.example",
                               .size = 17,
                               .reply = {556, {5, 1, 10}, "no mail"},
                               .command = "RCPT"});
    events_.flush();
    const std::string& line = sink_.lines();
    EXPECT_TRUE(line.contains(R"("type":"Rejection")")) << line;
    EXPECT_TRUE(line.contains(R"("recipient":"b@null.example")")) << line;
    EXPECT_TRUE(line.contains(R"("size":17)")) << line;
    EXPECT_TRUE(line.contains(R"({"code":556,"enhanced_code":{"class":5,"subject":1,"detail":10})"))
        << line;
    EXPECT_TRUE(line.contains(R"({"name":"client.example","addr":"192.0.2.7"})")) << line;
    EXPECT_TRUE(line.contains(R"("reception_protocol":"ESMTP","session_id":"S1")")) << line;
}

}  // namespace
}  // namespace relay
