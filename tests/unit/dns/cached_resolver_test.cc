#include "dns/cached_resolver.h"

#include <optional>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"
#include "tests/unit/dns/scripted_resolver.h"

namespace dns {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

core::Task<void> ask_into(Resolver& resolver, std::string name, RecordType type, DnsAnswer& answer,
                          int& done) {
    answer = co_await resolver.query(std::move(name), type);
    ++done;
}

class CachedResolverTest : public testing::Test {
  protected:
    void make(CacheLimits limits = {}) { cache_.emplace(world_.shard(), upstream_, limits); }

    DnsAnswer ask(const std::string& name, RecordType type = RecordType::mx) {
        return ask_of(*cache_, name, type);
    }
    DnsAnswer ask_of(CachedResolver& cache, const std::string& name,
                     RecordType type = RecordType::mx) {
        DnsAnswer answer;
        int done = 0;
        EXPECT_TRUE(world_.run(world_.shard(), ask_into(cache, name, type, answer, done)));
        EXPECT_EQ(done, 1);
        return answer;
    }
    // The reactor takes its time once per turn: a turn makes it notice.
    void pass(core::Duration span) {
        world_.run_for(span);
        world_.shard().reactor().turn(false);
    }
    std::size_t asked() const { return upstream_.asked.size(); }

    sim::SimWorld world_{7};
    ScriptedResolver upstream_{world_.shard()};
    std::optional<CachedResolver> cache_;
};

TEST_F(CachedResolverTest, answers_from_memory_until_the_ttl_ends) {
    make();
    upstream_.mx("a.example", {{10, "mx.example"}}, 300);
    EXPECT_EQ(ask("a.example").ttl, seconds{300});
    pass(seconds{299});
    EXPECT_EQ(ask("A.Example.").ttl, seconds{1});
    EXPECT_EQ(asked(), 1U);
    pass(seconds{1});
    EXPECT_EQ(ask("a.example").ttl, seconds{300});
    EXPECT_EQ(asked(), 2U);
    EXPECT_EQ(cache_->counters().cache_hits, 1U);
    EXPECT_EQ(cache_->counters().cache_misses, 2U);
    EXPECT_EQ(cache_->counters().lookups[2][0], 2U);  // MX, ok
    EXPECT_EQ(cache_->counters().entries, 1U);
}

TEST_F(CachedResolverTest, what_one_shard_learned_the_others_know) {
    SharedAnswers shared;
    CachedResolver one(world_.shard(), upstream_, {}, &shared);
    CachedResolver two(world_.shard(), upstream_, {}, &shared);
    upstream_.mx("a.example", {{10, "mx.example"}}, 300);
    upstream_.set("fail.example", RecordType::mx, DnsStatus::servfail, 0);
    EXPECT_EQ(ask_of(one, "a.example").ttl, seconds{300});
    pass(seconds{100});
    EXPECT_EQ(ask_of(two, "a.example").ttl, seconds{200});
    EXPECT_EQ(asked(), 1U);
    EXPECT_EQ(two.counters().cache_hits, 1U);
    EXPECT_EQ(two.counters().cache_misses, 0U);
    pass(seconds{200});  // it is no younger for having been passed on
    EXPECT_EQ(ask_of(two, "a.example").ttl, seconds{300});
    EXPECT_EQ(asked(), 2U);
    EXPECT_EQ(ask_of(one, "a.example").ttl, seconds{300});
    EXPECT_EQ(asked(), 2U);
    // Failures are each shard's own.
    ask_of(one, "fail.example");
    ask_of(two, "fail.example");
    EXPECT_EQ(asked(), 4U);
}

TEST_F(CachedResolverTest, types_are_apart) {
    make();
    upstream_.addresses("a.example", {"192.0.2.1", "2001:db8::1"});
    EXPECT_EQ(ask("a.example", RecordType::a).records.size(), 1U);
    EXPECT_EQ(ask("a.example", RecordType::aaaa).records.size(), 1U);
    EXPECT_EQ(ask("a.example", RecordType::mx).status, DnsStatus::nodata);
    EXPECT_EQ(asked(), 3U);
}

TEST_F(CachedResolverTest, holds_the_ttl_between_its_bounds) {
    make();
    upstream_.mx("zero.example", {{10, "mx.example"}}, 0);
    upstream_.mx("long.example", {{10, "mx.example"}}, 30 * 86400);
    EXPECT_EQ(ask("zero.example").ttl, seconds{30});
    EXPECT_EQ(ask("long.example").ttl, hours{24});
    upstream_.set("none.example", RecordType::mx, DnsStatus::nxdomain, 86400);
    upstream_.set("empty.example", RecordType::mx, DnsStatus::nodata, 0);
    EXPECT_EQ(ask("none.example").ttl, hours{3});
    EXPECT_EQ(ask("empty.example").ttl, seconds{30});
    pass(seconds{31});
    ask("none.example");
    EXPECT_EQ(asked(), 4U);
    ask("empty.example");
    EXPECT_EQ(asked(), 5U);
}

TEST_F(CachedResolverTest, remembers_failures_for_seconds_only) {
    make();
    upstream_.set("fail.example", RecordType::mx, DnsStatus::servfail, 0);
    EXPECT_EQ(ask("fail.example").ttl, CachedResolver::kFailureTtl);
    EXPECT_EQ(ask("fail.example").status, DnsStatus::servfail);
    EXPECT_EQ(asked(), 1U);
    pass(CachedResolver::kFailureTtl);
    upstream_.mx("fail.example", {{10, "mx.example"}});
    EXPECT_EQ(ask("fail.example").status, DnsStatus::ok);
}

TEST_F(CachedResolverTest, asks_once_for_everybody) {
    make();
    upstream_.mx("a.example", {{10, "mx.example"}});
    upstream_.latency = milliseconds{50};
    std::vector<DnsAnswer> answers(100);
    int done = 0;
    for (DnsAnswer& answer : answers) {
        world_.spawn(world_.shard(), ask_into(*cache_, "a.example", RecordType::mx, answer, done));
    }
    EXPECT_TRUE(world_.run_until([&] { return done == 100; }));
    EXPECT_EQ(asked(), 1U);
    EXPECT_EQ(cache_->counters().joined, 99U);
    for (const DnsAnswer& answer : answers)
        EXPECT_EQ(answer.status, DnsStatus::ok);
    EXPECT_LT(world_.elapsed(), milliseconds{60});
}

TEST_F(CachedResolverTest, lookups_beyond_the_limit_wait_in_order) {
    make({.lanes = {.places = 4, .lingering = 0}});
    upstream_.latency = milliseconds{100};
    std::vector<DnsAnswer> answers(12);
    int done = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        world_.spawn(world_.shard(), ask_into(*cache_, "d" + std::to_string(i) + ".example",
                                              RecordType::mx, answers[i], done));
    }
    EXPECT_TRUE(world_.run_until([&] { return done == 12; }));
    EXPECT_EQ(upstream_.most_at_once, 4U);
    EXPECT_EQ(cache_->counters().delayed, 8U);
    EXPECT_GE(world_.elapsed(), milliseconds{300});
    EXPECT_LT(world_.elapsed(), milliseconds{350});
    std::vector<std::string> in_order;
    for (int i = 0; i < 12; ++i)
        in_order.push_back("d" + std::to_string(i) + ".example MX");
    EXPECT_EQ(upstream_.asked, in_order);
    // And the places are free again.
    EXPECT_EQ(ask("later.example").status, DnsStatus::nxdomain);
    EXPECT_EQ(cache_->counters().delayed, 8U);
}

