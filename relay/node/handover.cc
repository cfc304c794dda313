#include "relay/node/handover.h"

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/log.h"

namespace relay {

namespace {

std::string why(int error) {
    return core::error_from_errno(error).message();
}

// False: the path is too long for a socket of the file system.
bool name_of(const std::filesystem::path& path, sockaddr_un& address) {
    address = {.sun_family = AF_UNIX, .sun_path = {}};
    const std::string& name = path.native();
    if (name.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, name.data(), name.size());
    return true;
}

// Each connection is one packet each way: they arrive whole or not at all.
int new_socket(int flags) {
    return ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
}

bool same_user(int connection) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return false;
    return peer.uid == ::geteuid() || peer.uid == 0;
}

// What sendmsg(2) and recvmsg(2) are told of a packet with text and descriptors.
class Packet {
  public:
    Packet(std::span<char> text, std::size_t control_octets) : part_{text.data(), text.size()} {
        header.msg_iov = &part_;
        header.msg_iovlen = 1;
        header.msg_control = room_.octets.data();
        header.msg_controllen = control_octets;
    }
    Packet(const Packet&) = delete;
    Packet& operator=(const Packet&) = delete;

    static constexpr std::size_t kMostControl = CMSG_SPACE(sizeof(int) * Handover::kMaxSockets);
    msghdr header{};

  private:
    iovec part_;
    union {
        std::array<char, kMostControl> octets;
        cmsghdr alignment;
    } room_{};
};

bool send_handles(int connection, std::span<const int> handles) {
    std::string text(Handover::kAnswer);
    Packet packet(text, CMSG_SPACE(handles.size_bytes()));
    cmsghdr* const control = CMSG_FIRSTHDR(&packet.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(handles.size_bytes());
    std::memcpy(CMSG_DATA(control), handles.data(), handles.size_bytes());
    return ::sendmsg(connection, &packet.header, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

core::Result<std::vector<int>> receive_handles(int connection) {
    std::array<char, 64> text{};
    Packet packet(text, Packet::kMostControl);
    const ssize_t got = ::recvmsg(connection, &packet.header, MSG_CMSG_CLOEXEC);
    std::vector<int> handles;
    for (cmsghdr* control = got < 0 ? nullptr : CMSG_FIRSTHDR(&packet.header); control != nullptr;
         control = CMSG_NXTHDR(&packet.header, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
        handles.resize((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(handles.data(), CMSG_DATA(control), handles.size() * sizeof(int));
    }
    const std::string_view said(text.data(), got < 0 ? 0 : static_cast<std::size_t>(got));
    if (said == Handover::kAnswer && !handles.empty()) return handles;
    for (const int handle : handles)
        ::close(handle);
    return core::failure("the running process hands nothing over; it may be of another version");
}

bool readable_within(int handle, core::Duration limit) {
    pollfd wanted{handle, POLLIN, 0};
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    return ::poll(&wanted, 1, static_cast<int>(milliseconds)) > 0;
}

}  // namespace

Handover::Handover(core::Shard& shard, const std::filesystem::path& data_dir,
                   core::ListeningSockets& sockets)
    : shard_(shard), sockets_(sockets), path_(data_dir / "handover.sock"), poll_(shard) {}

Handover::~Handover() {
    if (listener_ >= 0) ::close(listener_);
    if (bound_) ::unlink(path_.c_str());
}

core::Result<void> Handover::open() {
    const std::string failed = "cannot listen at " + path_.string() + " for a next process: ";
    sockaddr_un address;
    if (!name_of(path_, address)) return core::failure(failed + "the name is too long");
    listener_ = new_socket(SOCK_NONBLOCK);
    if (listener_ < 0) return core::failure(failed + why(errno));
    // Whoever had the name has ended, or has handed over: this process holds what it names.
    ::unlink(path_.c_str());
    const mode_t before = ::umask(0177);
    const int bound = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const int error = errno;
    ::umask(before);
    bound_ = bound == 0;
    if (!bound_ || ::listen(listener_, 4) < 0) {
        ::close(std::exchange(listener_, -1));
        return core::failure(failed + why(bound_ ? errno : error));
    }
    return {};
}

core::Task<bool> Handover::handed_over() {
    bool done = false;
    while (!poll_.stopped() && !done && listener_ >= 0) {
        const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) {
            co_await poll_.readable(listener_);
            continue;
        }
        co_await poll_.readable(connection, shard_.now() + kRequestTime);
        done = answer(connection);
    }
    co_return done;
}

// True: the sockets are another process's from now on.
bool Handover::answer(int connection) {
    std::array<char, 64> text{};
    const bool asked = same_user(connection) &&
                       ::recv(connection, text.data(), text.size(), MSG_DONTWAIT) ==
                           static_cast<ssize_t>(kRequest.size()) &&
                       std::string_view(text.data(), kRequest.size()) == kRequest;
    const std::vector<core::Handle> handles = sockets_.handles();
    const bool fits = !handles.empty() && handles.size() <= kMaxSockets;
    if (asked && !fits) {
        core::log_warning("{} listening sockets are not handed over; the limit is {}",
                          handles.size(), kMaxSockets);
    }
    if (!asked || !fits || !send_handles(connection, handles)) {
        ::close(connection);
        return false;
    }
    successor_ = connection;
    sockets_.keep();
    ::unlink(path_.c_str());
    bound_ = false;
    return true;
}

core::Result<bool> take_over(const std::filesystem::path& data_dir,
                             core::ListeningSockets& sockets) {
    const std::filesystem::path path = data_dir / "handover.sock";
    sockaddr_un address;
    if (!name_of(path, address)) return core::failure(path.string() + ": the name is too long");
    const int connection = new_socket(0);
    if (connection < 0) return core::failure("cannot make a socket: " + why(errno));
    if (::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
        const int error = errno;
        ::close(connection);
        if (error == ENOENT || error == ECONNREFUSED) return false;
        return core::failure("cannot connect to " + path.string() + ": " + why(error));
    }
    const auto fail = [connection](std::string sentence) {
        ::close(connection);
        return core::failure(std::move(sentence));
    };
    if (::send(connection, Handover::kRequest.data(), Handover::kRequest.size(), MSG_NOSIGNAL) <
            0 ||
        !readable_within(connection, Handover::kAnswerTime)) {
        return fail("the process that listens at " + path.string() + " does not answer");
    }
    const auto handles = receive_handles(connection);
    if (!handles) return fail(handles.error());
    for (const int handle : *handles) {
        if (auto taken = sockets.adopt(handle); !taken) return fail(taken.error());
    }
    core::log_info("{} listening sockets taken over; the process before drains", handles->size());
    if (!readable_within(connection, Handover::kEndTime)) {
        return fail("the process before has not ended; its sockets are let go");
    }
    ::close(connection);
    return true;
}

}  // namespace relay
