#include "core/io/sockets.h"

#include <cerrno>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace core::sockets {

namespace {

IoResult<SocketAddress> name_of(int (*query)(int, sockaddr*, socklen_t*), Handle handle) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (query(handle, reinterpret_cast<sockaddr*>(&storage), &length) < 0) return io_error(errno);
    return SocketAddress::from_native(reinterpret_cast<sockaddr*>(&storage));
}

void set_option(Handle handle, int level, int name) {
    const int on = 1;
    ::setsockopt(handle, level, name, &on, sizeof on);
}

}  // namespace

// SO_REUSEPORT lets any process of the same user join. So the first socket listens without it,
// which fails where anybody does already, and allows it from then on: the kernel makes a group of
// it and of those that join. Two processes that start at once cannot both be first.
IoResult<Handle> listen(const SocketAddress& address, Sharing sharing, int type_flags) {
    sockaddr_storage storage{};
    const socklen_t length = address.to_native(storage);
    const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
    if (fd < 0) return io_error(errno);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    if (sharing == Sharing::join) set_option(fd, SOL_SOCKET, SO_REUSEPORT);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
    if (storage.ss_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&storage), length) < 0 || ::listen(fd, 4096) < 0) {
        const int error = errno;
        ::close(fd);
        return io_error(error);
    }
    set_option(fd, SOL_SOCKET, SO_REUSEPORT);
    return fd;
}

IoResult<Handle> open(const SocketAddress& peer, const SocketAddress* source, int type_flags) {
    const int family = peer.ip.is_v4() ? AF_INET : AF_INET6;
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
    if (fd < 0) return io_error(errno);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    if (source != nullptr) {
        // The port is chosen at connect, so that one source reaches many peers from one port.
        set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        sockaddr_storage storage{};
        const socklen_t length = source->to_native(storage);
        if (::bind(fd, reinterpret_cast<sockaddr*>(&storage), length) < 0) {
            const int error = errno;
            ::close(fd);
            return io_error(error);
        }
    }
    return fd;
}

IoResult<SocketAddress> local_address(Handle handle) {
    return name_of(::getsockname, handle);
}

IoResult<SocketAddress> peer_address(Handle handle) {
    return name_of(::getpeername, handle);
}

void shutdown(Handle handle) {
    ::shutdown(handle, SHUT_RDWR);
}

void close(Handle handle, bool reset) {
    if (reset) {
        const linger now{1, 0};
        ::setsockopt(handle, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    ::close(handle);
}

}  // namespace core::sockets
