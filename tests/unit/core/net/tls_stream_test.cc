// TlsStream over sockets: on io_uring and on the simulated network, orderly and ragged (short
// writes, one-octet segments, late completions).
#include "core/net/tls_stream.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/prng.h"
#include "core/net/tcp_stream.h"
#include "core/runtime/task_group.h"
#include "tests/unit/core/net/certificates.h"
#include "tests/unit/core/net/rig.h"

namespace core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Authority;

constexpr WallTime kNow{std::chrono::seconds{1'784'000'000}};

class TlsStreamTest : public testing::TestWithParam<std::string> {
  public:
    struct Ends {
        std::unique_ptr<TlsStream> client;
        std::unique_ptr<TlsStream> server;
    };

    TlsStreamTest()
        : rig_(test::make_rig(GetParam())),
          server_context_(std::move(*TlsContext::server(authority_.issue()))) {
        const TlsRoots roots = authority_.roots();
        client_context_ = std::move(*TlsContext::client(&roots, nullptr));
    }
    Shard& shard() { return rig_->shard(); }

    Task<Ends> connect_ends(TlsLevel level = TlsLevel::pkix, std::string name = "mx.example") {
        const test::Pair pair = co_await test::connected_pair(shard());
        server_handle_ = pair.server;
        Ends ends;
        TlsClientStart start{{level, name, {name}, {}}, kNow, nullptr, {}};
        ends.client = std::make_unique<TlsStream>(
            shard().reactor(),
            std::make_unique<TcpStream>(shard(), pair.client, pair.server_address,
                                        pair.client_address),
            std::make_unique<TlsEngine>(*client_context_, start));
        ends.server = std::make_unique<TlsStream>(
            shard().reactor(),
            std::make_unique<TcpStream>(shard(), pair.server, pair.client_address,
                                        pair.server_address),
            std::make_unique<TlsEngine>(*server_context_));
        co_return std::move(ends);
    }

    static Task<void> shake(TlsStream* stream, bool* done) { *done = co_await stream->handshake(); }

    Task<Ends> open_ends() {
        Ends ends = co_await connect_ends();
        bool client = false;
        bool server = false;
        TaskGroup both(shard().reactor());
        both.spawn(shake(ends.client.get(), &client));
        both.spawn(shake(ends.server.get(), &server));
        co_await both.close();
        EXPECT_TRUE(client) << ends.client->reason();
        EXPECT_TRUE(server) << ends.server->reason();
        co_return std::move(ends);
    }

    static Task<void> close(Ends* ends) {
        co_await ends->client->close();
        co_await ends->server->close();
    }

    static Task<std::string> read_exactly(ByteStream& stream, std::size_t length) {
        std::string all;
        while (all.size() < length) {
            const auto input = co_await stream.read();
            if (!input || input->empty()) break;
            const std::size_t take = std::min(input->size(), length - all.size());
            all += input->substr(0, take);
            stream.consume(take);
        }
        co_return all;
    }

    static Task<void> write_all(ByteStream* stream, const std::vector<std::string>* texts,
                                bool* done) {
        std::vector<iovec> parts;
        for (const std::string& text : *texts)
            parts.push_back(as_iovec(text));
        const auto written = co_await stream->write(parts);
        *done = written.has_value();
    }

    // A peer that says what it is told to, and no TLS.
    Task<void> open_against(std::string octets, bool then_close, TlsFault expected, int* error) {
        const test::Pair pair = co_await test::connected_pair(shard());
        TcpStream server(shard(), pair.server, pair.client_address, pair.server_address);
        TlsStream client(
            shard().reactor(),
            std::make_unique<TcpStream>(shard(), pair.client, pair.server_address,
                                        pair.client_address),
            std::make_unique<TlsEngine>(*client_context_, TlsClientStart{{}, kNow, nullptr, {}}));
        const Instant began = shard().now();
        client.set_deadline(began + milliseconds{300});
        if (!octets.empty()) co_await server.write(octets);
        if (then_close) rig_->half_close(pair.server);
        const bool opened = co_await client.handshake();
        EXPECT_FALSE(opened);
        EXPECT_EQ(client.fault(), expected);
        EXPECT_NE(client.reason(), "");
        *error = static_cast<int>((shard().now() - began) / milliseconds{1});
        co_await client.close();
        co_await server.close();
    }

    Authority authority_;
    std::unique_ptr<test::Rig> rig_;
    std::unique_ptr<TlsContext> server_context_;
    std::unique_ptr<TlsContext> client_context_;
    Handle server_handle_ = kNoHandle;
};

INSTANTIATE_TEST_SUITE_P(Rigs, TlsStreamTest, testing::Values("uring", "epoll", "sim", "ragged"));

TEST_P(TlsStreamTest, carries_lines_both_ways) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->open_ends();
        EXPECT_EQ(ends.client->engine().protocol(), "TLSv1.3");
        EXPECT_TRUE(ends.client->engine().authenticated());
        for (int i = 0; i < 20; ++i) {
            const std::string command = "NOOP " + std::to_string(i) + "\r\n";
            EXPECT_TRUE((co_await ends.client->write(command)).has_value());
            EXPECT_EQ(co_await read_exactly(*ends.server, command.size()), command);
            EXPECT_TRUE((co_await ends.server->write("250 ok\r\n")).has_value());
            EXPECT_EQ(co_await read_exactly(*ends.client, 8), "250 ok\r\n");
        }
        EXPECT_FALSE(ends.client->has_input());
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

// Parts of every size around a record's, gathered, in both directions at once.
TEST_P(TlsStreamTest, gathers_parts_into_records_in_order) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->open_ends();
        Prng prng{11};
        std::vector<std::string> texts;
        std::string all;
        for (const std::size_t size :
             {1U, 0U, 100U, 16383U, 16384U, 16385U, 3U, 40000U, 0U, 200000U, 2U}) {
            std::string text(size, '\0');
            for (char& octet : text)
                octet = static_cast<char>(prng.next());
            all += text;
            texts.push_back(std::move(text));
        }
        bool sent_there = false;
        bool sent_back = false;
        TaskGroup writers(self->shard().reactor());
        writers.spawn(write_all(ends.client.get(), &texts, &sent_there));
        writers.spawn(write_all(ends.server.get(), &texts, &sent_back));
        EXPECT_TRUE(co_await read_exactly(*ends.server, all.size()) == all);
        EXPECT_TRUE(co_await read_exactly(*ends.client, all.size()) == all);
        co_await writers.close();
        EXPECT_TRUE(sent_there && sent_back);
        EXPECT_TRUE((co_await ends.client->write(std::string_view{})).has_value());
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, a_message_of_ten_kilobytes_is_one_send) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->open_ends();
        const std::vector<std::string> texts(40, std::string(256, 'x'));
        const std::uint64_t sends = self->shard().io().stats().sends;
        bool sent = false;
        co_await write_all(ends.client.get(), &texts, &sent);
        EXPECT_TRUE(sent);
        if (GetParam() != "ragged") EXPECT_EQ(self->shard().io().stats().sends, sends + 1);
        EXPECT_EQ((co_await read_exactly(*ends.server, 10240)).size(), 10240U);
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, close_notify_is_an_end_and_its_lack_is_an_error) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        for (const bool orderly : {true, false}) {
            Ends ends = co_await self->open_ends();
            co_await ends.server->write("221 bye\r\n");
            if (orderly) {
                co_await ends.server->close();
            } else {
                self->rig_->half_close(self->server_handle_);
            }
            EXPECT_EQ(co_await read_exactly(*ends.client, 9), "221 bye\r\n");
            const auto end = co_await ends.client->read();
            if (orderly) {
                EXPECT_TRUE(end.has_value() && end->empty());
            } else {
                EXPECT_FALSE(end.has_value());
                if (!end) EXPECT_EQ(end.error().value(), ECONNRESET);
            }
            co_await ends.client->close();
            if (!orderly) co_await ends.server->close();
        }
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, a_wrong_name_fails_both_ends_with_a_reason) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->connect_ends(TlsLevel::pkix, "other.example");
        bool client = true;
        bool server = true;
        TaskGroup both(self->shard().reactor());
        both.spawn(shake(ends.client.get(), &client));
        both.spawn(shake(ends.server.get(), &server));
        co_await both.close();
        EXPECT_FALSE(client);
        EXPECT_EQ(ends.client->fault(), TlsFault::wrong_name);
        // With TLS 1.3 a server has finished before it hears of it.
        if (!server) EXPECT_EQ(ends.server->fault(), TlsFault::protocol);
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, a_handshake_against_silence_garbage_or_an_end) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        int took = 0;
        co_await self->open_against("", false, TlsFault::network, &took);
        EXPECT_GE(took, 300);
        EXPECT_LT(took, 3000);
        co_await self->open_against("250 2.0.0 fake\r\n", false, TlsFault::protocol, &took);
        co_await self->open_against("", true, TlsFault::network, &took);
        co_await self->open_against(std::string("\x16\x03\x03\x40\x00", 5), false,
                                    TlsFault::network, &took);
        EXPECT_GE(took, 300);
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, deadlines_pass_and_are_renewed) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->open_ends();
        for (int i = 0; i < 3; ++i) {
            ends.client->set_deadline(self->shard().now() + milliseconds{20});
            const auto nothing = co_await ends.client->read();
            EXPECT_FALSE(nothing.has_value());
            if (!nothing) EXPECT_EQ(nothing.error().value(), ETIMEDOUT);
            const auto again = co_await ends.client->read();  // still
            EXPECT_FALSE(again.has_value());
            ends.client->set_deadline(self->shard().now() + seconds{10});
            co_await ends.server->write("250 late\r\n");
            EXPECT_EQ(co_await read_exactly(*ends.client, 10), "250 late\r\n");
        }
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

