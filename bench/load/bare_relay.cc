// bare_relay: the yardstick. The least that can be called a relay, straight on liburing: one
// thread, real SMTP parsing, a first-in-first-out queue in memory, one next hop, content copied
// once on its way in and gathered on its way out, [content][.][MAIL RCPT DATA] of the next message
// in one write (RFC 2920 section 3.1). No DNS, retries, limits, logs, timeouts or dot handling:
// content leaves as it came. Any surprise ends it. It tells what a machine can do, not what a relay
// should do. With LOG it answers 250 once the content is synced to that file (bare_log.h): what the
// machine can do for mail that is not to be lost.
//
//   bare_relay LISTEN_PORT SINK_PORT [CONNECTIONS_TO_SINK [LOG]]        (127.0.0.1 only)
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include "bench/load/bare_log.h"
#include "bench/load/dot_scanner.h"

namespace {

constexpr unsigned kRingEntries = 4096;
constexpr unsigned kBuffers = 1024;
constexpr unsigned kBufferSize = 16384;
constexpr std::size_t kExpectedMessage = 12288;

[[noreturn]] void die(std::string_view what) {
    std::fprintf(stderr, "bare_relay: %.*s\n", static_cast<int>(what.size()), what.data());
    std::exit(1);
}

struct Message {
    std::string envelope;  // MAIL, RCPT..., DATA: ready to be sent
    std::size_t commands = 0;
    std::string content;  // as it came, final dot included
};
using MessagePtr = std::unique_ptr<Message>;

struct Connection {
    enum class Kind { in, out };
    Connection(Kind which, int socket) : kind(which), fd(socket) {}

    Kind kind;
    int fd;
    bool sending = false;
    bool dirty = false;  // on the list of connections with something to send
    bool gone = false;
    std::string line;  // unfinished

    // in
    bool in_content = false;
    bench::DotScanner scanner;
    MessagePtr incoming;
    bool committing = false;  // `incoming` is on its way to the log; input waits
    std::string input;        // that waits
    std::string replies;      // to be sent
    std::string on_the_wire;

    // out
    bool greeted = false;
    std::size_t awaited = 0;  // replies of the envelope under way
    bool dot_awaited = false;
    MessagePtr current;  // content sent, or to be sent once its envelope is answered
    MessagePtr next;     // envelope sent along with the current content
    std::array<iovec, 2> parts{};
    msghdr header{};
};

class Relay {
  public:
    Relay(std::uint16_t listen_port, std::uint16_t sink_port, int out_connections, const char* log);
    [[noreturn]] void run();

  private:
    void completed(const io_uring_cqe& completion);
    void accepted(int fd);
    void received(Connection& connection, int result, unsigned flags);
    void feed_in(Connection& connection, std::string_view input);
    void take(Connection& connection);
    void commit();
    void committed(int result);
    void let_go(Connection& connection);
    void command(Connection& connection, std::string_view line);
    void feed_out(Connection& connection, std::string_view input);
    void reply(Connection& connection, int code);
    void advance(Connection& connection);
    void send_replies(Connection& connection);
    void dispatch();
    void arm_receive(Connection& connection);
    void submit_message(Connection& connection, unsigned parts);
    io_uring_sqe* entry(void* tag);

    io_uring ring_{};
    io_uring_buf_ring* buffers_ = nullptr;
    std::unique_ptr<char[]> memory_ = std::make_unique<char[]>(std::size_t{kBuffers} * kBufferSize);
    int listener_;
    std::vector<std::unique_ptr<Connection>> out_;
    std::vector<Connection*> idle_;
    std::vector<Connection*> dirty_;
    std::deque<MessagePtr> queue_;
    std::unique_ptr<bench::BareLog> log_;  // null: nothing is committed
    std::deque<Connection*> to_commit_;
    std::vector<Connection*> in_batch_;
};

// user_data: a connection, its lowest bit set for a send; null for the listener; 2 for the log.
constexpr std::uintptr_t kLogTag = 2;

void* send_tag(Connection& connection) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&connection) | 1U);
}

int tcp_socket() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return fd;
}