// What a domain needs after its MX comes before the next domain.
TEST_F(CachedResolverTest, lookups_for_mx_wait_behind_all_others) {
    make({.lanes = {.places = 1, .lingering = 0}});
    upstream_.latency = milliseconds{100};
    std::vector<DnsAnswer> answers(5);
    int done = 0;
    const std::vector<std::pair<std::string, RecordType>> questions{
        {"a.example", RecordType::mx},
        {"b.example", RecordType::mx},
        {"c.example", RecordType::mx},
        {"mx.example", RecordType::a},
        {"mx.example", RecordType::aaaa}};
    for (std::size_t i = 0; i < questions.size(); ++i) {
        world_.spawn(world_.shard(),
                     ask_into(*cache_, questions[i].first, questions[i].second, answers[i], done));
    }
    EXPECT_TRUE(world_.run_until([&] { return done == 5; }));
    EXPECT_EQ(upstream_.asked,
              (std::vector<std::string>{"a.example MX", "mx.example A", "mx.example AAAA",
                                        "b.example MX", "c.example MX"}));
    EXPECT_EQ(ask("later.example").status, DnsStatus::nxdomain);  // the place is free again
}

// Bug: while other lookups always waited, none for MX was made.
TEST_F(CachedResolverTest, lookups_for_mx_are_not_starved) {
    make({.lanes = {.places = 1, .lingering = 0}});
    upstream_.latency = milliseconds{100};
    constexpr std::size_t kOthers = 8;
    std::vector<DnsAnswer> answers(kOthers + 2);
    int done = 0;
    const auto begin = [&](const std::string& name, RecordType type, std::size_t i) {
        world_.spawn(world_.shard(), ask_into(*cache_, name, type, answers[i], done));
    };
    begin("first.example", RecordType::mx, kOthers);
    begin("second.example", RecordType::mx, kOthers + 1);
    for (std::size_t i = 0; i < kOthers; ++i)
        begin("mx" + std::to_string(i) + ".example", RecordType::a, i);
    EXPECT_TRUE(world_.run_until([&] { return done == kOthers + 2; }));
    ASSERT_EQ(upstream_.asked.size(), kOthers + 2);
    EXPECT_EQ(upstream_.asked[LookupLanes::kMxTurn], "second.example MX");
}

