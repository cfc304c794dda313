#include "relay/events/event_text.h"

#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

namespace relay {
namespace {

using namespace std::chrono_literals;

constexpr core::WallTime kCreated{core::Duration{1'795'383'000'000'000'000}};
constexpr core::WallTime kNow{core::Duration{1'795'383'001'500'000'000}};

std::unique_ptr<Message> message_to(const std::vector<std::string>& recipients) {
    auto owned = std::make_unique<Message>();
    Message& message = *owned;
    message.id = *MessageId::parse("01KD0000000000000000000001");
    message.sender = "news@sender.example";
    message.content.append("Subject: x\r\n\r\nbody\r\n");
    message.content.seal();
    message.created = kCreated;
    message.edit_injection().protocol = "ESMTP";
    message.edit_injection().session_id = "S1";
    for (const std::string& each : recipients) {
        message.recipients.push_back(std::make_unique<Recipient>(message, each));
    }
    return owned;
}

void append_outcome(std::string& lines, const Recipient& recipient, std::string_view site,
                    const BounceVerdict& bounce, core::WallTime now) {
    append_event(lines, outcome_event(recipient, site, bounce, now));
}

void append_rejection(std::string& lines, const EventRejection& rejection, core::WallTime now) {
    append_event(lines, rejection_event(rejection, now));
}

// Answers how many events it takes.
std::size_t append_reception(std::string& lines, const Message& message, const EventPeer& client,
                             const EventResponse& response, core::WallTime now) {
    std::size_t events = 0;
    for (std::size_t next = 0; next < message.recipients.size(); ++events) {
        const Event event = reception_event(message, next, client, response, now);
        append_event(lines, event);
        next += event.recipients.size();
    }
    return events;
}

// The only line of an outcome of the first recipient.
std::string outcome_line(Message& message, const Disposition& disposition,
                         const BounceVerdict& bounce = {}) {
    message.recipients[0]->set_disposition(disposition);
    message.recipients[0]->attempts = 2;
    std::string lines;
    append_outcome(lines, *message.recipients[0], "mx.receiver.example", bounce, kNow);
    return lines;
}

simdjson::dom::element parsed(simdjson::dom::parser& parser, const std::string& line) {
    EXPECT_TRUE(line.ends_with("}\n")) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    simdjson::dom::element element;
    EXPECT_EQ(parser.parse(line).get(element), simdjson::SUCCESS) << line;
    return element;
}

std::string text(simdjson::dom::element element, const char* pointer) {
    std::string_view value;
    EXPECT_EQ(element.at_pointer(pointer).get_string().get(value), simdjson::SUCCESS) << pointer;
    return std::string(value);
}

std::int64_t number(simdjson::dom::element element, const char* pointer) {
    std::int64_t value = -1;
    EXPECT_EQ(element.at_pointer(pointer).get_int64().get(value), simdjson::SUCCESS) << pointer;
    return value;
}

bool is_null(simdjson::dom::element element, const char* pointer) {
    simdjson::dom::element value;
    EXPECT_EQ(element.at_pointer(pointer).get(value), simdjson::SUCCESS) << pointer;
    return value.is_null();
}

std::set<std::string> keys(simdjson::dom::element element) {
    std::set<std::string> names;
    for (const auto field : simdjson::dom::object(element)) {
        EXPECT_TRUE(names.emplace(field.key).second) << field.key << " twice";
    }
    return names;
}

TEST(Event, a_delivery_has_every_field) {
    const auto message_owner = message_to({"someone@Receiver.example"});
    Message& message = *message_owner;
    Disposition done;
    done.outcome = Outcome::delivered;
    done.reply.code = 250;
    done.reply.enhanced = {2, 6, 0};
    done.reply.text = "queued as \"4711\"";
    done.command = ".";
    done.peer_name = "mx1.receiver.example";
    done.peer_address = "192.0.2.25:25";
    done.source_address = "198.51.100.1:40000";
    done.session_id = "D9";
    const std::string line = outcome_line(message, done);
    simdjson::dom::parser parser;
    const auto event = parsed(parser, line);
    EXPECT_EQ(text(event, "/type"), "Delivery");
    EXPECT_EQ(text(event, "/id"), "01KD0000000000000000000001");
    EXPECT_EQ(text(event, "/sender"), "news@sender.example");
    EXPECT_EQ(text(event, "/recipient"), "someone@Receiver.example");
    EXPECT_EQ(text(event, "/queue"), "receiver.example");
    EXPECT_EQ(text(event, "/site"), "mx.receiver.example");
    EXPECT_EQ(number(event, "/size"), static_cast<std::int64_t>(message.size()));
    EXPECT_EQ(number(event, "/response/code"), 250);
    EXPECT_EQ(number(event, "/response/enhanced_code/class"), 2);
    EXPECT_EQ(number(event, "/response/enhanced_code/subject"), 6);
    EXPECT_EQ(number(event, "/response/enhanced_code/detail"), 0);
    EXPECT_EQ(text(event, "/response/content"), "queued as \"4711\"");
    EXPECT_EQ(text(event, "/response/command"), ".");
    EXPECT_EQ(text(event, "/peer_address/name"), "mx1.receiver.example");
    EXPECT_EQ(text(event, "/peer_address/addr"), "192.0.2.25:25");
    EXPECT_EQ(number(event, "/timestamp"), 1'795'383'001);
    EXPECT_EQ(text(event, "/event_time"), "2026-11-22T21:30:01.500000Z");
    EXPECT_EQ(number(event, "/created"), 1'795'383'000);
    EXPECT_EQ(text(event, "/created_time"), "2026-11-22T21:30:00.000000Z");
    EXPECT_EQ(number(event, "/num_attempts"), 2);
    EXPECT_TRUE(is_null(event, "/bounce_classification"));
    EXPECT_TRUE(is_null(event, "/bounce"));
    EXPECT_EQ(text(event, "/egress_pool"), "default");
    EXPECT_EQ(text(event, "/egress_source"), "default");
    EXPECT_EQ(text(event, "/source_address/address"), "198.51.100.1:40000");
    EXPECT_TRUE(is_null(event, "/tenant"));
    EXPECT_TRUE(is_null(event, "/campaign"));
    EXPECT_EQ(text(event, "/session_id"), "D9");
    EXPECT_EQ(event.at_pointer("/meta").is_object(), true);
}

TEST(Event, types_follow_outcomes) {
    const std::vector<std::pair<Outcome, std::string>> types{
        {Outcome::delivered, "Delivery"},
        {Outcome::deferred, "TransientFailure"},
        {Outcome::bounced, "Bounce"},
        {Outcome::expired, "Expiration"}};
    for (const auto& [outcome, type] : types) {
        const auto message_owner = message_to({"a@b.example"});
        Message& message = *message_owner;
        simdjson::dom::parser parser;
        Disposition done;
        done.outcome = outcome;
        const std::string line = outcome_line(message, done);
        const auto event = parsed(parser, line);
        EXPECT_EQ(text(event, "/type"), type);
        EXPECT_TRUE(is_null(event, "/response/enhanced_code"));
        EXPECT_TRUE(is_null(event, "/response/command"));
        EXPECT_TRUE(is_null(event, "/peer_address"));
        EXPECT_TRUE(is_null(event, "/source_address"));
    }
}

TEST(Event, a_failure_says_what_it_means) {
    const auto message_owner = message_to({"a@b.example"});
    Disposition done;
    done.outcome = Outcome::bounced;
    done.reply.code = 550;
    simdjson::dom::parser parser;
    auto event = parsed(
        parser, outcome_line(*message_owner, done, {"InvalidRecipient", BounceKind::hard, true}));
    EXPECT_EQ(text(event, "/bounce_classification"), "InvalidRecipient");
    EXPECT_EQ(text(event, "/bounce/kind"), "hard");
    EXPECT_EQ(text(event, "/bounce/source"), "remote");
    EXPECT_TRUE(event.at_pointer("/bounce/suppress").get_bool().value());
    done.local = true;
    event = parsed(parser, outcome_line(*message_owner, done, {"X", BounceKind::block, false}));
    EXPECT_EQ(text(event, "/bounce/kind"), "block");
    EXPECT_EQ(text(event, "/bounce/source"), "local");
    EXPECT_FALSE(event.at_pointer("/bounce/suppress").get_bool().value());
}

TEST(Event, all_records_have_the_same_fields) {
    const auto message_owner = message_to({"a@b.example"});
    Message& message = *message_owner;
    std::string reception;
    std::string rejection;
    Disposition done;
    done.outcome = Outcome::bounced;
    EXPECT_EQ(append_reception(reception, message, {}, {}, kNow), 1U);
    append_rejection(rejection, {}, kNow);
    simdjson::dom::parser one;
    simdjson::dom::parser two;
    simdjson::dom::parser three;
    const std::string outcome = outcome_line(message, done);
    auto received = keys(parsed(one, reception));
    auto rejected = keys(parsed(two, rejection));
    auto finished = keys(parsed(three, outcome));
    EXPECT_EQ(received, rejected);
    EXPECT_EQ(received.erase("reception_protocol"), 1U);
    EXPECT_EQ(finished.erase("delivery_protocol"), 1U);
    EXPECT_EQ(received, finished);
    for (const char* name : {"type",
                             "id",
                             "sender",
                             "recipient",
                             "queue",
                             "site",
                             "size",
                             "response",
                             "peer_address",
                             "timestamp",
                             "created",
                             "num_attempts",
                             "bounce_classification",
                             "bounce",
                             "egress_pool",
                             "egress_source",
                             "source_address",
                             "tenant",
                             "campaign",
                             "session_id",
                             "meta"}) {
        EXPECT_TRUE(finished.contains(name)) << name;
    }
}

TEST(Event, a_reception_names_its_recipients) {
    const auto one_owner = message_to({"a@b.example"});
    const Message& one = *one_owner;
    const auto two_owner = message_to({"a@b.example", "c@B.example"});
    const Message& two = *two_owner;
    const auto domains_owner = message_to({"a@b.example", "c@d.example"});
    const Message& domains = *domains_owner;
    simdjson::dom::parser parser;
    std::string line;
    append_reception(line, one, {"client.example", "192.0.2.7:1234"},
                     {{250, {2, 0, 0}, "OK id=1"}, "."}, kNow);
    auto event = parsed(parser, line);
    EXPECT_EQ(text(event, "/type"), "Reception");
    EXPECT_EQ(text(event, "/recipient"), "a@b.example");
    EXPECT_EQ(text(event, "/queue"), "b.example");
    EXPECT_EQ(text(event, "/peer_address/name"), "client.example");
    EXPECT_EQ(text(event, "/peer_address/addr"), "192.0.2.7:1234");
    EXPECT_EQ(text(event, "/reception_protocol"), "ESMTP");
    EXPECT_EQ(text(event, "/session_id"), "S1");
    line.clear();
    append_reception(line, two, {}, {}, kNow);
    event = parsed(parser, line);
    EXPECT_EQ(text(event, "/recipient/0"), "a@b.example");
    EXPECT_EQ(text(event, "/recipient/1"), "c@B.example");
    EXPECT_EQ(text(event, "/queue"), "b.example");
    line.clear();
    append_reception(line, domains, {}, {}, kNow);
    EXPECT_TRUE(is_null(parsed(parser, line), "/queue"));
}

TEST(Event, a_reception_of_many_is_several_records) {
    std::vector<std::string> many;
    for (int i = 0; i < 2001; ++i)
        many.push_back("r" + std::to_string(i) + "@b.example");
    const auto message_owner = message_to(many);
    const Message& message = *message_owner;
    std::string lines;
    EXPECT_EQ(append_reception(lines, message, {}, {}, kNow), 3U);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
    const std::size_t last = lines.rfind("{\"type\"");
    simdjson::dom::parser parser;
    EXPECT_EQ(text(parsed(parser, lines.substr(last)), "/recipient"), "r2000@b.example");
    for (const std::string& each : many) {
        EXPECT_NE(lines.find("\"" + each + "\""), std::string::npos) << each;
    }
}

TEST(Event, queues_are_named_by_campaign_tenant_and_domain) {
    const auto message_owner = message_to({"a@b.example"});
    Message& message = *message_owner;
    simdjson::dom::parser parser;
    TenantTable tenants;
    const auto queue = [&](std::string_view tenant, std::string campaign) {
        message.edit_labels().tenant = &tenants.intern(tenant);
        message.edit_labels().campaign = std::move(campaign);
        std::string line;
        append_reception(line, message, {}, {}, kNow);
        return text(parsed(parser, line), "/queue");
    };
    EXPECT_EQ(queue("", ""), "b.example");
    EXPECT_EQ(queue("default", ""), "b.example");
    EXPECT_EQ(queue("news", ""), "news@b.example");
    EXPECT_EQ(queue("news", "may"), "may:news@b.example");
    EXPECT_EQ(queue("", "may"), "may:@b.example");
}

TEST(Event, a_rejection_says_who_was_refused_and_why) {
    simdjson::dom::parser parser;
    std::string line;
    append_rejection(line,
                     {"x@y.example",
                      "a@b.example",
                      77,
                      {"evil\r\n", "192.0.2.66:1"},
                      {{550, {5, 7, 1}, "relaying denied"}, "RCPT TO:<a@b.example>"},
                      "ESMTP",
                      "S2"},
                     kNow);
    const auto event = parsed(parser, line);
    EXPECT_EQ(text(event, "/type"), "Rejection");
    EXPECT_EQ(text(event, "/sender"), "x@y.example");
    EXPECT_EQ(text(event, "/recipient"), "a@b.example");
    EXPECT_EQ(number(event, "/size"), 77);
    EXPECT_EQ(number(event, "/response/code"), 550);
    EXPECT_EQ(text(event, "/response/command"), "RCPT TO:<a@b.example>");
    EXPECT_EQ(text(event, "/peer_address/name"), "evil\r\n");
    EXPECT_EQ(text(event, "/session_id"), "S2");
}

TEST(Event, long_text_is_cut_between_characters) {
    const auto message_owner = message_to({"a@b.example"});
    Message& message = *message_owner;
    Disposition done;
    done.outcome = Outcome::deferred;
    for (std::size_t i = 0; i < kMostTextOctets; ++i)
        done.reply.text += "\xe2\x82\xac";
    const std::string line = outcome_line(message, done);
    simdjson::dom::parser parser;
    const std::string content = text(parsed(parser, line), "/response/content");
    EXPECT_LE(content.size(), kMostTextOctets);
    EXPECT_GT(content.size(), kMostTextOctets - 4);
    EXPECT_EQ(content.find("\xef\xbf\xbd"), std::string::npos);
}

TEST(Event, foreign_octets_stay_within_their_string) {
    const auto message_owner = message_to({std::string("a\xff\"\n@b.example")});
    Message& message = *message_owner;
    Disposition done;
    done.outcome = Outcome::bounced;
    done.reply.text = std::string("\0\r\n\x80\"}", 6);
    const std::string line = outcome_line(message, done);
    simdjson::dom::parser parser;
    EXPECT_EQ(text(parsed(parser, line), "/recipient"), "a\xef\xbf\xbd\"\n@b.example");
}

}  // namespace
}  // namespace relay