Relay::Relay(std::uint16_t listen_port, std::uint16_t sink_port, int out_connections,
             const char* log)
    : listener_(tcp_socket()), log_(log == nullptr ? nullptr : new bench::BareLog(log)) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (io_uring_queue_init_params(kRingEntries, &ring_, &parameters) < 0) die("no io_uring");
    io_uring_buf_reg registration{};
    void* area = nullptr;
    if (::posix_memalign(&area, 4096, kBuffers * sizeof(io_uring_buf)) != 0) die("no memory");
    buffers_ = static_cast<io_uring_buf_ring*>(area);
    io_uring_buf_ring_init(buffers_);
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(area);
    registration.ring_entries = kBuffers;
    if (io_uring_register_buf_ring(&ring_, &registration, 0) != 0) die("no buffer ring");
    for (unsigned i = 0; i < kBuffers; ++i) {
        io_uring_buf_ring_add(buffers_, memory_.get() + std::size_t{i} * kBufferSize, kBufferSize,
                              static_cast<unsigned short>(i), io_uring_buf_ring_mask(kBuffers),
                              static_cast<int>(i));
    }
    io_uring_buf_ring_advance(buffers_, kBuffers);

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(listen_port);
    const auto* native = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(listener_, native, sizeof address) != 0 || ::listen(listener_, 1024) != 0) {
        die("cannot listen");
    }
    io_uring_prep_multishot_accept(entry(nullptr), listener_, nullptr, nullptr, 0);

    address.sin_port = htons(sink_port);
    for (int i = 0; i < out_connections; ++i) {
        const int fd = tcp_socket();
        if (::connect(fd, native, sizeof address) != 0) die("cannot connect to the sink");
        out_.push_back(std::make_unique<Connection>(Connection::Kind::out, fd));
        arm_receive(*out_.back());
    }
    std::fprintf(stderr, "bare_relay: ready\n");
}

io_uring_sqe* Relay::entry(void* tag) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
        io_uring_submit(&ring_);
        sqe = io_uring_get_sqe(&ring_);
    }
    io_uring_sqe_set_data(sqe, tag);
    return sqe;
}

void Relay::arm_receive(Connection& connection) {
    io_uring_sqe* sqe = entry(nullptr);
    io_uring_prep_recv_multishot(sqe, connection.fd, nullptr, 0, 0);
    io_uring_sqe_set_data(sqe, &connection);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
}

void Relay::run() {
    for (;;) {
        const int waited = io_uring_submit_and_wait(&ring_, 1);
        if (waited < 0 && waited != -EINTR) die(std::strerror(-waited));
        unsigned head = 0;
        unsigned count = 0;
        io_uring_cqe* completion = nullptr;
        io_uring_for_each_cqe(&ring_, head, completion) {
            completed(*completion);
            ++count;
        }
        io_uring_cq_advance(&ring_, count);
        dispatch();
        for (Connection* connection : dirty_) {
            connection->dirty = false;
            send_replies(*connection);
        }
        dirty_.clear();
        if (!to_commit_.empty() && !log_->writing()) commit();
    }
}

// Everything that waits, in one batch.
void Relay::commit() {
    while (!to_commit_.empty()) {
        Connection* const connection = to_commit_.front();
        if (!log_->add(connection->incoming->envelope, connection->incoming->content)) break;
        to_commit_.pop_front();
        in_batch_.push_back(connection);
    }
    io_uring_sqe* sqe = entry(nullptr);
    log_->write(sqe);
    io_uring_sqe_set_data64(sqe, kLogTag);
}

void Relay::committed(int result) {
    log_->written(result);
    for (Connection* connection : std::exchange(in_batch_, {})) {
        connection->committing = false;
        take(*connection);
        if (connection->gone) {
            let_go(*connection);
            continue;
        }
        const std::string input = std::exchange(connection->input, {});
        feed_in(*connection, input);
    }
}

void Relay::completed(const io_uring_cqe& completion) {
    const std::uintptr_t tag = completion.user_data;
    if (tag == 0) return accepted(completion.res);
    if (tag == kLogTag) return committed(completion.res);
    auto& connection = *reinterpret_cast<Connection*>(tag & ~std::uintptr_t{1});
    if ((tag & 1U) == 0) return received(connection, completion.res, completion.flags);
    connection.sending = false;
    if (completion.res < 0 && connection.kind == Connection::Kind::out) die("send failed");
    if (connection.gone) {
        let_go(connection);
    } else if (connection.kind == Connection::Kind::in) {
        send_replies(connection);
    } else {
        advance(connection);
    }
}

