// smtp_sink: takes mail and drops it; see --help. One SinkShard per thread of the engine.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "bench/load/sink_capture_files.h"
#include "bench/load/sink_session.h"
#include "core/base/ascii.h"
#include "core/base/units.h"
#include "core/io/runtime.h"
#include "core/net/listener.h"

namespace bench {
namespace {

constexpr const char* kDescription = R"(smtp_sink: an SMTP server that takes mail and forgets it.

Rules script its replies:  --rule 'STAGE[@domain]: part; part; ...'  (the first match decides)
  STAGE    CONNECT EHLO STARTTLS MAIL RCPT DATA CONTENT DOT RSET NOOP QUIT ANY  (DOT: the end)
  domain   example.com or *.example.com: of the recipient; of the first one from DATA on
  acts     CODE text (\n separates lines; 421 closes), delay 2s, close (after the reply),
           drop (FIN without the reply; a message dropped at DOT counts as taken), reset (RST),
           stall (silence), greylist 60s
  chooses  every N, first N, after N, chance P%, from 5s, until 60s
  --rule 'RCPT@slow.example: 451 4.7.1 try later; every 3'   --rule 'DOT: drop; chance 1%'
Modes:  normal, haraka (503 to what follows the final dot in one group; no CHUNKING),
        no-pipelining, helo-only.
SIGUSR1 writes the counters as JSON, SIGTERM and SIGINT do so and end.)";

struct Settings {
    SinkOptions options;
    std::string mode = "normal";
    std::string rtt = "0ms";
    std::string idle = "5m";
    std::vector<std::string> listen;
    std::vector<std::string> rules;
    std::string stats_file;
    std::size_t shards = 1;
    bool pin = false;
};

struct Shared {
    explicit Shared(const Settings& given) : settings(given) {}

    const Settings& settings;
    SinkRules rules;
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> open_connections{0};
    std::atomic<bool> failed{false};
    std::vector<std::unique_ptr<SinkCounters>> counters;
};

void write_report(const Shared& shared);

class SinkShard {
  public:
    SinkShard(core::Shard& shard, Shared& shared)
        : shard_(shard),
          shared_(shared),
          capture_(shared.settings.options.capture_dir, shard.id()),
          context_{shared.settings.options,
                   shared.rules,
                   *shared.counters[shard.id()],
                   ledger_,
                   nullptr,
                   {},
                   {},
                   {}},
          acceptors_(shard.reactor()),
          sessions_(shard.reactor()),
          background_(shard.reactor()),
          stopped_(shard.reactor()) {
        compose_greetings(context_);
        if (!shared.settings.options.capture_dir.empty()) context_.capture = &capture_;
    }

    core::Task<void> run() {
        if (!open()) {
            shared_.failed = true;
            shared_.stop = true;
        }
        for (auto& listener : listeners_)
            acceptors_.spawn(accept(listener.get()));
        if (shard_.id() == 0) announce();
        std::unique_ptr<core::SignalSource> signals;
        if (shard_.id() == 0) {
            signals = std::make_unique<core::SignalSource>(
                shard_, std::initializer_list<int>{SIGTERM, SIGINT, SIGUSR1});
            background_.spawn(obey(signals.get()));
        }
        while (!shared_.stop) {
            co_await stopped_.wait(shard_.now() + std::chrono::milliseconds{100});
            if (ledger_.is_open()) ledger_.flush();
        }
        for (auto& listener : listeners_)
            listener->stop();
        co_await acceptors_.close();
        for (auto& listener : listeners_)
            co_await listener->close();
        open_.for_each([](SinkSession& session) { session.abort(); });
        co_await sessions_.close();
        if (signals) signals->stop();
        co_await background_.close();
        if (ledger_.is_open()) ledger_.flush();
    }

  private:
    bool open() {
        const SinkOptions& options = shared_.settings.options;
        if (!options.tls_certificate.empty() && !open_tls()) return false;
        if (!options.ledger.empty()) {
            if (auto opened = ledger_.open(options.ledger); !opened) {
                fmt::print(stderr, "smtp_sink: {}\n", opened.error());
                return false;
            }
        }
        for (const auto& address : options.listen) {
            auto listener = std::make_unique<core::Listener>(shard_);
            if (auto opened = listener->open(address); !opened) {
                fmt::print(stderr, "smtp_sink: cannot listen on {}: {}\n", address.to_string(),
                           opened.error().message());
                return false;
            }
            listeners_.push_back(std::move(listener));
        }
        return true;
    }