// A deadline that passes while nobody reads is moved before anybody looks: no error, no crash.
TEST_P(TlsStreamTest, a_deadline_moved_in_the_turn_that_it_passes) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->open_ends();
        for (int i = 0; i < 30; ++i) {
            const Instant passes = self->shard().now() + milliseconds{3};
            ends.client->set_deadline(passes);
            Event never(self->shard().reactor());
            co_await never.wait(passes);  // both timers expire in one turn
            ends.client->set_deadline(self->shard().now() + seconds{10});
            co_await ends.server->write("250 ok\r\n");
            EXPECT_EQ(co_await read_exactly(*ends.client, 8), "250 ok\r\n");
        }
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, interrupt_wakes_a_reader_and_loses_nothing) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        static constexpr auto kInterrupt = [](Shard* shard, TlsStream* stream) -> Task<void> {
            co_await test::pause(*shard, milliseconds{20});
            stream->interrupt();
        };
        Ends ends = co_await self->open_ends();
        ends.client->interrupt();  // nobody waits: no effect
        TaskGroup tasks(self->shard().reactor());
        tasks.spawn(kInterrupt(&self->shard(), ends.client.get()));
        const auto woken = co_await ends.client->read();
        EXPECT_FALSE(woken.has_value());
        if (!woken) EXPECT_EQ(woken.error().value(), EINTR);
        co_await ends.server->write("421 idle\r\n");
        EXPECT_EQ(co_await read_exactly(*ends.client, 10), "421 idle\r\n");
        co_await tasks.close();
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, abort_ends_reading_and_writing) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        static constexpr auto kAbort = [](Shard* shard, TlsStream* stream) -> Task<void> {
            co_await test::pause(*shard, milliseconds{20});
            stream->abort();
        };
        Ends ends = co_await self->open_ends();
        TaskGroup tasks(self->shard().reactor());
        tasks.spawn(kAbort(&self->shard(), ends.client.get()));
        const auto cut = co_await ends.client->read();
        EXPECT_FALSE(cut.has_value());
        if (!cut) EXPECT_EQ(cut.error().value(), ECANCELED);
        const auto refused = co_await ends.client->write("QUIT\r\n");
        EXPECT_FALSE(refused.has_value());
        co_await tasks.close();
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

