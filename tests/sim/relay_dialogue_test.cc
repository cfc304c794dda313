// The whole relay against one scripted server: what happens to mail when a dialogue goes wrong at
// any point, and what the relay does about it over hours and days of virtual time.
#include <string>

#include <gtest/gtest.h>

#include "relay/smtp/reply_parser.h"
#include "tests/sim/sim_relay.h"

namespace sim {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const core::SocketAddress kMx{core::IpAddress::v4(0xc6336419), 25};  // 198.51.100.25

// One domain, one server, one relay.
class Scene {
  public:
    explicit Scene(MxOptions mx_options = {}, RelayOptions relay_options = {},
                   std::uint64_t seed = 1, std::size_t shards = 1)
        : world(seed, {.shards = shards}), mx(world, kMx, std::move(mx_options)) {
        zone.add_mx("one.example", 10, "mx.one.example");
        zone.add_address("mx.one.example", kMx.ip);
        relay = std::make_unique<SimRelay>(world, zone, std::move(relay_options));
        mx.start();
    }
    ~Scene() {
        const bool closed = relay->close();
        mx.stop();
        const bool stopped = world.run_until([this] { return mx.idle(); }, hours{1});
        EXPECT_TRUE(closed) << "seed " << world.seed();
        EXPECT_TRUE(stopped) << "seed " << world.seed();
        EXPECT_EQ(world.network().open_handles(), 0U);
        if (!closed || !stopped) std::abort();  // tasks refer to what would be destroyed
    }
    void inject(int messages, int first = 1) {
        for (int i = first; i < first + messages; ++i) {
            relay->inject(static_cast<std::size_t>(i) % world.shards(), {address(i)});
        }
    }
    static std::string address(int number) { return "u" + std::to_string(number) + "@one.example"; }
    void expect_clean() {
        const auto wrong = relay->audit({&mx});
        for (const std::string& one : wrong)
            ADD_FAILURE() << one;
    }

    SimWorld world;
    SimZone zone;
    SimMx mx;
    std::unique_ptr<SimRelay> relay;
};

TEST(RelayDialogue, delivers_in_next_mode_in_one_group_per_message) {
    Scene scene;
    scene.inject(20);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 20U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
    EXPECT_GT(scene.mx.pipelined_groups(), 0U);
}

// ---- Pipelining modes

TEST(RelayDialogue, serves_a_server_without_pipelining_in_lock_step) {
    Scene scene({.pipelining = false});
    scene.inject(10);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    EXPECT_EQ(scene.mx.pipelined_groups(), 0U);
}

TEST(RelayDialogue, serves_a_server_that_only_knows_helo) {
    Scene scene({.pipelining = false, .esmtp = false});
    scene.inject(5);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 5U);
}

TEST(RelayDialogue, uses_bdat_where_chunking_is_offered) {
    Scene scene({.chunking = true});
    scene.inject(10);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    for (const Taken& taken : scene.mx.ledger())
        EXPECT_TRUE(taken.by_chunk);
}

// A server that forgets what follows a final dot in one group (it answers 503 to it) took the
// message itself; what was prefetched goes again at once, and later mail in a simpler mode.
TEST(RelayDialogue, a_server_that_forgets_the_group_after_the_dot) {
    Scene scene({.forgets_group_behind_dot = true, .content_delay = milliseconds{20}});
    scene.inject(40);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 40U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
    for (const Recorded& one : scene.relay->events()) {
        if (one.type == "Delivery") EXPECT_EQ(one.attempts, 1U) << one.line;
    }
    const std::size_t groups = scene.mx.pipelined_groups();
    EXPECT_GT(groups, 0U);
    scene.inject(40, 41);  // remembered: no group is lost any more
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    EXPECT_EQ(scene.mx.pipelined_groups(), groups);
}

// ---- Resets at every octet of a dialogue

struct Cut {
    bool at_server;
    std::uint64_t octet;
    bool chunking;
    bool pipelining;
};

void reset_at(const Cut& cut, bool ragged) {
    Scene scene({.pipelining = cut.pipelining, .chunking = cut.chunking},
                {.intervals = {minutes{5}}}, cut.octet + 1);
    scene.world.network().set_planner([&](const Opening& opening) {
        LinkPlan plan;
        plan.ragged = ragged;
        if (opening.ordinal > 0) return plan;
        (cut.at_server ? plan.reset_at_server : plan.reset_at_client) = cut.octet;
        return plan;
    });
    scene.inject(3);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{24}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 3U);
    if (testing::Test::HasFailure()) {
        ADD_FAILURE() << "reset at " << (cut.at_server ? "server" : "client") << " octet "
                      << cut.octet << (cut.chunking ? " chunking" : "")
                      << (cut.pipelining ? "" : " lock-step") << (ragged ? " ragged" : "");
    }
}

