#include "core/io/uring_backend.h"

#include <algorithm>
#include <climits>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/io/sockets.h"

namespace core {

namespace {

constexpr std::uint64_t kIgnored = 0;  // user_data of a cancel request
constexpr std::uint64_t kWake = 1;     // of the read that other threads complete

// One operation moves no more; the caller goes on with the rest. A multiple of every block size.
constexpr std::size_t kMostFileOctets = std::size_t{1} << 30;

unsigned file_octets(std::size_t octets) {
    return static_cast<unsigned>(std::min(octets, kMostFileOctets));
}

// A sandbox's io_uring may know fewer operations than its kernel.
bool knows_operations(io_uring& ring) {
    io_uring_probe* const known = io_uring_get_probe_ring(&ring);
    if (known == nullptr) return false;
    bool all = true;
    for (const int operation : {IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_SENDMSG,
                                IORING_OP_CONNECT, IORING_OP_POLL_ADD, IORING_OP_READ,
                                IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_ASYNC_CANCEL}) {
        if (io_uring_opcode_supported(known, operation) == 0) all = false;
    }
    io_uring_free_probe(known);
    return all;
}

}  // namespace

IoResult<std::unique_ptr<UringBackend>> UringBackend::create(const UringOptions& options,
                                                             const Clock& clock) {
    std::unique_ptr<UringBackend> backend(new UringBackend(clock));
    if (auto opened = backend->open(options); !opened) return std::unexpected(opened.error());
    return backend;
}

IoResult<void> UringBackend::open(const UringOptions& options) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_TASKRUN_FLAG |
                   IORING_SETUP_COOP_TASKRUN;
    params.cq_entries = options.completion_entries;
    const int result = io_uring_queue_init_params(options.submission_entries, &ring_, &params);
    if (result < 0) return io_error(-result);
    ring_open_ = true;
    io_uring_ring_dontfork(&ring_);
    arguments_.resize(options.submission_entries);
    if (auto opened = buffers_.open(ring_, options.receive_buffers, options.receive_buffer_size);
        !opened) {
        return opened;
    }
    wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
    if (wake_fd_ < 0) return io_error(errno);
    if (!knows_operations(ring_)) return io_error(EOPNOTSUPP);
    arm_wake();
    // A sandbox may allow the ring and refuse to enter it.
    const int entered = io_uring_submit(&ring_);
    if (entered < 0) return io_error(-entered);
    return {};
}

UringBackend::~UringBackend() {
    // The kernel lets go of all memory of ours before any of it is freed.
    if (ring_open_) io_uring_queue_exit(&ring_);
    if (wake_fd_ >= 0) ::close(wake_fd_);
}

io_uring_sqe* UringBackend::next_entry(Operation* operation) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
        submit();
        entry = io_uring_get_sqe(&ring_);
        PH_ASSERT(entry != nullptr);
    }
    if (operation != nullptr) operation->started();
    stats_.submitted += 1;
    return entry;
}

void UringBackend::submit() {
    stats_.enters += 1;
    const int result = io_uring_submit_and_get_events(&ring_);
    // EBUSY and EAGAIN: completions must be reaped first; the entries stay queued.
    PH_ASSERT(result >= 0 || result == -EBUSY || result == -EAGAIN || result == -EINTR);
}

void UringBackend::arm_wake() {
    io_uring_sqe* entry = next_entry(nullptr);
    io_uring_prep_read(entry, wake_fd_, &wake_count_, sizeof wake_count_, 0);
    io_uring_sqe_set_data64(entry, kWake);
    wake_armed_ = true;
}

void UringBackend::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

// Completions that the kernel posts when it is entered.
bool UringBackend::has_news() {
    const unsigned flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
    return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void UringBackend::wait(Instant until) {
    if (!wake_armed_) arm_wake();
    const Instant now = clock_.now();
    if (until <= now) {
        if (io_uring_sq_ready(&ring_) > 0 || has_news()) submit();
    } else {
        submit_and_wait(now, until);
    }
    reap();
}

// Submits what is queued and sleeps until a completion is there, or until the time.
void UringBackend::submit_and_wait(Instant now, Instant until) {
    if (io_uring_sq_ready(&ring_) > 0 && batch_wait_.yields_first()) {
        submit();
        ::sched_yield();
        const Instant back = clock_.now();
        batch_wait_.yielded(back - now);
        if (has_news()) submit();
        if (io_uring_cq_ready(&ring_) > 0 || until <= back) return;
        now = back;
    }
    stats_.enters += 1;
    if (until == kNever) {
        io_uring_submit_and_wait(&ring_, 1);
        return;
    }
    const auto left = std::max(until - now, Duration{}).count();
    __kernel_timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    io_uring_cqe* completion = nullptr;
    io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &timeout, nullptr);
}

