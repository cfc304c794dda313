#include "bench/load/sink_ledger.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace bench {

SinkLedger::~SinkLedger() {
    if (fd_ < 0) return;
    flush();
    ::close(fd_);
}

core::Result<void> SinkLedger::open(const std::string& path) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) return core::failure("ledger " + path + ": " + std::strerror(errno));
    return {};
}

void SinkLedger::add(std::string_view id, std::string_view recipient, core::WallTime when,
                     bool acknowledged) {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
    fmt::format_to(std::back_inserter(lines_), "{}\t{}\t{}.{:06}\t{}\n", id, recipient,
                   micros / 1'000'000, micros % 1'000'000,
                   acknowledged ? "acknowledged" : "unacknowledged");
    if (lines_.size() >= kFlushAt) flush();
}

void SinkLedger::flush() {
    std::string_view rest = lines_;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd_, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            std::perror("smtp_sink: ledger");
            std::exit(3);
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    lines_.clear();
}

}  // namespace bench
