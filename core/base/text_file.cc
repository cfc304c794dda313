#include "core/base/text_file.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace core {

namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int fd() const { return fd_; }

  private:
    int fd_;
};

std::unexpected<std::string> unreadable(int error) {
    return failure("cannot be read: " + error_from_errno(error).message());
}

std::string_view kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

std::string size_text(std::size_t octets) {
    constexpr std::size_t kMiB = 1U << 20;
    if (octets >= kMiB && octets % kMiB == 0) return std::to_string(octets / kMiB) + " MiB";
    if (octets >= 1024 && octets % 1024 == 0) return std::to_string(octets / 1024) + " KiB";
    return std::to_string(octets) + " octets";
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t most, bool secret) {
    // A name with a NUL in it would be opened as what stands before it.
    if (path.native().contains('\0')) return failure("is not the name of a file");
    // O_NONBLOCK: opening a FIFO must not wait for somebody who writes into it.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (file.fd() < 0) {
        return errno == ENXIO ? Result<std::string>(failure("is a socket or a device, not a file"))
                              : unreadable(errno);
    }
    struct stat facts{};
    if (::fstat(file.fd(), &facts) != 0) return unreadable(errno);
    if (!S_ISREG(facts.st_mode)) {
        return failure("is " + std::string(kind_of(facts.st_mode)) + ", not a file");
    }
    if (secret && (facts.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        return failure("holds a secret and everybody may read it: chmod o= " + path.string());
    }
    const auto size = static_cast<std::size_t>(std::max<off_t>(facts.st_size, 0));
    if (size > most) return failure("is larger than " + size_text(most));
    // Files of /proc and /sys have no size; any other may grow meanwhile.
    std::string text;
    constexpr std::size_t kPiece = std::size_t{64} << 10;
    std::size_t piece = std::min(std::max(size, kPiece), most) + 1;
    while (true) {
        const std::size_t before = text.size();
        text.resize(before + piece);
        const ssize_t count = ::read(file.fd(), text.data() + before, piece);
        const int error = errno;
        text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count < 0 && error == EINTR) continue;
        if (count < 0) return unreadable(error);
        if (count == 0) return text;
        if (text.size() > most) return failure("is larger than " + size_text(most));
        piece = std::min(kPiece, most - text.size() + 1);
    }
}

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t most) {
    return read_file(path, most, false);
}

Result<std::string> read_secret_file(const std::filesystem::path& path, std::size_t most) {
    return read_file(path, most, true);
}

}  // namespace core