void Relay::accepted(int fd) {
    if (fd < 0) die("accept failed");
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    auto* connection = new Connection(Connection::Kind::in, fd);  // deletes itself at its end
    connection->replies = "220 bare.example ESMTP\r\n";
    arm_receive(*connection);
    send_replies(*connection);
}

void Relay::received(Connection& connection, int result, unsigned flags) {
    if (result <= 0 && result != -ENOBUFS) {
        if (connection.kind == Connection::Kind::out) die("the sink closed a connection");
        if (connection.dirty) std::erase(dirty_, &connection);
        ::close(connection.fd);
        connection.gone = true;
        let_go(connection);
        return;
    }
    if (result > 0) {
        const unsigned buffer = flags >> IORING_CQE_BUFFER_SHIFT;
        char* begin = memory_.get() + std::size_t{buffer} * kBufferSize;
        const std::string_view input(begin, static_cast<std::size_t>(result));
        connection.kind == Connection::Kind::in ? feed_in(connection, input)
                                                : feed_out(connection, input);
        io_uring_buf_ring_add(buffers_, begin, kBufferSize, static_cast<unsigned short>(buffer),
                              io_uring_buf_ring_mask(kBuffers), 0);
        io_uring_buf_ring_advance(buffers_, 1);
    }
    if ((flags & IORING_CQE_F_MORE) == 0) arm_receive(connection);
}

void Relay::let_go(Connection& connection) {
    if (!connection.sending && !connection.committing) delete &connection;
}

// The message is ours from here on.
void Relay::take(Connection& connection) {
    queue_.push_back(std::move(connection.incoming));
    connection.replies += "250 2.0.0 queued\r\n";
}

void Relay::feed_in(Connection& connection, std::string_view input) {
    while (!input.empty()) {
        if (connection.committing) {
            connection.input += input;
            break;
        }
        if (connection.in_content) {
            const std::size_t used = connection.scanner.scan(input);
            connection.incoming->content += input.substr(0, used);
            input.remove_prefix(used);
            if (!connection.scanner.found()) continue;
            connection.in_content = false;
            connection.incoming->envelope += "DATA\r\n";
            ++connection.incoming->commands;
            if (log_ == nullptr) {
                take(connection);
            } else {
                connection.committing = true;
                to_commit_.push_back(&connection);
            }
            continue;
        }
        const auto end = input.find('\n');
        if (end == std::string_view::npos || !connection.line.empty()) {
            connection.line += input.substr(0, end == std::string_view::npos ? end : end + 1);
            if (end == std::string_view::npos) break;
            const std::string line = std::exchange(connection.line, {});
            command(connection, line);
        } else {
            command(connection, input.substr(0, end + 1));
        }
        input.remove_prefix(end + 1);
    }
    if (!connection.dirty) dirty_.push_back(&connection);
    connection.dirty = true;
}

void Relay::command(Connection& connection, std::string_view line) {
    const auto is = [line](std::string_view verb) {
        return line.size() > verb.size() &&
               ::strncasecmp(line.data(), verb.data(), verb.size()) == 0;
    };
    MessagePtr& message = connection.incoming;
    const bool has_path = line.find('<') < line.rfind('>') && line.rfind('>') != line.npos;
    if (is("MAIL FROM:") && has_path && !message) {
        message = std::make_unique<Message>();
        message->envelope = line.substr(0, line.find('>') + 1);
        message->envelope += "\r\n";
        message->commands = 1;
        connection.replies += "250 2.1.0 ok\r\n";
    } else if (is("RCPT TO:") && has_path && message) {
        message->envelope += line;
        ++message->commands;
        connection.replies += "250 2.1.5 ok\r\n";
    } else if (is("DATA") && message && message->commands > 1) {
        message->content.reserve(kExpectedMessage);
        connection.scanner.reset();
        connection.in_content = true;
        connection.replies += "354 go ahead\r\n";
    } else if (is("EHLO ") || is("HELO ")) {
        connection.replies += "250-bare.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
    } else if (is("RSET")) {
        message.reset();
        connection.replies += "250 2.0.0 ok\r\n";
    } else if (is("QUIT")) {
        connection.replies += "221 2.0.0 bye\r\n";
    } else {
        connection.replies += "503 5.5.1 what?\r\n";
    }
}