    bool open_tls() {
        const SinkOptions& options = shared_.settings.options;
        auto identity = core::TlsIdentity::load(options.tls_certificate, options.tls_key);
        if (!identity) {
            fmt::print(stderr, "smtp_sink: {}\n", identity.error());
            return false;
        }
        tls_ = std::move(*core::TlsContext::server(*identity));
        if (!options.tls_tickets) {
            SSL_CTX_set_options(tls_->native(), SSL_OP_NO_TICKET);
            SSL_CTX_set_num_tickets(tls_->native(), 0);
        }
        return true;
    }

    void announce() {
        std::string addresses;
        for (const auto& listener : listeners_)
            addresses += " " + listener->address().to_string();
        fmt::print(stderr, "smtp_sink: ready{}\n", addresses);
    }

    core::Task<void> accept(core::Listener* listener) {
        for (;;) {
            auto stream = co_await listener->accept();
            if (!stream) co_return;
            sessions_.spawn(serve(std::move(stream)));
        }
    }

    core::Task<void> serve(std::unique_ptr<core::TcpStream> stream) {
        const std::uint64_t limit = shared_.settings.options.max_connections;
        SinkSession session(shard_, context_, std::move(stream), tls_.get());
        open_.push_back(session);
        if (shared_.open_connections.fetch_add(1) >= limit && limit > 0) {
            context_.counters.refused_connections.add();
            co_await session.refuse();
        } else {
            context_.counters.connections.add();
            co_await session.run();
        }
        shared_.open_connections.fetch_sub(1);
        session.unlink();
    }

    core::Task<void> obey(core::SignalSource* signals) {
        for (;;) {
            const int signal = co_await signals->next();
            if (signal == 0) co_return;
            if (signal == SIGUSR1) {
                write_report(shared_);
                continue;
            }
            shared_.stop = true;
            stopped_.set();
        }
    }