void reset_everywhere(bool chunking, bool pipelining) {
    // Longer than the whole dialogue of three messages, so that its end is included.
    for (const bool at_server : {true, false}) {
        const std::uint64_t length = at_server ? 1500 : 700;
        for (std::uint64_t octet = 0; octet <= length; ++octet) {
            reset_at({at_server, octet, chunking, pipelining}, octet % 2 == 1);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(RelayDialogue, a_reset_at_any_octet_in_next_mode) {
    reset_everywhere(false, true);
}
TEST(RelayDialogue, a_reset_at_any_octet_with_chunking) {
    reset_everywhere(true, true);
}
TEST(RelayDialogue, a_reset_at_any_octet_in_lock_step) {
    reset_everywhere(false, false);
}

// ---- Time

// A host that always defers: tried by the schedule, given up at max_age, each attempt recorded.
TEST(RelayDialogue, retries_by_schedule_over_days_and_expires) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        return moment.stage == Stage::rcpt ? Verdict{.reply = "450 4.2.1 not now"} : Verdict{};
    };
    Scene scene(options, {.intervals = {minutes{20}, minutes{40}, hours{2}}, .max_age = days{3}});
    std::vector<core::Instant> attempts;
    scene.inject(1);
    EXPECT_TRUE(scene.relay->run_until_drained(days{4}));
    EXPECT_EQ(scene.relay->count("Expiration"), 1U);
    EXPECT_LE(scene.world.elapsed(), days{3} + minutes{1});
    scene.expect_clean();
    const auto& times = scene.mx.session_times();
    // 3 days: 20 and 40 minutes, then every 2 hours +- 10 %.
    EXPECT_GE(times.size(), 33U);
    EXPECT_LE(times.size(), 40U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), times.size());
    for (std::size_t i = 1; i < times.size(); ++i) {
        const core::Duration planned = i == 1   ? core::Duration{minutes{20}}
                                       : i == 2 ? core::Duration{minutes{40}}
                                                : core::Duration{hours{2}};
        const core::Duration gap = times[i] - times[i - 1];
        EXPECT_GE(gap, planned * 9 / 10 - seconds{1}) << i;
        EXPECT_LE(gap, planned * 11 / 10 + seconds{2}) << i;
    }
}

TEST(RelayDialogue, greylisting_costs_one_retry) {
    Scene scene({.greylist_for = minutes{10}});
    scene.inject(30);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{3}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 30U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 30U);
}

// Coming back earlier than asked would only cost attempts.
TEST(RelayDialogue, comes_back_no_earlier_than_greylisting_asks) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        return moment.stage == Stage::rcpt && moment.now < core::Instant{minutes{30}}
                   ? Verdict{.reply = "450 4.2.0 Greylisted, try again in 31 minutes"}
                   : Verdict{};
    };
    Scene scene(options, {.intervals = {minutes{1}}});
    scene.inject(3);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{3}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("TransientFailure"), 3U);
    EXPECT_EQ(scene.relay->count("Delivery"), 3U);
}

// Every connection is refused with 421 for three hours: few connections, no loss, then all at once.
TEST(RelayDialogue, a_storm_of_421) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        const bool storm = moment.now < core::Instant{hours{3}};
        return moment.stage == Stage::greeting && storm
                   ? Verdict{.reply = "421 4.3.2 too busy", .ending = Verdict::Ending::close}
                   : Verdict{};
    };
    Scene scene(options, {.limits = {.connection_limit = 10}});
    scene.inject(500);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 500U);
    const auto& times = scene.mx.session_times();
    const auto storm = std::ranges::count_if(
        times, [](core::Instant when) { return when < core::Instant{hours{3}}; });
    EXPECT_LT(storm, 100) << "one probe after a growing pause, not a connection per message";
}

TEST(RelayDialogue, a_421_in_the_middle_of_rcpt_replies) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        const bool first = moment.session == 1 && moment.messages == 2;
        return moment.stage == Stage::rcpt && first ? Verdict{.reply = "421 4.7.0 slow down"}
                                                    : Verdict{};
    };
    Scene scene(options);
    scene.inject(8);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 8U);
}

// ---- The final dot

TEST(RelayDialogue, the_reply_to_the_dot_may_take_nearly_ten_minutes) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        return moment.stage == Stage::content ? Verdict{.delay = minutes{9} + seconds{59}}
                                              : Verdict{};
    };
    Scene scene(options);
    scene.inject(1);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{1}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 1U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
}

class EndAtTheDot : public testing::TestWithParam<Verdict::Ending> {};

