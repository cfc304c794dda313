#include "metrics/exposition.h"

#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "metrics/catalogue.h"
#include "metrics/process.h"

namespace metrics {
namespace {

using namespace std::chrono_literals;

constexpr core::WallTime kNow{core::Duration{1'795'383'000'000'000'000}};

class ExpositionTest : public testing::Test {
  protected:
    ExpositionTest() : one_(2), two_(2) {
        node_.version = "0.1.0";
        node_.io_backend_reason = "probed";
    }

    std::string page() const {
        const std::array<const ShardMetrics*, 2> shards{&one_, &two_};
        return render(shards, {"other", "example.com"}, node_, kNow);
    }
    // The value of a sample, or "none".
    std::string value(const std::string& sample) const { return value_in(page(), sample); }
    static std::string value_in(const std::string& page, const std::string& sample) {
        std::istringstream lines(page);
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with(sample + " ")) return line.substr(sample.size() + 1);
        }
        return "none";
    }

    ShardMetrics one_;
    ShardMetrics two_;
    NodeFacts node_;
};

TEST_F(ExpositionTest, tenants_have_labels_up_to_a_limit) {
    node_.tenant_names = {"default", "acme"};
    one_.tenants().count(0, Outcome::bounced);
    one_.tenants().count(1, Outcome::delivered);
    two_.tenants().count(1, Outcome::delivered);
    EXPECT_EQ(value(R"(posthaste_tenant_messages_total{tenant="default",outcome="bounced"})"), "1");
    EXPECT_EQ(value(R"(posthaste_tenant_messages_total{tenant="acme",outcome="delivered"})"), "2");
    EXPECT_EQ(value(R"(posthaste_tenant_messages_total{tenant="other",outcome="delivered"})"),
              "none");
    two_.tenants().count(kMostTenantLabels - 1, Outcome::delivered);
    two_.tenants().count(999'999, Outcome::delivered);
    EXPECT_EQ(value(R"(posthaste_tenant_messages_total{tenant="other",outcome="delivered"})"), "2");
}

TEST_F(ExpositionTest, sums_the_shards) {
    one_.received(Protocol::smtp);
    two_.received(Protocol::smtp);
    two_.received(Protocol::http);
    one_.rejected(Protocol::smtp, Rejection::relay_denied);
    one_.session_opened(Protocol::smtp);
    two_.session_opened(Protocol::smtp);
    two_.session_closed(Protocol::smtp);
    one_.delivery(1, Outcome::delivered);
    two_.delivery(1, Outcome::delivered);
    two_.delivery(0, Outcome::deferred);
    one_.connect(1, Connect::greeting);
    two_.connection_opened(1);
    one_.throttled(Throttle::message_rate);
    one_.ambiguous_end();
    EXPECT_EQ(value(R"(posthaste_messages_received_total{protocol="smtp",tenant="default"})"), "2");
    EXPECT_EQ(value(R"(posthaste_messages_received_total{protocol="http",tenant="default"})"), "1");
    EXPECT_EQ(value(R"(posthaste_messages_rejected_total{protocol="smtp",reason="relay_denied"})"),
              "1");
    EXPECT_EQ(value(R"(posthaste_sessions_total{protocol="smtp"})"), "2");
    EXPECT_EQ(value(R"(posthaste_sessions_open{protocol="smtp"})"), "1");
    EXPECT_EQ(value(R"(posthaste_deliveries_total{provider="example.com",outcome="delivered"})"),
              "2");
    EXPECT_EQ(value(R"(posthaste_deliveries_total{provider="other",outcome="deferred"})"), "1");
    EXPECT_EQ(value(R"(posthaste_connections_total{provider="example.com",result="greeting"})"),
              "1");
    EXPECT_EQ(value(R"(posthaste_connections_open{provider="example.com"})"), "1");
    EXPECT_EQ(value(R"(posthaste_throttled_total{reason="message_rate"})"), "1");
    EXPECT_EQ(value("posthaste_ambiguous_eod_total"), "1");
}

TEST_F(ExpositionTest, tls_sessions_appear_when_there_were_some) {
    const std::string unverified =
        R"(posthaste_tls_sessions_total{provider="other",policy="opportunistic",)"
        R"(result="unverified"})";
    const std::string untrusted =
        R"(posthaste_tls_sessions_total{provider="example.com",policy="verify",)"
        R"(result="untrusted"})";
    EXPECT_EQ(value(unverified), "none");
    one_.tls_session(0, TlsPolicy::opportunistic, TlsResult::unverified);
    two_.tls_session(0, TlsPolicy::opportunistic, TlsResult::unverified);
    two_.tls_session(1, TlsPolicy::verify, TlsResult::untrusted);
    EXPECT_EQ(value(unverified), "2");
    EXPECT_EQ(value(untrusted), "1");
}

TEST_F(ExpositionTest, recipients_that_travel_are_counted_once) {
    one_.entered(Queue::scheduled, 10);
    two_.left(Queue::scheduled, 3);
    two_.entered(Queue::ready, 3);
    one_.left(Queue::in_flight);  // seen before the other shard's entry: not negative
    EXPECT_EQ(value(R"(posthaste_queue_recipients{state="scheduled"})"), "7");
    EXPECT_EQ(value(R"(posthaste_queue_recipients{state="ready"})"), "3");
    EXPECT_EQ(value(R"(posthaste_queue_recipients{state="in_flight"})"), "0");
}

// A scrape once said that nothing waited, as thirty recipients were deferred while it was read.
TEST_F(ExpositionTest, recipients_that_change_queues_during_a_scrape_are_counted) {
    constexpr int kWaiting = 30;
    one_.entered(Queue::in_flight, kWaiting);
    for (int round = 0; round < 500; ++round) {
        const Queue from = round % 2 == 0 ? Queue::in_flight : Queue::scheduled;
        const Queue to = round % 2 == 0 ? Queue::scheduled : Queue::in_flight;
        std::thread shard([&] {
            for (int i = 0; i < kWaiting; ++i) {
                one_.left(from);
                one_.entered(to);
            }
        });
        const std::string scrape = page();
        shard.join();
        const int counted =
            std::stoi(value_in(scrape, R"(posthaste_queue_recipients{state="scheduled"})")) +
            std::stoi(value_in(scrape, R"(posthaste_queue_recipients{state="in_flight"})"));
        ASSERT_GE(counted, kWaiting - 1) << "round " << round;
    }
}

TEST_F(ExpositionTest, the_oldest_is_the_oldest_of_all) {
    EXPECT_EQ(value("posthaste_queue_oldest_seconds"), "0");
    one_.oldest(kNow - 90s);
    two_.oldest(kNow - 30s);
    EXPECT_EQ(value("posthaste_queue_oldest_seconds"), "90");
    one_.oldest({});
    EXPECT_EQ(value("posthaste_queue_oldest_seconds"), "30");
    two_.oldest(kNow + 5s);  // a clock set back
    EXPECT_EQ(value("posthaste_queue_oldest_seconds"), "0");
}

TEST_F(ExpositionTest, the_histogram_is_cumulative) {
    one_.finished(1ms);
    two_.finished(7ms);
    two_.finished(24h * 30);
    EXPECT_EQ(value(R"(posthaste_delivery_seconds_bucket{le="0.005"})"), "1");
    EXPECT_EQ(value(R"(posthaste_delivery_seconds_bucket{le="0.01"})"), "2");
    EXPECT_EQ(value(R"(posthaste_delivery_seconds_bucket{le="432000"})"), "2");
    EXPECT_EQ(value(R"(posthaste_delivery_seconds_bucket{le="+Inf"})"), "3");
    EXPECT_EQ(value("posthaste_delivery_seconds_count"), "3");
    EXPECT_EQ(std::stod(value("posthaste_delivery_seconds_sum")), 24 * 30 * 3600 + 0.008);
}

TEST_F(ExpositionTest, published_totals_appear) {
    EngineTotals engine;
    engine.enters = 5;
    engine.buffers_exhausted = 2;
    engine.longest_turn_ns = 1'500'000;
    engine.busy_ns = 1'000'000'000;
    engine.idle_ns = 3'000'000'000;
    two_.publish(engine);
    DnsTotals dns;
    dns.lookups[2][4] = 9;
    dns.cache_hits = 8;
    one_.publish(dns);
    two_.publish(dns);
    EXPECT_EQ(value(R"(posthaste_io_enters_total{shard="1"})"), "5");
    EXPECT_EQ(value(R"(posthaste_io_enters_total{shard="0"})"), "0");
    EXPECT_EQ(value(R"(posthaste_io_buffers_exhausted_total{shard="1"})"), "2");
    EXPECT_EQ(value(R"(posthaste_loop_longest_turn_seconds{shard="1"})").substr(0, 6), "0.0015");
    EXPECT_EQ(value(R"(posthaste_shard_busy_ratio{shard="1"})"), "0.25");
    EXPECT_EQ(value(R"(posthaste_dns_lookups_total{type="mx",result="timeout"})"), "18");
    EXPECT_EQ(value(R"(posthaste_dns_cache_total{result="hit"})"), "16");
}

TEST_F(ExpositionTest, shows_the_node_and_the_process) {
    node_.memory_limit_bytes = 1234;
    node_.events_dropped = 3;
    EXPECT_EQ(value(R"(posthaste_build_info{version="0.1.0"})"), "1");
    EXPECT_EQ(value(R"(posthaste_io_backend_info{backend="io_uring",reason="probed"})"), "1");
    EXPECT_EQ(value("posthaste_memory_limit_bytes"), "1234");
    EXPECT_EQ(value("posthaste_events_dropped_total"), "3");
    EXPECT_GT(std::stod(value("process_resident_memory_bytes")), 1e6);
    EXPECT_GT(std::stod(value("process_open_fds")), 2);
    EXPECT_GE(std::stod(value("process_max_fds")), std::stod(value("process_open_fds")));
    const double age =
        static_cast<double>(time(nullptr)) - std::stod(value("process_start_time_seconds"));
    EXPECT_GT(age, -5);
    EXPECT_LT(age, 600);
}

TEST(Process, counts_the_time_it_uses) {
    const double before = process_facts().cpu_seconds;
    volatile std::uint64_t work = 0;
    while (process_facts().cpu_seconds < before + 0.02)
        work = work + 1;
    EXPECT_GT(work, 0U);
}

// Listing them all would stop the loop where there are hundreds of thousands.
TEST(Process, counts_its_descriptors_without_listing_all) {
    const std::uint64_t before = process_facts().open_fds;
    std::vector<int> more;
    for (int i = 0; i < 100; ++i)
        more.push_back(::dup(STDERR_FILENO));
    EXPECT_EQ(process_facts().open_fds, before + more.size());
    EXPECT_EQ(listed_fds(kMostListed), before + more.size());
    EXPECT_EQ(listed_fds(50), 50U);
    for (const int each : more)
        ::close(each);
    EXPECT_EQ(process_facts().open_fds, before);
}

TEST_F(ExpositionTest, is_the_catalogue_and_nothing_else) {
    std::set<std::string> described;
    std::istringstream lines(page());
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("# HELP ")) continue;
        EXPECT_TRUE(described.insert(line.substr(7, line.find(' ', 7) - 7)).second) << line;
    }
    std::set<std::string> expected;
    for (const Metric* metric : kCatalogue)
        expected.emplace(metric->name);
    EXPECT_EQ(described, expected);
}

