// sync_probe: how long one synced write takes on the disk of a directory; see --help.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/file/aligned_buffer.h"

namespace bench {
namespace {

constexpr const char* kDescription =
    R"(sync_probe: how long one synced write takes on the disk of a directory.

Fills a file with zeros and syncs it; then writes into it, one write at a time, by O_DIRECT and
RWF_DSYNC (through the page cache where a file system has no O_DIRECT). Prints one JSON object with
microseconds, and removes the file.)";

constexpr std::uint64_t kBlock = 4096;

struct ProbeOptions {
    std::string directory = ".";
    std::uint64_t writes = 2000;
    std::uint64_t warm_up = 100;
    std::uint64_t size = 12288;
    std::uint64_t file_size = 64U << 20U;
};

// The file is gone from the directory as soon as it is open.
class ProbeFile {
  public:
    explicit ProbeFile(const std::string& path) {
        fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
        direct_ = fd_ >= 0;
        if (fd_ < 0) fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd_ >= 0) ::unlink(path.c_str());
    }
    ~ProbeFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    ProbeFile(const ProbeFile&) = delete;
    ProbeFile& operator=(const ProbeFile&) = delete;

    bool open() const { return fd_ >= 0; }
    bool direct() const { return direct_; }
    bool write(const char* octets, std::uint64_t size, std::uint64_t at, int flags) const {
        const iovec part{const_cast<char*>(octets), size};
        const auto written = ::pwritev2(fd_, &part, 1, static_cast<off_t>(at), flags);
        if (written >= 0 && static_cast<std::uint64_t>(written) != size) errno = EIO;
        return written >= 0 && static_cast<std::uint64_t>(written) == size;
    }
    bool sync() const { return ::fsync(fd_) == 0; }

  private:
    int fd_ = -1;
    bool direct_ = false;
};

bool fill(const ProbeFile& file, std::uint64_t size) {
    constexpr std::uint64_t kStep = 1U << 20U;
    core::AlignedBuffer zeros(kStep);
    std::ranges::fill(zeros.first(kStep), '\0');
    for (std::uint64_t at = 0; at < size; at += kStep) {
        if (!file.write(zeros.data(), std::min(kStep, size - at), at, 0)) return false;
    }
    return file.sync();
}

// Empty: errno says why.
std::vector<double> timed_writes(const ProbeFile& file, const ProbeOptions& options) {
    core::AlignedBuffer octets(options.size);
    std::ranges::fill(octets.first(options.size), 'x');
    std::vector<double> microseconds;
    microseconds.reserve(options.writes);
    std::uint64_t at = 0;
    for (std::uint64_t i = 0; i < options.warm_up + options.writes; ++i) {
        if (at + options.size > options.file_size) at = 0;
        const auto begun = std::chrono::steady_clock::now();
        if (!file.write(octets.data(), options.size, at, RWF_DSYNC)) return {};
        const auto took = std::chrono::steady_clock::now() - begun;
        at += options.size;
        if (i < options.warm_up) continue;
        microseconds.push_back(std::chrono::duration<double, std::micro>(took).count());
    }
    std::ranges::sort(microseconds);
    return microseconds;
}

int fail(const std::string& what) {
    fmt::print(stderr, "sync_probe: {}: {}\n", what, std::strerror(errno));
    return 1;
}

int run(int argc, char** argv) {
    CLI::App app{kDescription, "sync_probe"};
    ProbeOptions options;
    app.add_option("--directory", options.directory)->capture_default_str();
    app.add_option("--writes", options.writes)
        ->capture_default_str()
        ->check(CLI::Range(1U, 1000000U));
    app.add_option("--size", options.size, "octets of a write, rounded up to blocks of 4096")
        ->capture_default_str()
        ->check(CLI::Range(1U, 1U << 24U));
    CLI11_PARSE(app, argc, argv);
    options.size = (options.size + kBlock - 1) / kBlock * kBlock;

    const ProbeFile file(fmt::format("{}/sync-probe-{}", options.directory, ::getpid()));
    if (!file.open()) return fail("cannot make a file in " + options.directory);
    if (!fill(file, options.file_size)) return fail("cannot fill a file in " + options.directory);
    const std::vector<double> sorted = timed_writes(file, options);
    if (sorted.empty()) return fail("cannot write in " + options.directory);
    const auto quantile = [&sorted](double q) {
        const auto place = static_cast<std::size_t>(static_cast<double>(sorted.size()) * q);
        return sorted[std::min(place, sorted.size() - 1)];
    };
    fmt::print(
        "{{\"writes\": {}, \"size\": {}, \"direct\": {}, \"p50_us\": {:.1f}, \"p90_us\": {:.1f}, "
        "\"p99_us\": {:.1f}, \"max_us\": {:.1f}}}\n",
        sorted.size(), options.size, file.direct(), quantile(0.5), quantile(0.9), quantile(0.99),
        sorted.back());
    return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    return bench::run(argc, argv);
}
