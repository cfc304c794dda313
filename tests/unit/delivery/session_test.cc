#include "relay/delivery/session.h"

#include <deque>
#include <functional>

#include <gtest/gtest.h>

#include "core/runtime/next_turn.h"
#include "tests/unit/core/net/scripted_stream.h"
#include "tests/unit/delivery/delivery_scene.h"

namespace relay {
namespace {

using core::test::ScriptedStream;
using std::chrono::seconds;

// The path of these tests: a list of recipients, and what it was told.
class ListedWork final : public WorkSource {
  public:
    explicit ListedWork(const SiteFacts& site) : site_(site) {}

    Recipient& add(const std::string& address) {
        messages_.push_back(std::make_unique<Message>());
        Message& message = *messages_.back();
        message.sender = "a@from.example";
        message.content.append("Subject: x\r\n\r\nbody\r\n");
        message.content.seal();
        message.recipients.push_back(std::make_unique<Recipient>(message, address));
        Recipient& recipient = *message.recipients.back();
        waiting.push_back(&recipient);
        return recipient;
    }

    const SiteFacts& site() const override { return site_; }
    Manners& manners() override { return manners_; }
    void not_opened(Worker&, const NotOpened&) override { FAIL(); }
    void established(Worker&, const Extensions& offered) override {
        pipelining = offered.pipelining;
    }
    std::vector<std::string> waiting_domains() override { return {}; }
    Taken take_work(Worker&, Delivery& delivery, const Allowance&) override {
        if (waiting.empty()) return Taken::nothing;
        delivery.recipients.push_back(waiting.front());
        delivery.expires = core::WallTime::max() - std::chrono::hours{1};
        waiting.pop_front();
        return Taken::taken;
    }
    void settle(Worker& worker, Delivery& delivery) override {
        for (const Disposition& result : delivery.transaction.results)
            results.push_back(result);
        delivery.recipients.clear();
        if (on_settle) on_settle(worker);
    }
    bool keeps_idle() const override { return keep_idle; }
    void becomes_idle(Worker& worker) override {
        ++idled;
        if (on_idle) on_idle(worker);
    }
    void becomes_busy(Worker&) override { ++busied; }
    bool carries_more(const std::string&, std::size_t) const override { return false; }
    void turned_away(Worker&, const Disposition&) override {}
    void ended(Worker&, SessionEnd) override {}

    std::deque<Recipient*> waiting;
    std::vector<Disposition> results;
    bool pipelining = false;
    bool keep_idle = false;
    int idled = 0;
    int busied = 0;
    std::function<void(Worker&)> on_idle;
    std::function<void(Worker&)> on_settle;

  private:
    const SiteFacts& site_;
    Manners manners_{PipelineMode::next, true};
    std::vector<std::unique_ptr<Message>> messages_;
};

// What stands between a Session and the path's pool.
class Passer final : public Worker {
  public:
    explicit Passer(std::optional<Detour> detour = {}) : Worker(std::move(detour)) {}
    void wake() override { session->wake(); }
    void retire() override { session->retire(); }
    void abort() override { session->abort(); }
    const std::string& endpoint() const override { return session->endpoint(); }
    std::size_t completed() const override { return session->completed(); }
    Session* session = nullptr;
};

class SessionTest : public testing::Test {
  protected:
    SessionTest() {
        approach_.target.host = "mx.example";
        approach_.target.address = *core::IpAddress::parse("192.0.2.7");
        connect();
    }

    // To a server that has said nothing yet.
    void connect() {
        auto stream = std::make_unique<ScriptedStream>(scene_.shard().reactor());
        server_ = stream.get();
        stream_ = std::move(stream);
    }

    void greet(const std::string& ehlo = "250-mx\r\n250 PIPELINING\r\n") {
        server_->say("220 mx\r\n");
        server_->say(ehlo);
    }

    static core::Task<void> run(SessionTest* test) {
        auto opened = co_await test->session_->open();
        if (opened) {
            test->end_ = co_await test->session_->serve();
        } else {
            test->refusal_ = std::move(opened.error());
        }
        test->heard_ = test->server_->heard();
        co_await test->session_->close();
    }
    static core::Task<void> bring_work(SessionTest* test, Worker* worker) {
        co_await core::NextTurn{test->scene_.shard().reactor()};
        test->work_.add("r@to.example");
        worker->wake();
    }
    // From the greeting to the end.
    void run_session() {
        session_.emplace(SessionParts{scene_.context, work_, passer_, openings_,
                                      scene_.site.limits.time_limits(), id_},
                         approach_, std::move(stream_));
        passer_.session = &*session_;
        scene_.run(run(this));
    }