// The server took the message and the reply never came: the one case of a duplicate (RFC 5321
// section 4.5.3.2 and RFC 1047), and what was prefetched after the dot is not charged with it.
TEST_P(EndAtTheDot, repeats_what_got_no_reply_and_nothing_else) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        const bool third = moment.session == 1 && moment.messages == 2;
        return moment.stage == Stage::content && third
                   ? Verdict{.ending = GetParam(), .took_it = true}
                   : Verdict{};
    };
    Scene scene(options, {.limits = {.connection_limit = 1}});
    scene.inject(8);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 8U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 1U);
    EXPECT_EQ(scene.mx.ledger().size(), 9U);
    EXPECT_EQ(scene.relay->ambiguous_ends(), 1U);
}

INSTANTIATE_TEST_SUITE_P(RelayDialogue, EndAtTheDot,
                         testing::Values(Verdict::Ending::drop, Verdict::Ending::reset,
                                         Verdict::Ending::stall));

// The server says 250 and closes at once, with our next envelope on its way to it.
TEST(RelayDialogue, a_250_followed_by_a_close_is_a_delivery) {
    for (const std::size_t messages : {1U, 2U, 3U}) {
        Scene scene({.close_after = messages});
        scene.inject(12);
        EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
        scene.expect_clean();
        EXPECT_EQ(scene.relay->count("Delivery"), 12U);
        EXPECT_EQ(scene.mx.ledger().size(), 12U);
    }
}

TEST(RelayDialogue, replies_to_the_dot_of_every_kind) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        if (moment.stage != Stage::content || moment.now > core::Instant{minutes{5}}) {
            return Verdict{};
        }
        switch (moment.messages % 4) {
            case 1:
                return Verdict{.reply = moment.session == 1 ? "451 4.3.0 later" : ""};
            case 2:
                return Verdict{.reply = moment.session == 1 ? "554 5.7.1 spam" : ""};
            default:
                return Verdict{};
        }
    };
    Scene scene(options, {.limits = {.connection_limit = 1}});
    scene.inject(4);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery") + scene.relay->count("Bounce"), 4U);
    EXPECT_GE(scene.relay->count("TransientFailure"), 1U);
}

// ---- Several recipients

class ManyRecipients : public testing::TestWithParam<bool> {};

TEST_P(ManyRecipients, each_gets_what_its_own_reply_says) {
    MxOptions options;
    options.chunking = GetParam();
    options.script = [](const Moment& moment) {
        if (moment.stage != Stage::rcpt) return Verdict{};
        if (moment.argument.starts_with("no")) return Verdict{.reply = "550 5.1.1 unknown"};
        const bool early = moment.now < core::Instant{minutes{5}};
        if (moment.argument.starts_with("later") && early) {
            return Verdict{.reply = "450 4.2.1 busy"};
        }
        if (moment.argument.starts_with("moved")) return Verdict{.reply = "251 2.1.5 forwards"};
        return Verdict{};
    };
    Scene scene(options);
    std::vector<std::string> recipients;
    for (const char* kind : {"yes", "no", "later", "moved"}) {
        for (int i = 0; i < 5; ++i) {
            recipients.push_back(kind + std::to_string(i) + "@one.example");
        }
    }
    scene.relay->inject(0, recipients);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 15U);
    EXPECT_EQ(scene.relay->count("Bounce"), 5U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 5U);
    EXPECT_EQ(scene.mx.transactions(), 2U);  // those that were deferred share one again
}

TEST_P(ManyRecipients, all_refused_with_354_or_554_to_data) {
    for (const bool goes_ahead : {true, false}) {
        MxOptions options;
        options.chunking = GetParam();
        options.script = [goes_ahead](const Moment& moment) {
            if (moment.stage == Stage::rcpt && moment.argument.starts_with("no")) {
                return Verdict{.reply = "550 5.1.1 unknown"};
            }
            if (moment.stage == Stage::data && moment.recipients == 0 && goes_ahead) {
                return Verdict{.reply = "354 go ahead"};
            }
            return Verdict{};
        };
        Scene scene(options, {.limits = {.connection_limit = 1}});
        scene.relay->inject(0, {"no1@one.example", "no2@one.example"});
        scene.relay->inject(0, {"yes1@one.example"});
        scene.relay->inject(0, {"no3@one.example"});
        scene.relay->inject(0, {"yes2@one.example"});
        EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
        scene.expect_clean();
        EXPECT_EQ(scene.relay->count("Delivery"), 2U);
        EXPECT_EQ(scene.relay->count("Bounce"), 3U);
    }
}