// The peer stops reading: a writer that is stuck in the middle fails at its deadline, and close()
// does not wait for close_notify for ever.
TEST_P(TlsStreamTest, a_stuck_writer_times_out) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->open_ends();
        self->shard().reactor().excuse_step();  // the test's own work
        const std::string large(32U << 20, 'x');
        ends.client->set_deadline(self->shard().now() + milliseconds{200});
        const auto written = co_await ends.client->write(large);
        EXPECT_FALSE(written.has_value());
        if (!written) EXPECT_EQ(written.error().value(), ETIMEDOUT);
        const Instant began = self->shard().now();
        co_await ends.client->close();
        EXPECT_LT(self->shard().now() - began, TlsStream::kFarewell + seconds{1});
        co_await ends.server->close();
    };
    rig_->run(kBody(this));
}

TEST_P(TlsStreamTest, unread_input_does_not_disturb_closing) {
    static constexpr auto kBody = [](TlsStreamTest* self) -> Task<void> {
        Ends ends = co_await self->open_ends();
        co_await ends.server->write("250 never read\r\n");
        co_await test::pause(self->shard(), milliseconds{50});
        EXPECT_TRUE(ends.client->has_input());
        co_await close(&ends);
    };
    rig_->run(kBody(this));
}

}  // namespace
}  // namespace core
