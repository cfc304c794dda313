#include "dns/ares_channel.h"

#include <algorithm>
#include <array>
#include <coroutine>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <ares.h>
#include <poll.h>
#include <sys/time.h>

#include "core/base/address.h"
#include "core/base/assert.h"
#include "core/base/log.h"
#include "dns/wire/message.h"

namespace dns {

// One message out and what came back. Lives in the asking coroutine's frame. c-ares may call back
// before ares_send returns, so the answer can be there before anybody waits.
struct AresChannel::Exchange {
    explicit Exchange(core::Reactor& owner) : reactor(owner) {}

    core::Reactor& reactor;
    std::string question;  // as sent, when the answer must repeat it exactly
    bool done = false;
    int status = ARES_ECANCELLED;
    std::optional<Message> message;
    std::coroutine_handle<> waiter;

    static void answered(void* self, int status, int /*timeouts*/, unsigned char* octets,
                         int length) {
        auto& exchange = *static_cast<Exchange*>(self);
        exchange.done = true;
        exchange.status = status;
        if (status == ARES_SUCCESS && octets != nullptr) {
            exchange.take(
                {reinterpret_cast<const char*>(octets), static_cast<std::size_t>(length)});
        }
        if (exchange.waiter) exchange.reactor.schedule(exchange.waiter);
    }

    void take(std::string_view octets) {
        auto parsed = parse_message(octets);
        if (!parsed || !octets.substr(kHeaderOctets).starts_with(question)) return;
        message = std::move(*parsed);
    }

    // There was an answer, but not one to rely on.
    bool malformed() const { return status == ARES_SUCCESS && !message; }

    bool await_ready() const noexcept { return done; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
    void await_resume() const noexcept {}
};

// One c-ares channel and the polls of its sockets. c-ares closes a socket right after telling us,
// and its number may come back at once for another one: a poll belongs to a Socket object, never to
// a number, and a Socket that was closed waits among the dying until its poll has completed.
class AresChannel::Transport {
  public:
    Transport(core::IoBackend& io, core::Event& work) : io_(io), work_(work) {}
    ~Transport() { PH_ASSERT(channel_ == nullptr && quiet()); }

    struct Patience {
        std::chrono::milliseconds first_timeout;
        int tries;
    };

    core::Result<void> open(const std::string& servers, bool over_tcp, Patience patience);
    void send(const std::string& message, Exchange& exchange) {
        ares_send(channel_, reinterpret_cast<const unsigned char*>(message.data()),
                  static_cast<int>(message.size()), &Exchange::answered, &exchange);
    }
    void cancel() { ares_cancel(channel_); }
    void destroy() {
        if (channel_ != nullptr) ares_destroy(channel_);
        channel_ = nullptr;
    }
    bool over_tcp() const { return over_tcp_; }
    bool quiet() const { return sockets_.empty() && dying_.empty(); }

    // Lets c-ares read, write and time out, then polls again.
    void process();
    // How long until c-ares wants to be called without any event.
    std::optional<core::Duration> next_timeout() const;

  private:
    class Socket final : public core::Operation {
      public:
        Socket(core::Event& work, int handle, std::uint64_t number)
            : fd(handle), generation(number), work_(work) {}

        const int fd;
        const std::uint64_t generation;
        short wanted = 0;  // poll events that c-ares waits for
        short polled = 0;  // those of the poll in flight
        short ready = 0;
        bool broken = false;  // cannot be polled; c-ares learns of it by its timeout

      private:
        void complete(const core::Completion& completion) override {
            if (completion.result >= 0) {
                ready = static_cast<short>(ready | completion.result);
            } else if (completion.result != -ECANCELED) {
                broken = true;
            }
            work_.set();
        }
        core::Event& work_;
    };

    static void state_changed(void* self, ares_socket_t fd, int readable, int writable);
    void poll_again();

