#include "core/io/epoll_backend.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/io/sockets.h"

namespace core {

namespace {

constexpr std::uint32_t kAllEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kEndEvents = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kPollEvents = 0xffff;  // those that poll(2) knows: the same bits

// One operation moves no more; the caller goes on with the rest. A multiple of every block size.
constexpr std::size_t kMostFileOctets = std::size_t{1} << 30;

bool would_wait(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

IoResult<std::unique_ptr<EpollBackend>> EpollBackend::create(const EpollOptions& options,
                                                             const Clock& clock) {
    std::unique_ptr<EpollBackend> backend(new EpollBackend(options, clock));
    if (auto opened = backend->open(); !opened) return std::unexpected(opened.error());
    return backend;
}

IoResult<void> EpollBackend::open() {
    epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd_ < 0) return io_error(errno);
    wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd_ < 0) return io_error(errno);
    // Edge-triggered: each write to it ends a wait, and nobody needs to read it.
    if (!control(EPOLL_CTL_ADD, wake_fd_, EPOLLIN | EPOLLET)) return io_error(errno);
    return files_.start(wake_fd_);
}

EpollBackend::~EpollBackend() {
    files_.stop();
    if (wake_fd_ >= 0) ::close(wake_fd_);
    if (epoll_fd_ >= 0) ::close(epoll_fd_);
}

void EpollBackend::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

// ---- Handles

EpollBackend::Watch* EpollBackend::find(Handle handle) {
    const auto index = static_cast<std::size_t>(handle);
    return index < watches_.size() ? watches_[index].get() : nullptr;
}

EpollBackend::Watch& EpollBackend::watch(Handle handle) {
    PH_ASSERT(handle >= 0);
    const auto index = static_cast<std::size_t>(handle);
    if (index >= watches_.size()) watches_.resize(std::max(index + 1, 2 * watches_.size()));
    if (watches_[index] == nullptr) watches_[index] = std::make_unique<Watch>();
    return *watches_[index];
}

void EpollBackend::forget(Handle handle) {
    Watch* const known = find(handle);
    if (known == nullptr) return;
    for (const Operation* operation : known->operations)
        PH_ASSERT(operation == nullptr);
    watches_[static_cast<std::size_t>(handle)].reset();
}

// The kernel gave us this number, so whoever polled it before has closed it, and its event is gone.
Handle EpollBackend::adopt(Handle made) {
    Watch* const known = find(made);
    if (known != nullptr && known->waiting(Role::poll) != nullptr) {
        finish(*known->waiting(Role::poll), -ECANCELED);
    }
    forget(made);
    return made;
}

bool EpollBackend::control(int what, Handle handle, std::uint32_t events) {
    stats_.enters += 1;
    epoll_event event{};
    event.events = events;
    event.data.fd = handle;
    return ::epoll_ctl(epoll_fd_, what, handle, &event) == 0;
}

IoResult<Handle> EpollBackend::listen(const SocketAddress& address, Sharing sharing) {
    const auto made = sockets::listen(address, sharing, SOCK_NONBLOCK);
    if (made) adopt(*made);
    return made;
}

void EpollBackend::adopt_listener(Handle listener) {
    const int flags = ::fcntl(adopt(listener), F_GETFL);
    if (flags >= 0) ::fcntl(listener, F_SETFL, flags | O_NONBLOCK);
}

IoResult<Handle> EpollBackend::open_socket(const SocketAddress& peer, const SocketAddress* source) {
    const auto made = sockets::open(peer, source, SOCK_NONBLOCK);
    if (made) adopt(*made);
    return made;
}

IoResult<SocketAddress> EpollBackend::local_address(Handle handle) {
    return sockets::local_address(handle);
}

IoResult<SocketAddress> EpollBackend::peer_address(Handle handle) {
    return sockets::peer_address(handle);
}

void EpollBackend::shutdown(Handle handle) {
    sockets::shutdown(handle);
}

// With the last descriptor of a socket its events end. Listening sockets have further ones, for the
// next process (core/net/listening_sockets.h).
void EpollBackend::close(Handle handle, bool reset) {
    const Watch* const known = find(handle);
    if (known != nullptr && known->registered && known->listening) {
        control(EPOLL_CTL_DEL, handle, 0);
    }
    forget(handle);
    sockets::close(handle, reset);
}

// ---- Operations

EpollBackend::Watch& EpollBackend::begin(Handle handle, Role role, Operation& operation) {
    operation.started();
    operation.place() = {handle, static_cast<std::uint8_t>(role)};
    stats_.submitted += 1;
    Watch& known = watch(handle);
    PH_ASSERT(known.waiting(role) == nullptr);
    known.waiting(role) = &operation;
    return known;
}

// After an operation was begun, or is to be tried again.
void EpollBackend::go_on(Handle handle, Watch& watch) {
    if (!watch.registered) {
        watch.registered = control(EPOLL_CTL_ADD, handle, kAllEvents);
        if (!watch.registered) {
            const int error = errno;
            for (Operation* operation : watch.operations) {
                if (operation != nullptr) finish(*operation, -error);
            }
            return;
        }
    }
    if (watch.due || !watch.ready()) return;
    watch.due = true;
    due_.push_back(handle);
}

void EpollBackend::start_accept(Handle listener, Operation& operation, Shots shots) {
    Watch& watch = begin(listener, Role::accept, operation);
    watch.shots = shots;
    watch.listening = true;
    go_on(listener, watch);
}

void EpollBackend::start_receive(Handle handle, Operation& operation, Intake most) {
    Watch& watch = begin(handle, Role::receive, operation);
    watch.intake = most;
    go_on(handle, watch);
}

void EpollBackend::start_connect(Handle handle, const SocketAddress& peer, Operation& operation) {
    Watch& watch = begin(handle, Role::connect, operation);
    sockaddr_storage storage{};
    const socklen_t length = peer.to_native(storage);
    stats_.enters += 1;
    const int result = ::connect(handle, reinterpret_cast<sockaddr*>(&storage), length);
    if (result < 0 && errno != EINPROGRESS && errno != EINTR) return finish(operation, -errno);
    if (result == 0) return finish(operation, 0);
    watch.writable = false;  // it is once the connection stands, or failed
    go_on(handle, watch);
}

void EpollBackend::start_send(Handle handle, std::span<const iovec> parts, Operation& operation) {
    PH_ASSERT(!parts.empty());
    Watch& watch = begin(handle, Role::send, operation);
    stats_.sends += 1;
    watch.parts = parts;
    go_on(handle, watch);
}

void EpollBackend::start_poll(Handle handle, short events, Operation& operation) {
    Watch& known = watch(handle);
    PH_ASSERT(!known.registered);  // not a handle of ours
    // Another one's poll: its handle was closed, and this is a new one of the same number.
    if (known.waiting(Role::poll) != nullptr) finish(*known.waiting(Role::poll), -ECANCELED);
    begin(handle, Role::poll, operation);
    const auto wanted = static_cast<std::uint16_t>(events) | EPOLLONESHOT;
    if (control(EPOLL_CTL_ADD, handle, wanted)) return;
    if (errno == EEXIST && control(EPOLL_CTL_MOD, handle, wanted)) return;
    finish(operation, -errno);
}

void EpollBackend::begin_file(const FileThreads::Job& job) {
    job.operation->started();
    job.operation->place() = {job.file, static_cast<std::uint8_t>(Role::file)};
    stats_.submitted += 1;
    files_.submit(job);
}

void EpollBackend::start_read(Handle file, std::span<char> octets, std::uint64_t offset,
                              Operation& operation) {
    const iovec where{octets.data(), std::min(octets.size(), kMostFileOctets)};
    begin_file({&operation, FileThreads::Call::read, file, where, offset, 0});
}

void EpollBackend::start_write(Handle file, std::span<const char> octets, std::uint64_t offset,
                               bool synced, Operation& operation) {
    const iovec what{const_cast<char*>(octets.data()), std::min(octets.size(), kMostFileOctets)};
    const auto call = synced ? FileThreads::Call::synced_write : FileThreads::Call::write;
    begin_file({&operation, call, file, what, offset, 0});
}

void EpollBackend::start_sync(Handle file_or_directory, Operation& operation) {
    begin_file({&operation, FileThreads::Call::sync, file_or_directory, {}, 0, 0});
}

void EpollBackend::finish(Operation& operation, int result, int buffer) {
    const Operation::Place place = std::exchange(operation.place(), {});
    const Role role{place.role};
    PH_ASSERT(role != Role::none);
    if (role != Role::file) find(place.handle)->waiting(role) = nullptr;
    finished_.push_back({&operation, {result, false, buffer}});
}

void EpollBackend::cancel(Operation& operation) {
    if (!operation.in_flight()) return;
    const Role role{operation.place().role};
    if (role == Role::none) return;  // its last completion is on the way
    if (role == Role::file && !files_.withdraw(operation)) return;
    if (role == Role::poll) control(EPOLL_CTL_DEL, operation.place().handle, 0);
    finish(operation, -ECANCELED);
}

// ---- The loop

void EpollBackend::wait(Instant until) {
    gather(until);
    attempt_due();
    collect_files();
    deliver();
}

// Milliseconds, rounded up: a timer that is not due yet would make the loop turn for nothing.
int EpollBackend::timeout_until(Instant until) const {
    if (!due_.empty() || !finished_.empty()) return 0;
    if (until == kNever) return -1;
    const Instant now = clock_.now();
    if (until <= now) return 0;
    constexpr auto kLongest = std::chrono::hours{1};
    if (until - now > kLongest)
        return static_cast<int>(std::chrono::milliseconds{kLongest}.count());
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(until - now).count());
}