void Relay::send_replies(Connection& connection) {
    if (connection.sending || connection.replies.empty()) return;
    connection.on_the_wire.clear();
    std::swap(connection.on_the_wire, connection.replies);
    connection.sending = true;
    io_uring_sqe* sqe = entry(nullptr);
    io_uring_prep_send(sqe, connection.fd, connection.on_the_wire.data(),
                       connection.on_the_wire.size(), MSG_WAITALL);
    io_uring_sqe_set_data(sqe, send_tag(connection));
}

void Relay::feed_out(Connection& connection, std::string_view input) {
    connection.line += input;
    std::size_t used = 0;
    for (;;) {
        const auto end = connection.line.find('\n', used);
        if (end == std::string::npos) break;
        const std::string_view line = std::string_view(connection.line).substr(used, end - used);
        used = end + 1;
        if (line.size() > 3 && line[3] == '-') continue;
        if (line.size() < 3) die("not a reply");
        reply(connection, (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0');
    }
    connection.line.erase(0, used);
}

void Relay::reply(Connection& connection, int code) {
    if (!connection.greeted) {
        if (code != 220 && code != 250) die("the sink refused us");
        if (code == 250) connection.greeted = true;
        if (code == 250) idle_.push_back(&connection);
        if (code == 220) connection.replies = "EHLO bare.example\r\n";
        return code == 220 ? send_replies(connection) : void();
    }
    if (connection.dot_awaited) {
        if (code != 250) die("the sink refused a message");
        connection.dot_awaited = false;
        connection.current = std::move(connection.next);
        if (!connection.current) idle_.push_back(&connection);
        return;
    }
    if (connection.awaited == 0) die("a reply too many");
    if (code != (connection.awaited == 1 ? 354 : 250)) die("the sink refused an envelope");
    if (--connection.awaited == 0) advance(connection);
}

// Sends the current content, with the next message's envelope after it, once both are allowed.
void Relay::advance(Connection& connection) {
    const bool ready = connection.greeted && connection.current && connection.awaited == 0 &&
                       !connection.dot_awaited && !connection.sending;
    if (!ready) return;
    connection.parts[0] = {connection.current->content.data(), connection.current->content.size()};
    connection.dot_awaited = true;
    unsigned parts = 1;
    if (!queue_.empty()) {
        connection.next = std::move(queue_.front());
        queue_.pop_front();
        connection.parts[1] = {connection.next->envelope.data(), connection.next->envelope.size()};
        connection.awaited = connection.next->commands;
        parts = 2;
    }
    submit_message(connection, parts);
}

void Relay::submit_message(Connection& connection, unsigned parts) {
    connection.header.msg_iov = connection.parts.data();
    connection.header.msg_iovlen = parts;
    connection.sending = true;
    io_uring_sqe* sqe = entry(nullptr);
    io_uring_prep_sendmsg(sqe, connection.fd, &connection.header, MSG_WAITALL);
    io_uring_sqe_set_data(sqe, send_tag(connection));
}

// Gives waiting messages to idle connections.
void Relay::dispatch() {
    while (!queue_.empty() && !idle_.empty() && !idle_.back()->sending) {
        Connection& connection = *idle_.back();
        idle_.pop_back();
        connection.current = std::move(queue_.front());
        queue_.pop_front();
        connection.parts[0] = {connection.current->envelope.data(),
                               connection.current->envelope.size()};
        connection.awaited = connection.current->commands;
        submit_message(connection, 1);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) die("usage: bare_relay LISTEN_PORT SINK_PORT [CONNECTIONS_TO_SINK [LOG]]");
    std::signal(SIGPIPE, SIG_IGN);
    Relay relay(static_cast<std::uint16_t>(std::atoi(argv[1])),
                static_cast<std::uint16_t>(std::atoi(argv[2])), argc > 3 ? std::atoi(argv[3]) : 4,
                argc > 4 ? argv[4] : nullptr);
    relay.run();
}