void UringBackend::reap() {
    if (io_uring_cq_has_overflow(&ring_)) {
        stats_.overflows += 1;
        io_uring_get_events(&ring_);
    }
    reaped_.clear();
    unsigned head = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(&ring_, head, completion) {
        reaped_.push_back({completion->user_data, completion->res, completion->flags});
    }
    io_uring_cq_advance(&ring_, static_cast<unsigned>(reaped_.size()));
    stats_.completed += reaped_.size();

    for (const Reaped& one : reaped_) {
        if (one.user_data == kIgnored) continue;
        if (one.user_data == kWake) {
            wake_armed_ = false;
            continue;
        }
        const bool has_buffer = (one.flags & IORING_CQE_F_BUFFER) != 0;
        if (has_buffer) {
            stats_.receives += 1;
            lent_ += 1;
        }
        if (one.result == -ENOBUFS) stats_.buffers_exhausted += 1;
        const Completion result{
            one.result, (one.flags & IORING_CQE_F_MORE) != 0,
            has_buffer ? static_cast<int>(one.flags >> IORING_CQE_BUFFER_SHIFT) : kNoBuffer};
        reinterpret_cast<Operation*>(one.user_data)->deliver(result);
    }
}

IoResult<Handle> UringBackend::listen(const SocketAddress& address, Sharing sharing) {
    return sockets::listen(address, sharing, 0);
}

// An accept on a socket that does not block would end at once when nobody waits.
void UringBackend::adopt_listener(Handle listener) {
    const int flags = ::fcntl(listener, F_GETFL);
    if (flags >= 0) ::fcntl(listener, F_SETFL, flags & ~O_NONBLOCK);
}

IoResult<Handle> UringBackend::open_socket(const SocketAddress& peer, const SocketAddress* source) {
    return sockets::open(peer, source, 0);
}

IoResult<SocketAddress> UringBackend::local_address(Handle handle) {
    return sockets::local_address(handle);
}

IoResult<SocketAddress> UringBackend::peer_address(Handle handle) {
    return sockets::peer_address(handle);
}

void UringBackend::shutdown(Handle handle) {
    sockets::shutdown(handle);
}

void UringBackend::close(Handle handle, bool reset) {
    sockets::close(handle, reset);
}

void UringBackend::start_accept(Handle listener, Operation& operation, Shots shots) {
    io_uring_sqe* entry = next_entry(&operation);
    if (shots == Shots::many) {
        io_uring_prep_multishot_accept(entry, listener, nullptr, nullptr, SOCK_CLOEXEC);
    } else {
        io_uring_prep_accept(entry, listener, nullptr, nullptr, SOCK_CLOEXEC);
    }
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::start_receive(Handle handle, Operation& operation, Intake most) {
    io_uring_sqe* entry = next_entry(&operation);
    if (most == Intake::stream) {
        io_uring_prep_recv_multishot(entry, handle, nullptr, 0, 0);
    } else {
        const std::size_t octets =
            most == Intake::sip ? std::min(kSip, buffer_size()) : buffer_size();
        io_uring_prep_recv(entry, handle, nullptr, octets, 0);
    }
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = BufferRing::kGroup;
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::start_connect(Handle handle, const SocketAddress& peer, Operation& operation) {
    io_uring_sqe* entry = next_entry(&operation);
    Arguments& slot = arguments();
    const socklen_t length = peer.to_native(slot.address);
    io_uring_prep_connect(entry, handle, reinterpret_cast<sockaddr*>(&slot.address), length);
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::start_send(Handle handle, std::span<const iovec> parts, Operation& operation) {
    io_uring_sqe* entry = next_entry(&operation);
    stats_.sends += 1;
    constexpr int kFlags = MSG_NOSIGNAL | MSG_WAITALL;
    if (parts.size() == 1) {
        io_uring_prep_send(entry, handle, parts[0].iov_base, parts[0].iov_len, kFlags);
    } else {
        Arguments& slot = arguments();
        slot.message = {};
        slot.message.msg_iov = const_cast<iovec*>(parts.data());
        slot.message.msg_iovlen = std::min<std::size_t>(parts.size(), IOV_MAX);
        io_uring_prep_sendmsg(entry, handle, &slot.message, kFlags);
    }
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::start_poll(Handle handle, short events, Operation& operation) {
    io_uring_sqe* entry = next_entry(&operation);
    io_uring_prep_poll_add(entry, handle, static_cast<unsigned>(events));
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::start_read(Handle file, std::span<char> octets, std::uint64_t offset,
                              Operation& operation) {
    io_uring_sqe* entry = next_entry(&operation);
    io_uring_prep_read(entry, file, octets.data(), file_octets(octets.size()), offset);
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::start_write(Handle file, std::span<const char> octets, std::uint64_t offset,
                               bool synced, Operation& operation) {
    io_uring_sqe* entry = next_entry(&operation);
    io_uring_prep_write(entry, file, octets.data(), file_octets(octets.size()), offset);
    if (synced) entry->rw_flags = RWF_DSYNC;
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::start_sync(Handle file_or_directory, Operation& operation) {
    io_uring_sqe* entry = next_entry(&operation);
    io_uring_prep_fsync(entry, file_or_directory, 0);
    io_uring_sqe_set_data(entry, &operation);
}

void UringBackend::cancel(Operation& operation) {
    if (!operation.in_flight()) return;
    io_uring_sqe* entry = next_entry(nullptr);
    io_uring_prep_cancel64(entry, reinterpret_cast<std::uint64_t>(&operation), 0);
    io_uring_sqe_set_data64(entry, kIgnored);
}

std::string_view UringBackend::buffer(int id, std::size_t length) const {
    return buffers_.view(id, length);
}

}  // namespace core
