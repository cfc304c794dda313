#include "core/io/descriptors.h"

#include <algorithm>

#include <dirent.h>
#include <sys/resource.h>

namespace core {

void Descriptors::set_limit(std::size_t may_open, std::size_t open, std::size_t shards) {
    const std::size_t kept = open + kReserve + kReservePerShard * shards + kFarewells;
    room_.store(std::max(kLeastRoom, may_open - std::min(may_open, kept)),
                std::memory_order_relaxed);
}

std::size_t Descriptors::leased() const {
    return leased(Use::stranger) + leased(Use::client) + leased(Use::server);
}

bool Descriptors::plentiful() const {
    return leased() + kPlenty < room() * 3 / 4;
}

// Asked once the lease was counted.
bool Descriptors::fits(Use use) const {
    if (use == Use::farewell) return leased(use) <= kFarewells;
    const std::size_t all = room();
    const std::size_t inbound = leased(Use::stranger) + leased(Use::client);
    if (leased() > all) return false;
    if (use == Use::server) return leased(use) <= all * 3 / 4;
    if (use == Use::stranger && leased(use) > all / 4) return false;
    return inbound <= all * 3 / 4;
}

Descriptors::Lease Descriptors::take(Use use) {
    count(use).fetch_add(1, std::memory_order_relaxed);
    if (fits(use)) return {*this, use};
    give_back(use);
    return {};
}

std::size_t Descriptors::raise_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kReserve;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<std::size_t>(limit.rlim_cur);
}

std::size_t Descriptors::count_open() {
    DIR* const directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) return kReserve;
    std::size_t count = 0;
    while (::readdir(directory) != nullptr)
        ++count;
    ::closedir(directory);
    return count - std::min<std::size_t>(count, 3);  // ".", ".." and the directory itself
}

}  // namespace core
