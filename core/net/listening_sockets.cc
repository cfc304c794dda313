#include "core/net/listening_sockets.h"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/assert.h"

namespace core {

namespace {

constexpr Handle kFirstPassed = 3;  // SD_LISTEN_FDS_START
constexpr int kMostPassed = 1024;

// Empty where it is not set, or no number.
std::optional<int> number_in(const char* variable) {
    const char* const text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    const std::string_view digits(text);
    int number = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
    if (error != std::errc{} || end != digits.end()) return std::nullopt;
    return number;
}

bool listens_by_tcp(Handle handle) {
    int value = 0;
    socklen_t length = sizeof value;
    if (::getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) < 0 || value == 0) {
        return false;
    }
    length = sizeof value;
    return ::getsockopt(handle, SOL_SOCKET, SO_PROTOCOL, &value, &length) == 0 &&
           value == IPPROTO_TCP;
}

}  // namespace

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : sockets_(std::exchange(other.sockets_, {})), kept_(other.kept_) {}

Result<void> ListeningSockets::adopt(Handle handle) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* const native = reinterpret_cast<sockaddr*>(&storage);
    if (!listens_by_tcp(handle) || ::getsockname(handle, native, &length) < 0) {
        ::close(handle);
        return failure("descriptor " + std::to_string(handle) +
                       " was passed to this process and is no listening TCP socket");
    }
    ::fcntl(handle, F_SETFD, FD_CLOEXEC);
    const int on = 1;  // accepted sockets inherit it
    ::setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::scoped_lock lock(mutex_);
    sockets_.push_back({SocketAddress::from_native(native), handle, true, false});
    return {};
}

Result<void> ListeningSockets::adopt_from_environment() {
    const auto process = number_in("LISTEN_PID");
    const auto count = number_in("LISTEN_FDS");
    for (const char* const variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        ::unsetenv(variable);
    if (!process || !count || *process != ::getpid()) return {};
    if (*count < 0 || *count > kMostPassed) {
        return failure("LISTEN_FDS names " + std::to_string(*count) + " sockets; at most " +
                       std::to_string(kMostPassed) + " can be passed");
    }
    for (Handle handle = kFirstPassed; handle < kFirstPassed + *count; ++handle) {
        if (auto taken = adopt(handle); !taken) return taken;
    }
    if (*count > 0) keep();
    return {};
}

void ListeningSockets::add(const SocketAddress& address, Handle handle) {
    const Handle copy = ::fcntl(handle, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return;  // it is then not handed over
    const std::scoped_lock lock(mutex_);
    sockets_.push_back({address, copy, false, false});
}

std::vector<Handle> ListeningSockets::share(const SocketAddress& address, std::size_t shard,
                                            std::size_t shards) {
    PH_ASSERT(shard < shards);
    const std::scoped_lock lock(mutex_);
    std::vector<Socket*> passed;
    for (Socket& socket : sockets_) {
        if (socket.passed && socket.address == address) passed.push_back(&socket);
    }
    std::vector<Handle> share;
    const auto take = [&share](Socket& socket) {
        socket.claimed = true;
        const Handle copy = ::fcntl(socket.handle, F_DUPFD_CLOEXEC, 0);
        if (copy >= 0) share.push_back(copy);
    };
    if (passed.empty()) return share;
    for (std::size_t i = shard; i < passed.size(); i += shards)
        take(*passed[i]);
    if (shard >= passed.size()) take(*passed[shard % passed.size()]);
    return share;
}

std::vector<SocketAddress> ListeningSockets::unclaimed() {
    const std::scoped_lock lock(mutex_);
    std::vector<SocketAddress> addresses;
    for (const Socket& socket : sockets_) {
        if (socket.passed && !socket.claimed) addresses.push_back(socket.address);
    }
    return addresses;
}

std::vector<Handle> ListeningSockets::handles() {
    const std::scoped_lock lock(mutex_);
    std::vector<Handle> handles;
    for (const Socket& socket : sockets_)
        handles.push_back(socket.handle);
    return handles;
}

void ListeningSockets::keep() {
    const std::scoped_lock lock(mutex_);
    kept_ = true;
}

bool ListeningSockets::are_kept() {
    const std::scoped_lock lock(mutex_);
    return kept_;
}

void ListeningSockets::close() {
    const std::scoped_lock lock(mutex_);
    for (const Socket& socket : std::exchange(sockets_, {}))
        ::close(socket.handle);
}

}  // namespace core