    core::IoBackend& io_;
    core::Event& work_;
    ares_channel channel_ = nullptr;
    bool over_tcp_ = false;
    std::unordered_map<int, std::unique_ptr<Socket>> sockets_;
    std::vector<std::unique_ptr<Socket>> dying_;
    std::uint64_t generations_ = 0;
};

core::Result<void> AresChannel::Transport::open(const std::string& servers, bool over_tcp,
                                                Patience patience) {
    over_tcp_ = over_tcp;
    ares_options options{};
    // IGNTC: we see truncation and ask by TCP ourselves. EDNS: c-ares must not cut longer answers.
    options.flags = ARES_FLAG_IGNTC | ARES_FLAG_EDNS | (over_tcp ? ARES_FLAG_USEVC : 0);
    options.timeout = static_cast<int>(patience.first_timeout.count());
    options.tries = patience.tries;
    options.ednspsz = kUdpPayload;
    options.sock_state_cb = &Transport::state_changed;
    options.sock_state_cb_data = this;
    std::string lookups = "b";  // never the hosts file
    options.lookups = lookups.data();
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
                     ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
    int status = ares_init_options(&channel_, &options, mask);
    if (status != ARES_SUCCESS) {
        channel_ = nullptr;
        return core::failure(std::string("cannot set up DNS: ") + ares_strerror(status));
    }
    if (servers.empty()) return {};
    status = ares_set_servers_ports_csv(channel_, servers.c_str());
    if (status == ARES_SUCCESS) return {};
    destroy();
    return core::failure("cannot use the DNS servers " + servers + ": " + ares_strerror(status));
}

void AresChannel::Transport::state_changed(void* self, ares_socket_t fd, int readable,
                                           int writable) {
    auto& transport = *static_cast<Transport*>(self);
    const auto found = transport.sockets_.find(fd);
    if (readable == 0 && writable == 0) {
        if (found == transport.sockets_.end()) return;
        std::unique_ptr<Socket> socket = std::move(found->second);
        transport.sockets_.erase(found);
        if (socket->in_flight()) transport.io_.cancel(*socket);
        transport.dying_.push_back(std::move(socket));
        transport.work_.set();
        return;
    }
    std::unique_ptr<Socket>& socket =
        found != transport.sockets_.end() ? found->second : transport.sockets_[fd];
    if (!socket) socket = std::make_unique<Socket>(transport.work_, fd, ++transport.generations_);
    socket->wanted =
        static_cast<short>((readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0));
    transport.work_.set();
}

void AresChannel::Transport::process() {
    struct Ready {
        int fd;
        std::uint64_t generation;
    };
    std::vector<Ready> ready;
    for (const auto& [fd, socket] : sockets_) {
        if (socket->ready != 0) ready.push_back({fd, socket->generation});
    }
    for (const Ready& one : ready) {
        // What c-ares did for the one before may have closed this one, or opened it again.
        const auto found = sockets_.find(one.fd);
        if (found == sockets_.end() || found->second->generation != one.generation) continue;
        const short events = std::exchange(found->second->ready, short{0});
        const bool failed = (events & (POLLERR | POLLHUP | POLLNVAL)) != 0;
        const auto fd_if = [&](short event) {
            return failed || (events & event) != 0 ? one.fd : ARES_SOCKET_BAD;
        };
        ares_process_fd(channel_, fd_if(POLLIN), fd_if(POLLOUT));
    }
    if (ready.empty() && channel_ != nullptr) {
        ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    std::erase_if(dying_, [](const auto& socket) { return !socket->in_flight(); });
    poll_again();
}

void AresChannel::Transport::poll_again() {
    for (const auto& [fd, socket] : sockets_) {
        if (socket->broken || socket->ready != 0) continue;
        if (!socket->in_flight()) {
            socket->polled = socket->wanted;
            io_.start_poll(fd, socket->wanted, *socket);
        } else if (socket->polled != socket->wanted) {
            socket->polled = socket->wanted;  // cancel once; its completion leads back to here
            io_.cancel(*socket);
        }
    }
}

std::optional<core::Duration> AresChannel::Transport::next_timeout() const {
    if (channel_ == nullptr) return std::nullopt;
    timeval storage{};
    const timeval* next = ares_timeout(channel_, nullptr, &storage);
    if (next == nullptr) return std::nullopt;
    return std::chrono::seconds{next->tv_sec} + std::chrono::microseconds{next->tv_usec};
}

namespace {

// The configuration's spellings as c-ares reads them.
core::Result<std::string> server_list(const std::vector<std::string>& servers) {
    if (servers.size() > AresChannel::kMaxServers) {
        return core::failure("more than " + std::to_string(AresChannel::kMaxServers) +
                             " DNS servers");
    }
    std::string list;
    for (const std::string& server : servers) {
        core::SocketAddress address;
        if (const auto ip = core::IpAddress::parse(server)) {
            address = {*ip, 53};
        } else {
            const auto parsed = core::SocketAddress::parse(server, 53);
            if (!parsed) return core::failure("DNS server " + server + ": " + parsed.error());
            address = *parsed;
        }
        if (!list.empty()) list += ',';
        list += address.to_string();
    }
    return list;
}

}  // namespace

core::Result<std::unique_ptr<AresChannel>> AresChannel::open(core::Shard& shard,
                                                             AresOptions options) {
    static std::once_flag initialized;  // the library asks for it once, before any channel
    static int library_status = ARES_ENOTINITIALIZED;
    std::call_once(initialized, [] { library_status = ares_library_init(ARES_LIB_INIT_ALL); });
    if (library_status != ARES_SUCCESS) {
        return core::failure(std::string("cannot start c-ares: ") + ares_strerror(library_status));
    }
    const auto servers = server_list(options.servers);
    if (!servers) return std::unexpected(servers.error());

    std::unique_ptr<AresChannel> channel(new AresChannel(shard, options.trust_ad));
    const auto count = std::max<std::size_t>(options.servers.size(), 1);
    const Transport::Patience patient{options.first_timeout, kTries};
    const Transport::Patience brief{
        std::max<std::chrono::milliseconds>(kBriefTimeout / count, kBriefestTimeout), 1};
    for (const auto& [ways, patience] :
         {std::pair{&channel->patient_, patient}, std::pair{&channel->brief_, brief}}) {
        for (Transport* one : {ways->udp.get(), ways->tcp.get()}) {
            auto opened = one->open(*servers, one == ways->tcp.get(), patience);
            if (opened) continue;
            for (Transport* each : channel->transports())
                each->destroy();
            return std::unexpected(opened.error());
        }
    }
    channel->tasks_.spawn(channel->pump());
    return channel;
}

AresChannel::AresChannel(core::Shard& shard, bool trust_ad)
    : shard_(shard),
      trust_ad_(trust_ad),
      work_(shard.reactor()),
      ended_(shard.reactor()),
      patient_{std::make_unique<Transport>(shard.io(), work_),
               std::make_unique<Transport>(shard.io(), work_)},
      brief_{std::make_unique<Transport>(shard.io(), work_),
             std::make_unique<Transport>(shard.io(), work_)},
      tasks_(shard.reactor()) {}

AresChannel::~AresChannel() {
    PH_ASSERT(running_ == 0);
}

std::array<AresChannel::Transport*, 4> AresChannel::transports() const {
    return {patient_.udp.get(), patient_.tcp.get(), brief_.udp.get(), brief_.tcp.get()};
}

core::Task<DnsAnswer> AresChannel::query(std::string name, RecordType type) {
    return query_by(&patient_, std::move(name), type);
}

core::Task<DnsAnswer> AresChannel::query_briefly(std::string name, RecordType type) {
    return query_by(&brief_, std::move(name), type);
}

core::Task<DnsAnswer> AresChannel::query_by(const Ways* ways, std::string name, RecordType type) {
    DnsAnswer refused;
    refused.canonical_name = name;
    const auto normal = normal_name(name);
    if (!normal) {
        refused.status = DnsStatus::nxdomain;
        co_return refused;
    }
    if (closing_ || running_ >= kMaxInFlight) co_return refused;
    ++running_;
    DnsAnswer answer = co_await ask(ways, *normal, type);
    if (--running_ == 0) ended_.notify_all();
    co_return answer;
}

core::Task<DnsAnswer> AresChannel::ask(const Ways* ways, std::string name, RecordType type) {
    Exchange by_udp(shard_.reactor());
    Exchange without_edns(shard_.reactor());
    Exchange by_tcp(shard_.reactor());
    co_await exchange(*ways->udp, name, type, by_udp);
    Exchange* last = &by_udp;
    const bool no_edns = stats_.edns && last->message && !last->message->has_opt &&
                         last->message->code == std::to_underlying(ResponseCode::format_error);
    if (no_edns) {
        stats_.edns = false;
        co_await exchange(*ways->udp, name, type, without_edns);
        last = &without_edns;
        // The same again: it was about the name.
        stats_.edns =
            last->message && last->message->code == std::to_underlying(ResponseCode::format_error);
        if (!stats_.edns) core::log_info("a DNS server does not understand EDNS: going without");
    }
    if (last->malformed() || (last->message && last->message->truncated)) {
        ++stats_.over_tcp;
        co_await exchange(*ways->tcp, name, type, by_tcp);
        last = &by_tcp;
    }
    DnsAnswer answer;
    answer.canonical_name = name;
    if (last->status == ARES_ETIMEOUT) answer.status = DnsStatus::timeout;
    if (last->status == ARES_SUCCESS && last->message) {
        answer = conclude(*last->message, name, type);
    }
    answer.authenticated = answer.authenticated && trust_ad_;
    co_return answer;
}

core::Task<void> AresChannel::exchange(Transport& transport, std::string name, RecordType type,
                                       Exchange& result) {
    if (closing_) co_return;
    const std::uint16_t id = ids_.take();
    auto message = build_query(id, name, type, {.edns = stats_.edns, .ask_ad = true});
    PH_ASSERT(message);           // the name is a normal one
    if (!transport.over_tcp()) {  // over TCP nobody can forge who does not see the packets
        ids_.mix_case(*message);
        result.question = question_of(*message);
    }
    ++stats_.queries;
    transport.send(*message, result);
    work_.set();  // the next timeout may be sooner now
    co_await result;
    ids_.give_back(id);
    if (result.malformed()) ++stats_.malformed;
}

core::Task<void> AresChannel::pump() {
    constexpr core::Duration kSlack = std::chrono::milliseconds{1};  // never a turn too early
    while (true) {
        work_.reset();
        for (Transport* transport : transports())
            transport->process();
        if (closing_ && std::ranges::all_of(transports(), &Transport::quiet)) co_return;
        core::Instant wake = core::kNever;
        for (const Transport* transport : transports()) {
            if (const auto next = transport->next_timeout()) {
                wake = std::min(wake, shard_.now() + *next + kSlack);
            }
        }
        co_await work_.wait(wake);
    }
}

core::Task<void> AresChannel::close() {
    if (closing_) co_return;
    closing_ = true;
    for (Transport* transport : transports())
        transport->cancel();
    while (running_ > 0)
        co_await ended_.wait();
    for (Transport* transport : transports())
        transport->destroy();
    work_.set();
    co_await tasks_.close();
}

}  // namespace dns