TEST_F(CachedResolverTest, too_many_waiting_are_refused_and_not_remembered) {
    make({.lanes = {.places = 1, .lingering = 0, .waiting = 1}});
    upstream_.latency = milliseconds{100};
    std::vector<DnsAnswer> answers(3);
    int done = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        world_.spawn(world_.shard(), ask_into(*cache_, "d" + std::to_string(i) + ".example",
                                              RecordType::mx, answers[i], done));
    }
    EXPECT_TRUE(world_.run_until([&] { return done == 3; }));
    EXPECT_EQ(answers[2].status, DnsStatus::servfail);
    EXPECT_EQ(cache_->counters().shed, 1U);
    EXPECT_EQ(ask("d2.example").status, DnsStatus::nxdomain);
}

// ---- silent servers

// M3: two thousand silent names, then a good one, for every type that mail asks for.
TEST_F(CachedResolverTest, silent_names_do_not_keep_a_good_one_waiting) {
    for (const RecordType type : {RecordType::mx, RecordType::a, RecordType::aaaa, RecordType::txt,
                                  RecordType::tlsa, RecordType::srv}) {
        make();
        upstream_.silent = "silent";
        upstream_.latency = milliseconds{20};
        std::vector<DnsAnswer> answers(2000);
        int done = 0;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            world_.spawn(world_.shard(),
                         ask_into(*cache_, "silent" + std::to_string(i), type, answers[i], done));
        }
        DnsAnswer good;
        int good_done = 0;
        const core::Duration begin = world_.elapsed();
        world_.spawn(world_.shard(), ask_into(*cache_, "good.example", type, good, good_done));
        EXPECT_TRUE(world_.run_until([&] { return good_done == 1; }, hours{1}));
        EXPECT_LT(world_.elapsed() - begin, milliseconds{1500}) << to_string(type);
        EXPECT_EQ(good.status, DnsStatus::nxdomain);
        EXPECT_TRUE(world_.run_until([&] { return done == 2000; }, hours{1}));
        // The last of them had its patient lookup; those that found the slow lane full had none.
        EXPECT_LT(world_.elapsed() - begin, seconds{60});
        for (const DnsAnswer& answer : answers)
            EXPECT_EQ(answer.status, DnsStatus::timeout);
    }
}

// M3: who was silent lately does not take a fast place again.
TEST_F(CachedResolverTest, a_name_that_was_silent_begins_in_the_slow_lane) {
    make({.lanes = {.places = 1, .lingering = 0}});
    upstream_.silent = "silent";
    EXPECT_EQ(ask("silent.example").status, DnsStatus::timeout);
    EXPECT_EQ(upstream_.brief, 1U);
    pass(CachedResolver::kFailureTtl);
    EXPECT_EQ(ask("silent.example").status, DnsStatus::timeout);
    EXPECT_EQ(upstream_.brief, 1U);
    pass(CachedResolver::kFailureTtl);
    upstream_.silent = "nobody";
    upstream_.mx("silent.example", {{10, "mx.example"}}, 30);
    EXPECT_EQ(ask("silent.example").status, DnsStatus::ok);
    EXPECT_EQ(upstream_.brief, 1U);
    pass(seconds{31});  // it has answered: it is as good as any other
    EXPECT_EQ(ask("silent.example").status, DnsStatus::ok);
    EXPECT_EQ(upstream_.brief, 2U);
}