TEST_F(ExpositionTest, series_are_bounded) {
    const ShardMetrics many(1'000'000);
    const std::array<const ShardMetrics*, 1> shards{&many};
    std::vector<std::string> names{"other"};
    for (int i = 1; i < 100'000; ++i)
        names.push_back("d" + std::to_string(i) + ".example");
    const std::string text = render(shards, names, node_, kNow);
    EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 200 * 12 + 400);
}

TEST_F(ExpositionTest, is_documented) {
    std::ifstream in(POSTHASTE_SOURCE_DIR "/docs/metrics.md");
    ASSERT_TRUE(in) << "docs/metrics.md";
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (const Metric* metric : kCatalogue) {
        std::string entry = "`" + std::string(metric->name);
        if (!metric->labels[0].empty()) entry += "{" + std::string(metric->labels[0]);
        if (!metric->labels[1].empty()) entry += "," + std::string(metric->labels[1]);
        if (!metric->labels[2].empty()) entry += "," + std::string(metric->labels[2]);
        if (!metric->labels[0].empty()) entry += "}";
        entry += "`";
        EXPECT_NE(text.find(entry), std::string::npos) << entry;
    }
}

// The tool of Prometheus (Debian package prometheus) knows the conventions better than we do.
TEST_F(ExpositionTest, passes_promtool) {
    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        GTEST_SKIP() << "promtool is not installed";
    }
    std::string file = testing::TempDir() + "posthaste-metrics-XXXXXX";
    const int fd = mkstemp(file.data());
    ASSERT_GE(fd, 0);
    close(fd);
    std::ofstream(file) << page();
    const int status = system(("promtool check metrics < " + file).c_str());
    unlink(file.c_str());
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace metrics