TEST_P(ManyRecipients, more_than_the_server_takes_in_one_transaction) {
    MxOptions options;
    options.chunking = GetParam();
    options.script = [](const Moment& moment) {
        const bool full = moment.stage == Stage::rcpt && moment.recipients >= 10;
        return full ? Verdict{.reply = "452 4.5.3 too many recipients"} : Verdict{};
    };
    Scene scene(options);
    std::vector<std::string> recipients;
    for (int i = 0; i < 35; ++i)
        recipients.push_back(Scene::address(i));
    scene.relay->inject(0, recipients);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 35U);
    EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);  // at once, not by the schedule
    EXPECT_EQ(scene.mx.transactions(), 4U);
    EXPECT_LT(scene.world.elapsed(), minutes{1});
}

INSTANTIATE_TEST_SUITE_P(RelayDialogue, ManyRecipients, testing::Bool());

TEST(RelayDialogue, mail_refused_for_one_sender_only_defers_what_it_names) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        const bool first = moment.now < core::Instant{minutes{1}};
        return moment.stage == Stage::mail && first && moment.messages == 1
                   ? Verdict{.reply = "421 4.7.0 rate limited"}
                   : Verdict{};
    };
    Scene scene(options);
    scene.inject(10);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{6}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 10U);
}

// ---- Servers that talk nonsense

struct Nonsense {
    const char* name;
    std::string reply;
    bool shifts_replies = false;  // those that follow answer other commands: refusals included
};

class NonsenseAt : public testing::TestWithParam<Stage> {};

std::string lines(int count, const std::string& code) {
    std::string text;
    for (int i = 1; i < count; ++i)
        text += code + "-line " + std::to_string(i) + "\r\n";
    return text + code + " the end";
}

// For an hour the server answers one command with nonsense; afterwards everything is delivered.
TEST_P(NonsenseAt, costs_time_and_no_mail) {
    const std::vector<Nonsense> all{
        {"no code", "hello there"},
        {"a code that is none", "999 what"},
        {"two digits", "25 ok"},
        {"an intermediate reply", "354 go on"},
        {"codes that differ", "250-one\r\n550 two"},
        {"a line without end", std::string(100'000, 'x')},
        {"too many lines", lines(5000, "450")},
        {"binary", std::string("\x00\xff\x1b[2J\x07", 7)},
        {"empty lines, more than are skipped", std::string(2 * (relay::kMaxBlankLines + 1), '\n')},
        {"a bare code", "450"},
        {"one reply too many", "450 later\r\n250 unasked", true},
    };
    for (const Nonsense& nonsense : all) {
        for (const bool chunking : {false, true}) {
            MxOptions options;
            options.chunking = chunking;
            options.script = [&](const Moment& moment) {
                const bool now = moment.stage == GetParam() && moment.now < core::Instant{hours{1}};
                return now ? Verdict{.reply = nonsense.reply} : Verdict{};
            };
            Scene scene(options);
            scene.inject(5);
            EXPECT_TRUE(scene.relay->run_until_drained(days{2})) << nonsense.name;
            // Whoever talks nonsense may get a message again that it took in spite of it.
            for (const std::string& one :
                 scene.relay->audit({&scene.mx}, SimRelay::Audit::repetition_allowed)) {
                ADD_FAILURE() << nonsense.name << ": " << one;
            }
            EXPECT_LT(scene.mx.sessions(), 200U) << nonsense.name;
            if (!nonsense.shifts_replies) {
                EXPECT_EQ(scene.relay->count("Delivery"), 5U) << nonsense.name;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(RelayDialogue, NonsenseAt,
                         testing::Values(Stage::greeting, Stage::hello, Stage::mail, Stage::rcpt,
                                         Stage::data, Stage::content));

TEST(RelayDialogue, replies_of_a_hundred_lines) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        switch (moment.stage) {
            case Stage::mail:
            case Stage::rcpt:
            case Stage::content:
                return Verdict{.reply = lines(100, "250")};
            default:
                return Verdict{};
        }
    };
    Scene scene(options);
    scene.inject(20);
    EXPECT_TRUE(scene.relay->run_until_drained(minutes{10}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("TransientFailure"), 0U);
}

// A server that stops reading in the middle of a large message: the write has its own time limit.
TEST(RelayDialogue, a_server_that_stops_reading) {
    MxOptions options;
    options.script = [](const Moment& moment) {
        const bool first = moment.session == 1 && moment.stage == Stage::data;
        return first ? Verdict{.reply = "354 go ahead", .ending = Verdict::Ending::stop_reading}
                     : Verdict{};
    };
    Scene scene(options, {.limits = {.connection_limit = 1}});
    scene.relay->inject(0, {"u1@one.example"}, 2'000'000);
    scene.inject(3, 2);
    EXPECT_TRUE(scene.relay->run_until_drained(hours{3}));
    scene.expect_clean();
    EXPECT_EQ(scene.relay->count("Delivery"), 4U);
    EXPECT_GE(scene.world.elapsed(), minutes{3});
}

}  // namespace
}  // namespace sim