void EpollBackend::gather(Instant until) {
    int count = 0;
    do {
        stats_.enters += 1;
        count = ::epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()),
                             timeout_until(until));
    } while (count < 0 && errno == EINTR);
    for (int i = 0; i < count; ++i)
        note_event(events_[static_cast<std::size_t>(i)]);
}

// No handle is closed between the kernel's answer and this: an event is of the handle it names.
void EpollBackend::note_event(const epoll_event& event) {
    const Handle handle = event.data.fd;
    if (handle == wake_fd_) return;
    Watch* const known = find(handle);
    if (known == nullptr) return;
    if (Operation* const poll = known->waiting(Role::poll); poll != nullptr) {
        control(EPOLL_CTL_DEL, handle, 0);
        return finish(*poll, static_cast<int>(event.events & kPollEvents));
    }
    if ((event.events & kEndEvents) != 0) known->ended = true;
    if (known->ended || (event.events & EPOLLIN) != 0) known->readable = true;
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) known->writable = true;
    go_on(handle, *known);
}

void EpollBackend::attempt_due() {
    if (due_.empty()) return;
    TurnTime time(clock_, kAttemptTime);
    // What is due again after its attempt comes in the next wait().
    for (std::size_t left = std::min(due_.size(), kMostAttempts); left > 0 && !time.over();
         --left) {
        const Handle handle = due_.front();
        due_.pop_front();
        Watch* const known = find(handle);
        if (known == nullptr) continue;  // closed meanwhile
        known->due = false;
        attempt(handle, *known);
        go_on(handle, *known);
    }
}

