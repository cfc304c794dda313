#include "core/file/mapped_file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace core {

namespace {

constexpr mode_t kFileMode = 0600;

struct Guard {
    std::atomic<std::uintptr_t> begin = 0;  // 0: free
    std::atomic<std::size_t> octets = 0;
    std::atomic<bool> lost = false;
};

std::array<Guard, MappedFile::kMostGuarded> guards;  // NOLINT: the handler has nothing else
struct sigaction handler_before;                     // NOLINT: the same

// When this returns, the processor repeats the store; it then goes into anonymous memory.
void on_sigbus(int /*signal*/, siginfo_t* info, void* /*context*/) {
    const int error = errno;
    const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (Guard& guard : guards) {
        const std::uintptr_t begin = guard.begin.load();
        if (begin == 0 || at < begin || at - begin >= guard.octets.load()) continue;
        void* const place = reinterpret_cast<void*>(begin);
        if (::mmap(place, guard.octets.load(), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
            break;
        }
        guard.lost.store(true);
        errno = error;
        return;
    }
    ::sigaction(SIGBUS, &handler_before, nullptr);  // it comes again, and is theirs
}

void handle_sigbus() {
    static const bool done = [] {
        struct sigaction action{};
        action.sa_sigaction = on_sigbus;
        action.sa_flags = SA_SIGINFO;
        return ::sigaction(SIGBUS, &action, &handler_before) == 0;
    }();
    (void)done;
}

std::optional<std::size_t> free_guard() {
    const auto found =
        std::ranges::find_if(guards, [](const Guard& guard) { return guard.begin.load() == 0; });
    if (found == guards.end()) return std::nullopt;
    return static_cast<std::size_t>(found - guards.begin());
}

// Every page has its space: a store never asks the disk for more.
int give_space(int file, std::size_t octets) {
    struct stat found{};
    if (::fstat(file, &found) < 0) return errno;
    if (!S_ISREG(found.st_mode)) return EINVAL;
    if (::fallocate(file, 0, 0, static_cast<off_t>(octets)) == 0) return 0;
    if (errno != EOPNOTSUPP) return errno;
    const std::vector<char> zeros(4096);
    for (auto at = static_cast<std::size_t>(found.st_size); at < octets;) {
        const std::size_t step = std::min(zeros.size(), octets - at);
        const ssize_t done = ::pwrite(file, zeros.data(), step, static_cast<off_t>(at));
        if (done <= 0) return done < 0 ? errno : EIO;
        at += static_cast<std::size_t>(done);
    }
    return 0;
}

}  // namespace

IoResult<std::unique_ptr<MappedFile>> MappedFile::open(const std::string& path,
                                                       std::size_t octets) {
    const auto guard = free_guard();
    if (!guard) return io_error(ENOMEM);
    // O_NONBLOCK: a FIFO in its place must not hold up a start.
    const int file =
        ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, kFileMode);
    if (file < 0) return io_error(errno);
    int error = give_space(file, octets);
    void* memory = MAP_FAILED;
    if (error == 0) {
        memory = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (memory == MAP_FAILED) error = errno;
    }
    ::close(file);
    if (error != 0) return io_error(error);
    guards[*guard].lost.store(false);
    guards[*guard].octets.store(octets);
    guards[*guard].begin.store(reinterpret_cast<std::uintptr_t>(memory));
    handle_sigbus();
    const std::span words(static_cast<std::uint64_t*>(memory), octets / sizeof(std::uint64_t));
    return std::unique_ptr<MappedFile>(new MappedFile(words, *guard));
}

MappedFile::~MappedFile() {
    guards[guard_].begin.store(0);
    ::munmap(words_.data(), words_.size_bytes());
}

bool MappedFile::lost() const {
    return guards[guard_].lost.load();
}

}  // namespace core