    DeliveryScene scene_;
    const std::string id_ = "s1";
    Approach approach_;
    SessionOpenings openings_{nullptr, scene_.site};
    ListedWork work_{scene_.site};
    Passer passer_;
    std::unique_ptr<core::ByteStream> stream_;
    ScriptedStream* server_ = nullptr;
    std::optional<Session> session_;
    std::optional<SessionEnd> end_;
    std::optional<Session::Refusal> refusal_;
    std::string heard_;
};

constexpr std::string_view kFirst =
    "MAIL FROM:<a@from.example>\r\nRCPT TO:<r@to.example>\r\nDATA\r\n";
constexpr std::string_view kTaken = "250 ok\r\n250 ok\r\n354 go\r\n";

TEST_F(SessionTest, sends_what_there_is_says_quit_and_names_its_peer) {
    work_.add("r@to.example");
    work_.add("s@to.example");
    greet();
    server_->say(std::string(kTaken));
    server_->say("250 2.0.0 first\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    server_->say("250 2.0.0 second\r\n");
    server_->say("221 bye\r\n");
    run_session();
    ASSERT_EQ(end_, SessionEnd::served);
    EXPECT_TRUE(heard_.starts_with("EHLO me.example\r\n" + std::string(kFirst)));
    EXPECT_NE(heard_.find("body\r\n.\r\nMAIL FROM"), std::string::npos);  // one flight
    EXPECT_TRUE(heard_.ends_with("QUIT\r\n"));
    ASSERT_EQ(work_.results.size(), 2U);
    for (const Disposition& result : work_.results) {
        EXPECT_EQ(result.outcome, Outcome::delivered);
        EXPECT_EQ(result.peer_name, "mx.example");
        EXPECT_EQ(result.peer_address, "192.0.2.7");
        EXPECT_EQ(result.source_address, "192.0.2.1");
        EXPECT_EQ(result.session_id, "s1");
        EXPECT_TRUE(result.tls_protocol.empty());
    }
    EXPECT_TRUE(work_.pipelining);
    EXPECT_TRUE(scene_.hosts.worked_lately("192.0.2.7:25", scene_.now()));
}

TEST_F(SessionTest, waits_idle_until_it_is_woken_and_until_its_time_is_over) {
    greet();
    work_.keep_idle = true;
    work_.on_idle = [this](Worker& worker) {
        EXPECT_EQ(scene_.context.idle, 1U);
        if (work_.idled == 1) scene_.world.spawn(scene_.shard(), bring_work(this, &worker));
    };
    server_->say(std::string(kTaken), seconds{1});
    server_->say("250 first\r\n");
    server_->say("221 bye\r\n", std::chrono::minutes{1});
    run_session();
    EXPECT_EQ(work_.results.size(), 1U);
    EXPECT_EQ(work_.idled, 2);
    EXPECT_EQ(work_.busied, 2);
    EXPECT_EQ(scene_.context.idle, 0U);
    EXPECT_EQ(end_, SessionEnd::served);
    EXPECT_TRUE(heard_.ends_with("QUIT\r\n"));  // after idle_timeout
}

TEST_F(SessionTest, ends_after_max_deliveries_and_a_retired_one_after_what_it_has_begun) {
    for (const bool retired : {false, true}) {
        work_.waiting.clear();
        work_.results.clear();
        for (const char* address : {"r@to.example", "s@to.example", "t@to.example"})
            work_.add(address);
        if (retired) {
            work_.on_settle = [](Worker& worker) { worker.retire(); };
        } else {
            scene_.site.limits.max_deliveries_per_connection = 2;
        }
        connect();
        greet();
        server_->say(std::string(kTaken));
        server_->say("250 first\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        server_->say("250 second\r\n");
        server_->say("221 bye\r\n");
        run_session();
        EXPECT_EQ(work_.results.size(), 2U);
        EXPECT_EQ(work_.waiting.size(), 1U);
        scene_.site.limits = {};
    }
}

TEST_F(SessionTest, a_server_that_limits_its_sessions_is_given_no_more) {
    work_.add("r@to.example");
    work_.add("s@to.example");
    greet("250-mx\r\n250 LIMITS MAILMAX=1\r\n");
    for (const char* reply : {"250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 first\r\n"})
        server_->say(reply);
    server_->say("221 bye\r\n");
    run_session();
    EXPECT_EQ(work_.results.size(), 1U);
    EXPECT_EQ(work_.waiting.size(), 1U);
}

TEST_F(SessionTest, what_was_not_answered_when_the_connection_is_lost_is_deferred) {
    work_.add("r@to.example");
    greet();
    server_->say(std::string(kTaken));  // and then nothing more
    run_session();
    EXPECT_EQ(end_, SessionEnd::fruitless);
    ASSERT_EQ(work_.results.size(), 1U);
    EXPECT_EQ(work_.results[0].outcome, Outcome::deferred);
    EXPECT_TRUE(work_.results[0].ambiguous_end);
}

TEST_F(SessionTest, without_work_a_session_is_not_fruitless) {
    greet();
    run_session();
    EXPECT_EQ(end_, SessionEnd::served);
}

TEST_F(SessionTest, a_detour_ends_with_its_mail) {
    Passer detour{Detour{}};
    work_.keep_idle = true;
    greet();
    server_->say("221 bye\r\n");
    session_.emplace(SessionParts{scene_.context, work_, detour, openings_,
                                  scene_.site.limits.time_limits(), id_},
                     approach_, std::move(stream_));
    detour.session = &*session_;
    scene_.run(run(this));
    EXPECT_EQ(work_.idled, 0);
    EXPECT_TRUE(heard_.ends_with("QUIT\r\n"));
}

class SessionRefusal : public SessionTest {
  protected:
    // The server says so instead of all that the session's opening waits for.
    Session::Refusal refused_by(std::initializer_list<std::string> replies) {
        connect();
        refusal_.reset();
        for (const std::string& reply : replies)
            server_->say(reply);
        run_session();
        EXPECT_TRUE(refusal_.has_value());
        return refusal_.value_or(Session::Refusal{});
    }
};

TEST_F(SessionRefusal, is_the_hosts_and_passes_where_the_host_says_so) {
    const Session::Refusal busy = refused_by({"421 busy\r\n"});
    EXPECT_EQ(busy.how, HostWalk::Failed::refused);
    EXPECT_EQ(busy.why.outcome, Outcome::deferred);
    const Session::Refusal blocked = refused_by({"554 go away\r\n"});
    EXPECT_EQ(blocked.how, HostWalk::Failed::host);
    EXPECT_EQ(blocked.why.outcome, Outcome::deferred);
    const Session::Refusal never = refused_by({"521 no mail here\r\n"});
    EXPECT_EQ(never.how, HostWalk::Failed::this_try);
    EXPECT_EQ(never.why.outcome, Outcome::bounced);
    scene_.site.limits.bounce_upon_5xx_greeting = true;
    EXPECT_EQ(refused_by({"554 go away\r\n"}).why.outcome, Outcome::bounced);
    EXPECT_EQ(refused_by({}).how, HostWalk::Failed::host);  // it closes
}

TEST_F(SessionRefusal, of_ehlo_is_followed_by_helo_where_that_is_enough) {
    const std::initializer_list<std::string> replies{"220 mx\r\n", "554 what\r\n"};
    EXPECT_EQ(refused_by(replies).again, Session::Again::no);
    approach_.hello = Approach::Hello::ehlo_or_helo;
    const Session::Refusal refusal = refused_by(replies);
    EXPECT_EQ(refusal.again, Session::Again::by_helo);
    EXPECT_EQ(refusal.how, HostWalk::Failed::this_try);
    EXPECT_EQ(refused_by({"220 mx\r\n"}).again, Session::Again::by_helo);  // it closes
    scene_.hosts.answers("192.0.2.7:25", scene_.now());
    EXPECT_EQ(refused_by({"220 mx\r\n"}).again, Session::Again::no);  // EHLO worked lately
}

TEST_F(SessionRefusal, of_tls_is_followed_by_clear_text_where_that_is_enough) {
    const std::initializer_list<std::string> replies{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n",
                                                     "454 not now\r\n"};
    approach_.target.demand.policy = TlsPolicy::encrypt;
    EXPECT_EQ(refused_by(replies).again, Session::Again::no);
    approach_.target.demand.policy = TlsPolicy::opportunistic;
    approach_.may_go_clear = true;
    const Session::Refusal refusal = refused_by(replies);
    EXPECT_EQ(refusal.again, Session::Again::in_clear_text);
    EXPECT_EQ(refusal.how, HostWalk::Failed::this_try);
    EXPECT_TRUE(scene_.tls.memory().is_avoided("mx.example:25", scene_.now()));
}

TEST_F(SessionRefusal, of_what_only_some_mail_wants_is_not_held_against_the_host) {
    approach_.target.demand.policy = TlsPolicy::encrypt;
    const Session::Refusal refusal = refused_by({"220 mx\r\n", "250 mx\r\n"});
    EXPECT_EQ(refusal.how, HostWalk::Failed::this_try);
    EXPECT_EQ(refusal.why.outcome, Outcome::deferred);
    scene_.site.tls_request = TlsRequest::required;
    EXPECT_EQ(refused_by({"220 mx\r\n", "250 mx\r\n"}).why.outcome, Outcome::bounced);
}

}  // namespace
}  // namespace relay