void EpollBackend::attempt(Handle handle, Watch& watch) {
    if (watch.writable && watch.waiting(Role::connect) != nullptr) end_connect(handle, watch);
    if (watch.writable && watch.waiting(Role::send) != nullptr) send_some(handle, watch);
    if (watch.readable && watch.waiting(Role::accept) != nullptr) accept_some(handle, watch);
    if (watch.readable && watch.waiting(Role::receive) != nullptr) receive_one(handle, watch);
}

void EpollBackend::accept_some(Handle handle, Watch& watch) {
    Operation& operation = *watch.waiting(Role::accept);
    const std::size_t most = watch.shots == Shots::many ? kMostAccepts : 1;
    for (std::size_t i = 0; i < most; ++i) {
        stats_.enters += 1;
        const int made = ::accept4(handle, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (made < 0) {
            if (errno == EINTR) return;
            if (!would_wait(errno)) return finish(operation, -errno);
            watch.readable = false;
            return;
        }
        adopt(made);
        if (watch.shots == Shots::one) return finish(operation, made);
        finished_.push_back({&operation, {made, true, kNoBuffer}});
    }
}

void EpollBackend::receive_one(Handle handle, Watch& watch) {
    Operation& operation = *watch.waiting(Role::receive);
    const int id = buffers_.take();
    if (id == kNoBuffer) {
        stats_.buffers_exhausted += 1;
        return finish(operation, -ENOBUFS);
    }
    const std::size_t most =
        watch.intake == Intake::sip ? std::min(kSip, buffers_.size()) : buffers_.size();
    stats_.enters += 1;
    const ssize_t got = ::recv(handle, buffers_.octets(id), most, MSG_DONTWAIT);
    if (got <= 0) {
        const int error = got < 0 ? errno : 0;
        buffers_.recycle(id);
        if (error == EINTR) return;
        if (!would_wait(error)) return finish(operation, -error);
        watch.readable = false;
        return;
    }
    if (static_cast<std::size_t>(got) < most && !watch.ended) watch.readable = false;
    if (watch.intake != Intake::stream) return finish(operation, static_cast<int>(got), id);
    finished_.push_back({&operation, {static_cast<int>(got), true, id}});
}

void EpollBackend::end_connect(Handle handle, Watch& watch) {
    int error = 0;
    socklen_t size = sizeof error;
    stats_.enters += 1;
    if (::getsockopt(handle, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
    finish(*watch.waiting(Role::connect), -error);
}

void EpollBackend::send_some(Handle handle, Watch& watch) {
    Operation& operation = *watch.waiting(Role::send);
    const std::size_t most_parts = std::min<std::size_t>(watch.parts.size(), IOV_MAX);
    std::size_t parts = 1;
    std::size_t octets = watch.parts[0].iov_len;
    while (parts < most_parts && octets + watch.parts[parts].iov_len <= kMostSendOctets)
        octets += watch.parts[parts++].iov_len;
    constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
    stats_.enters += 1;
    ssize_t sent = 0;
    if (parts == 1) {
        const std::size_t most = std::min(octets, kMostSendOctets);
        sent = ::send(handle, watch.parts[0].iov_base, most, kFlags);
    } else {
        msghdr message{};
        message.msg_iov = const_cast<iovec*>(watch.parts.data());
        message.msg_iovlen = parts;
        sent = ::sendmsg(handle, &message, kFlags);
    }
    if (sent >= 0) return finish(operation, static_cast<int>(sent));
    if (errno == EINTR) return;
    if (!would_wait(errno)) return finish(operation, -errno);
    watch.writable = false;
}

void EpollBackend::collect_files() {
    jobs_.clear();
    files_.collect(jobs_);
    for (const FileThreads::Job& job : jobs_)
        finish(*job.operation, job.result);
}

// What completions begin or cancel comes to finished_, for the next wait().
void EpollBackend::deliver() {
    delivering_.swap(finished_);
    stats_.completed += delivering_.size();
    for (const Finished& one : delivering_) {
        if (one.completion.buffer != kNoBuffer) {
            stats_.receives += 1;
            lent_ += 1;
        }
        one.operation->deliver(one.completion);
    }
    delivering_.clear();
}

}  // namespace core
