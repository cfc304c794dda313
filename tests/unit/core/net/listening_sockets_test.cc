#include "core/net/listening_sockets.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace core {
namespace {

// A socket that listens on a port of loopback that the system chose, and its address.
struct Listening {
    Handle handle = ::socket(AF_INET, SOCK_STREAM, 0);
    SocketAddress address = *SocketAddress::parse("127.0.0.1:0");

    explicit Listening(const SocketAddress* like = nullptr) {
        const int on = 1;
        ::setsockopt(handle, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        sockaddr_storage storage{};
        socklen_t length = (like != nullptr ? *like : address).to_native(storage);
        auto* const native = reinterpret_cast<sockaddr*>(&storage);
        EXPECT_EQ(::bind(handle, native, length), 0);
        EXPECT_EQ(::listen(handle, 1), 0);
        length = sizeof storage;
        EXPECT_EQ(::getsockname(handle, native, &length), 0);
        address = SocketAddress::from_native(native);
    }
};

ino_t inode(Handle handle) {
    struct stat status{};
    EXPECT_EQ(::fstat(handle, &status), 0);
    return status.st_ino;
}

TEST(ListeningSockets, every_socket_has_a_shard_and_every_shard_a_socket) {
    for (const std::size_t count : {1U, 2U, 3U, 5U}) {
        ListeningSockets sockets;
        const Listening first;
        ASSERT_TRUE(sockets.adopt(first.handle));
        for (std::size_t i = 1; i < count; ++i)
            ASSERT_TRUE(sockets.adopt(Listening(&first.address).handle));
        for (const std::size_t shards : {1U, 2U, 3U, 4U}) {
            std::set<ino_t> seen;
            for (std::size_t shard = 0; shard < shards; ++shard) {
                const auto share = sockets.share(first.address, shard, shards);
                EXPECT_FALSE(share.empty());
                for (const Handle handle : share) {
                    seen.insert(inode(handle));
                    ::close(handle);
                }
            }
            EXPECT_EQ(seen.size(), count);
        }
    }
}

TEST(ListeningSockets, an_address_that_nobody_asks_for_is_told) {
    ListeningSockets sockets;
    const Listening wanted, other;
    ASSERT_TRUE(sockets.adopt(wanted.handle));
    ASSERT_TRUE(sockets.adopt(other.handle));
    for (const Handle handle : sockets.share(wanted.address, 0, 1))
        ::close(handle);
    EXPECT_EQ(sockets.unclaimed(), std::vector{other.address});
}

TEST(ListeningSockets, what_a_shard_opened_is_for_the_next_process_only) {
    ListeningSockets sockets;
    const Listening own;
    sockets.add(own.address, own.handle);
    EXPECT_TRUE(sockets.share(own.address, 1, 2).empty());
    EXPECT_TRUE(sockets.unclaimed().empty());
    ASSERT_EQ(sockets.handles().size(), 1U);
    EXPECT_EQ(inode(sockets.handles()[0]), inode(own.handle));
    ::close(own.handle);
}

TEST(ListeningSockets, a_descriptor_that_does_not_listen_is_refused) {
    ListeningSockets sockets;
    EXPECT_FALSE(sockets.adopt(::socket(AF_INET, SOCK_STREAM, 0)));
    EXPECT_FALSE(sockets.adopt(::socket(AF_INET, SOCK_DGRAM, 0)));
    EXPECT_FALSE(sockets.adopt(-1));
    EXPECT_TRUE(sockets.handles().empty());
}

TEST(ListeningSockets, variables_for_another_process_are_not_believed) {
    ::setenv("LISTEN_PID", std::to_string(::getpid() + 1).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
    ListeningSockets sockets;
    EXPECT_TRUE(sockets.adopt_from_environment());
    EXPECT_TRUE(sockets.handles().empty());
    EXPECT_FALSE(sockets.are_kept());
    EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr);
}

TEST(ListeningSockets, a_number_of_sockets_that_cannot_be_is_refused) {
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "4000000", 1);
    ListeningSockets sockets;
    EXPECT_FALSE(sockets.adopt_from_environment());
}

}  // namespace
}  // namespace core