    core::Shard& shard_;
    Shared& shared_;
    SinkLedger ledger_;
    CaptureFiles capture_;
    SinkContext context_;
    std::vector<std::unique_ptr<core::Listener>> listeners_;
    std::unique_ptr<core::TlsContext> tls_;
    core::TaskGroup acceptors_;
    core::TaskGroup sessions_;
    core::TaskGroup background_;
    core::Event stopped_;
    core::IntrusiveList<SinkSession, SinkSessionTag> open_;
};

// The file is replaced whole, so that a reader never sees half of it.
void write_report(const Shared& shared) {
    const auto sum = [&shared](Counter SinkCounters::* which) {
        std::uint64_t total = 0;
        for (const auto& counters : shared.counters)
            total += (*counters.*which).get();
        return total;
    };
    std::uint64_t first = ~std::uint64_t{0};
    std::uint64_t last = 0;
    for (const auto& counters : shared.counters) {
        const std::uint64_t began = counters->first_accept_ns.get();
        if (began > 0) first = std::min(first, began);
        last = std::max(last, counters->last_accept_ns.get());
    }
    const double seconds = last > first ? static_cast<double>(last - first) / 1e9 : 0;
    std::string json = "{";
    const auto field = [&](std::string_view name, Counter SinkCounters::* which) {
        json += fmt::format("\"{}\": {}, ", name, sum(which));
    };
    field("connections", &SinkCounters::connections);
    field("refused_connections", &SinkCounters::refused_connections);
    field("messages", &SinkCounters::messages);
    field("recipients", &SinkCounters::recipients);
    field("unacknowledged", &SinkCounters::unacknowledged);
    field("octets", &SinkCounters::octets);
    field("by_data", &SinkCounters::by_data);
    field("by_bdat", &SinkCounters::by_bdat);
    field("rejected_recipients", &SinkCounters::rejected_recipients);
    field("rejected_messages", &SinkCounters::rejected_messages);
    field("after_dot_503", &SinkCounters::after_dot_503);
    field("violations", &SinkCounters::violations);
    field("tls_sessions", &SinkCounters::tls_sessions);
    field("tls_resumed", &SinkCounters::tls_resumed);
    field("tls_failed", &SinkCounters::tls_failed);
    field("reads", &SinkCounters::reads);
    field("writes", &SinkCounters::writes);
    json += fmt::format(
        "\"open_connections\": {}, \"first_accept_ns\": {}, \"last_accept_ns\": {}, "
        "\"seconds\": {:.6f}}}\n",
        shared.open_connections.load(), last > 0 ? first : 0, last, seconds);
    const std::string& path = shared.settings.stats_file;
    if (path.empty()) {
        std::cout << json << std::flush;
        return;
    }
    const std::string fresh = path + ".new";
    std::ofstream(fresh) << json;
    if (std::rename(fresh.c_str(), path.c_str()) != 0) std::perror("smtp_sink: stats file");
}

core::Task<void> run_shard(core::Shard* shard, Shared* shared) {
    SinkShard sink(*shard, *shared);
    co_await sink.run();
}

void declare(CLI::App& app, Settings& settings) {
    SinkOptions& options = settings.options;
    app.add_option("--listen", settings.listen, "address:port, repeatable (127.0.0.1:2600)");
    app.add_option("--shards", settings.shards, "threads")->capture_default_str();
    app.add_flag("--pin", settings.pin, "one CPU per thread");
    app.add_option("--hostname", options.hostname)->capture_default_str();
    app.add_option("--mode", settings.mode, "see above")
        ->check(CLI::IsMember({"normal", "haraka", "no-pipelining", "helo-only"}))
        ->capture_default_str();
    app.add_option("--rule", settings.rules, "see above, repeatable");
    app.add_option("--rtt", settings.rtt, "simulated round trip: each batch of replies leaves late")
        ->capture_default_str();
    app.add_flag("!--no-chunking", options.chunking, "do not offer CHUNKING");
    app.add_flag("!--no-8bitmime", options.eight_bit, "do not offer 8BITMIME");
    app.add_flag("!--no-smtputf8", options.smtputf8, "do not offer SMTPUTF8");
    app.add_flag("!--no-enhanced", options.enhanced_codes, "do not offer ENHANCEDSTATUSCODES");
    app.add_option("--size", options.max_size, "largest message, octets")->capture_default_str();
    app.add_option("--max-recipients", options.max_recipients, "per message, then 452")
        ->capture_default_str();
    app.add_option("--max-connections", options.max_connections, "at once, then 421; 0: no limit");
    app.add_option("--close-after", options.close_after, "messages per connection; 0: no limit");
    auto* certificate =
        app.add_option("--tls-cert", options.tls_certificate, "PEM chain: offers STARTTLS");
    auto* key = app.add_option("--tls-key", options.tls_key, "PEM key");
    certificate->needs(key);
    key->needs(certificate);
    app.add_flag("--tls-implicit", options.tls_implicit, "TLS from the first octet")
        ->needs(certificate);
    app.add_flag("!--no-tls-tickets", options.tls_tickets, "sessions cannot be resumed");
    app.add_option("--idle-timeout", settings.idle)->capture_default_str();
    app.add_option("--ledger", options.ledger,
                   "appends id, recipient, time, acknowledged or not, for each accepted recipient");
    app.add_option("--capture", options.capture_dir, "directory: one file per accepted message");
    app.add_option("--stats-file", settings.stats_file, "counters go here instead of stdout");
}

core::Result<void> interpret(Settings& settings, SinkRules& rules) {
    SinkOptions& options = settings.options;
    if (settings.listen.empty()) settings.listen.emplace_back("127.0.0.1:2600");
    for (const auto& text : settings.listen) {
        auto address = core::SocketAddress::parse(text);
        if (!address) return core::failure(address.error());
        options.listen.push_back(*address);
    }
    auto rtt = core::parse_duration(settings.rtt);
    auto idle = core::parse_duration(settings.idle);
    if (!rtt) return core::failure(rtt.error());
    if (!idle) return core::failure(idle.error());
    options.rtt = *rtt;
    options.idle_timeout = *idle;
    options.after_dot_503 = settings.mode == "haraka";
    options.pipelining = settings.mode != "no-pipelining";
    options.esmtp = settings.mode != "helo-only";
    if (settings.mode == "haraka") options.chunking = false;
    if (settings.shards == 0) settings.shards = core::available_cpus();
    for (const auto& text : settings.rules) {
        if (auto added = rules.add(text); !added) return added;
    }
    return {};
}

int run(int argc, char** argv) {
    CLI::App app{kDescription, "smtp_sink"};
    Settings settings;
    declare(app, settings);
    CLI11_PARSE(app, argc, argv);
    Shared shared(settings);
    if (auto understood = interpret(settings, shared.rules); !understood) {
        fmt::print(stderr, "smtp_sink: {}\n", understood.error());
        return 2;
    }
    for (std::size_t i = 0; i < settings.shards; ++i) {
        shared.counters.push_back(std::make_unique<SinkCounters>());
    }
    core::block_signals({SIGTERM, SIGINT, SIGUSR1});
    shared.rules.start(core::SystemClock{}.now());
    core::Runtime runtime({.shards = settings.shards,
                           .pin_threads = settings.pin,
                           .receive_buffers = 1024,
                           .receive_buffer_size = 16384});
    auto ran = runtime.run([&shared](core::Shard& shard) { return run_shard(&shard, &shared); });
    if (!ran) {
        fmt::print(stderr, "smtp_sink: {}\n", ran.error());
        return 1;
    }
    write_report(shared);
    return shared.failed ? 1 : 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    return bench::run(argc, argv);
}