// M3: a server that takes longer than a short try is waited for as ever.
TEST_F(CachedResolverTest, a_slow_answer_is_an_answer) {
    make();
    upstream_.mx("slow.example", {{10, "mx.example"}});
    upstream_.latency = seconds{4};
    EXPECT_EQ(ask("slow.example").status, DnsStatus::ok);
}

// SIGTERM: whoever waits for a place is told at once, and nobody is asked any more.
TEST_F(CachedResolverTest, stopping_ends_all_that_wait) {
    make({.lanes = {.places = 1, .lingering = 1, .slow = 1, .slow_waiting = 100}});
    upstream_.silent = "silent";
    std::vector<DnsAnswer> answers(200);
    int done = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        world_.spawn(world_.shard(), ask_into(*cache_, "silent" + std::to_string(i), RecordType::mx,
                                              answers[i], done));
    }
    world_.run_for(seconds{5});
    const core::Duration begin = world_.elapsed();
    cache_->stop();
    // Those under way are the channel's to end; here they take their time.
    EXPECT_TRUE(world_.run_until([&] { return done >= 197; }, seconds{1}));
    EXPECT_LT(world_.elapsed() - begin, milliseconds{10});
    EXPECT_TRUE(world_.run_until([&] { return done == 200; }, seconds{30}));
    const std::size_t before = asked();
    EXPECT_EQ(ask("good.example").status, DnsStatus::servfail);
    EXPECT_EQ(asked(), before);
}

TEST(SilentNames, forgets_the_first_and_what_is_old) {
    SilentNames names;
    const core::Instant start{};
    for (std::size_t i = 0; i <= SilentNames::kMost; ++i)
        names.note("n" + std::to_string(i), start);
    EXPECT_EQ(names.size(), SilentNames::kMost);
    EXPECT_FALSE(names.contains("n0", start));
    EXPECT_TRUE(names.contains("n1", start));
    EXPECT_FALSE(names.contains("n1", start + SilentNames::kFor));
    names.forget("n1");
    EXPECT_FALSE(names.contains("n1", start));
}

TEST_F(CachedResolverTest, the_least_recently_used_goes_first) {
    make({.entries = 3});
    for (const char* name : {"a.example", "b.example", "c.example"})
        ask(name);
    ask("a.example");
    ask("d.example");  // b is the one not used for longest
    EXPECT_EQ(asked(), 4U);
    EXPECT_EQ(cache_->counters().evicted, 1U);
    EXPECT_EQ(cache_->counters().entries, 3U);
    ask("a.example");
    ask("c.example");
    ask("d.example");
    EXPECT_EQ(asked(), 4U);
    ask("b.example");
    EXPECT_EQ(asked(), 5U);
}

TEST_F(CachedResolverTest, octets_are_bounded_too) {
    make({.octets = 20000});
    for (int i = 0; i < 50; ++i) {
        const std::string name = "d" + std::to_string(i) + ".example";
        upstream_.set(name, RecordType::txt, DnsStatus::ok)
            .records.push_back({name, RecordType::txt, 300, RawData{std::string(1000, 'x')}});
        EXPECT_EQ(ask(name, RecordType::txt).status, DnsStatus::ok);
    }
    EXPECT_LT(cache_->counters().entries, 20U);
    EXPECT_GT(cache_->counters().entries, 5U);
    const std::string name = "huge.example";
    upstream_.set(name, RecordType::txt, DnsStatus::ok)
        .records.push_back({name, RecordType::txt, 300, RawData{std::string(30000, 'x')}});
    EXPECT_EQ(ask(name, RecordType::txt).status, DnsStatus::ok);
    EXPECT_EQ(ask(name, RecordType::txt).status, DnsStatus::ok);
    EXPECT_GT(cache_->counters().entries, 5U);  // what never fits throws nothing out
}

TEST_F(CachedResolverTest, addresses_rotate) {
    make();
    upstream_.addresses("mx.example", {"192.0.2.1", "192.0.2.2", "192.0.2.3"});
    std::string first;
    for (int i = 0; i < 4; ++i) {
        const DnsAnswer answer = ask("mx.example", RecordType::a);
        ASSERT_EQ(answer.records.size(), 3U);
        first += std::get<core::IpAddress>(answer.records[0].data).to_string().back();
    }
    EXPECT_EQ(first, "1231");
}

TEST_F(CachedResolverTest, a_name_that_cannot_be_asked_for_does_not_exist) {
    make();
    EXPECT_EQ(ask("a..b").status, DnsStatus::nxdomain);
    EXPECT_EQ(asked(), 0U);
}

}  // namespace
}  // namespace dns
