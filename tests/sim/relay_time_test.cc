// How long the relay waits for what (RFC 5321 section 4.5.3.2): a server that falls silent at one
// place, by default and with that time limit in the destination's table.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/sim_town.h"
#include "tests/unit/core/net/certificates.h"

namespace sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct Silence {
    const char* option;
    core::Duration usual;
    Stage stage;
    Verdict::Ending ending = Verdict::Ending::stall;
};

std::string name_of(const testing::TestParamInfo<Silence>& param) {
    return param.param.option;
}

class TimeLimit : public testing::TestWithParam<Silence> {
  protected:
    // How long the first connection waits for the server before it is given up.
    core::Duration patience(const std::string& shaping) {
        const Silence& silence = GetParam();
        const std::string option = silence.option;
        const bool connect = option == "connect_timeout";
        const bool tls = option == "starttls_timeout" || option == "tls_handshake_timeout";
        std::optional<core::Instant> began;
        MxOptions options;
        const core::test::Authority authority;
        const auto context =
            std::move(*core::TlsContext::server(authority.issue({.names = {"mx1.example"}})));
        if (tls) options.tls = context.get();
        if (option == "tls_handshake_timeout") options.handshake = Handshake::stall;
        options.script = [&](const Moment& moment) {
            const bool refused = option == "rset_timeout" && moment.session == 1 &&
                                 moment.stage == Stage::rcpt && !began;
            if (refused && moment.argument == "u1@one.example") {
                return Verdict{.reply = "550 5.1.1 nobody"};
            }
            if (moment.stage != silence.stage || moment.session != 1 || began) return Verdict{};
            began = moment.now;
            Verdict verdict{.ending = silence.ending};
            if (silence.ending == Verdict::Ending::stop_reading) verdict.reply = "354 go ahead";
            return verdict;
        };
        Town town({.limits = {.connection_limit = 1,
                              .max_deliveries_per_connection = option == "quit_timeout" ? 1U : 9U},
                   .tls = tls ? relay::TlsPolicy::encrypt : relay::TlsPolicy::opportunistic,
                   .shaping = shaping});
        town.zone.add_mx("one.example", 10, "mx1.example");
        SimMx& server = town.add_server(1, options);
        town.world.network().set_planner([&](const Opening& opening) {
            if (!connect || opening.ordinal > 0) return LinkPlan{};
            began = town.world.shard().now();
            return plan_of(ConnectResult::black_hole);
        });
        const std::string first = "u" + std::to_string(++town.injected) + "@one.example";
        town.relay.inject(0, {first}, option == "data_block_timeout" ? 2'000'000 : 200);
        if (option == "rset_timeout") town.inject(1);
        const bool given_up = town.world.run_until(
            [&] { return began && town.world.network().connections_to(address_of(1)) == 0; },
            hours{2});
        EXPECT_TRUE(given_up);
        const core::Duration waited = town.world.shard().now() - began.value_or(core::Instant{});
        server.options().handshake = Handshake::proper;
        EXPECT_TRUE(town.relay.run_until_drained(hours{24}));
        town.expect_clean();
        town.world.network().set_planner({});
        return waited;
    }
};

// After the limit come a last read (5 s) where writing failed, and a round trip.
void expect_about(core::Duration waited, core::Duration limit) {
    EXPECT_GE(waited, limit - std::chrono::milliseconds{10});
    EXPECT_LE(waited, limit + seconds{6});
}

TEST_P(TimeLimit, is_the_default_or_the_tables) {
    expect_about(patience(""), GetParam().usual);
    const std::string option = GetParam().option;
    expect_about(patience("[\"one.example\"]\n" + option + " = \"17s\"\n"), seconds{17});
    expect_about(patience("[\"default\"]\n" + option + " = \"100s\"\n" + "[\"other.example\"]\n" +
                          option + " = \"17s\"\n"),
                 seconds{100});
}

INSTANTIATE_TEST_SUITE_P(RelayTime, TimeLimit,
                         testing::Values(Silence{"connect_timeout", seconds{30}, Stage::greeting},
                                         Silence{"banner_timeout", minutes{5}, Stage::greeting},
                                         Silence{"ehlo_timeout", minutes{5}, Stage::hello},
                                         Silence{"starttls_timeout", minutes{5}, Stage::starttls},
                                         Silence{"tls_handshake_timeout", seconds{60},
                                                 Stage::starttls, Verdict::Ending::none},
                                         Silence{"mail_from_timeout", minutes{5}, Stage::mail},
                                         Silence{"rcpt_to_timeout", minutes{5}, Stage::rcpt},
                                         Silence{"data_timeout", minutes{2}, Stage::data},
                                         Silence{"data_block_timeout", minutes{3}, Stage::data,
                                                 Verdict::Ending::stop_reading},
                                         Silence{"data_dot_timeout", minutes{10}, Stage::content},
                                         Silence{"rset_timeout", seconds{20}, Stage::rset},
                                         Silence{"quit_timeout", seconds{5}, Stage::quit},
                                         Silence{"idle_timeout", seconds{30}, Stage::content,
                                                 Verdict::Ending::none}),
                         name_of);

}  // namespace
}  // namespace sim
