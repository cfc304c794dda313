// What the configuration takes from the machine: its memory, its name and its addresses.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include <ifaddrs.h>
#include <netdb.h>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/base/text_file.h"
#include "relay/config/config.h"

namespace relay {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kMostOctets = 64 << 10;  // of a file of the kernel

std::uint64_t machine_memory() {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0) return 1ULL << 30;  // never seen; a cautious guess
    return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
}

// One number of octets, or kNoLimit for "max", a missing file or anything else.
std::uint64_t limit_in_file(const std::filesystem::path& file) {
    const auto text = core::read_text_file(file, kMostOctets);
    std::uint64_t value = 0;
    const bool number =
        text && std::from_chars(text->data(), text->data() + text->size(), value).ec == std::errc{};
    return number ? value : kNoLimit;
}

// The path of our cgroup below the mount point: "0::/a/b" (version 2), "9:memory:/a/b" (version 1).
std::string own_cgroup(std::string_view controller) {
    const auto text = core::read_text_file("/proc/self/cgroup", kMostOctets);
    if (!text) return "/";
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const std::size_t first = std::min(line.find(':'), line.size());
        const std::size_t second = line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        if (line.substr(first + 1, second - first - 1) == controller) {
            return std::string(line.substr(second + 1));
        }
    }
    return "/";
}

// Limits of parents count too. Within a container the path may name a cgroup that is not visible
// below the mount: the mount point itself is then ours, and is always among the looked at.
std::uint64_t smallest_limit(const std::filesystem::path& mount, std::string_view controller,
                             std::string_view file) {
    std::uint64_t smallest = kNoLimit;
    std::filesystem::path below = std::filesystem::path(own_cgroup(controller)).relative_path();
    for (;; below = below.parent_path()) {
        smallest = std::min(smallest, limit_in_file(mount / below / file));
        if (below.empty()) return smallest;
    }
}

}  // namespace

std::uint64_t memory_limit(const MemoryConfig& memory) {
    const std::uint64_t whole =
        std::min({machine_memory(), smallest_limit("/sys/fs/cgroup", "", "memory.max"),
                  smallest_limit("/sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes")});
    return memory.limit.of(whole);
}

std::vector<core::IpAddress> machine_addresses() {
    std::vector<core::IpAddress> found;
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) != 0) return found;
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        const sockaddr* address = one->ifa_addr;
        if (address == nullptr) continue;  // an interface without any
        if (address->sa_family != AF_INET && address->sa_family != AF_INET6) continue;
        found.push_back(core::SocketAddress::from_native(address).ip);
    }
    freeifaddrs(first);
    std::ranges::sort(found);
    const auto repeated = std::ranges::unique(found);
    found.erase(repeated.begin(), repeated.end());
    return found;
}

std::string binding_complaint(const core::IpAddress& address) {
    sockaddr_storage storage{};
    const socklen_t length = core::SocketAddress{address, 0}.to_native(storage);
    const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return core::error_from_errno(errno).message();
    const int on = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0;
    const int error = bound ? 0 : errno;
    ::close(fd);
    return bound ? "" : core::error_from_errno(error).message();
}

std::string machine_hostname() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
    if (std::strchr(name.data(), '.') != nullptr) return core::to_lower(name.data());
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    std::string result = name.data();
    if (getaddrinfo(name.data(), nullptr, &hints, &found) == 0 && found != nullptr) {
        // A resolver that knows no domain for us may answer "localhost": worse than the plain name.
        const std::string canonical = found->ai_canonname == nullptr ? "" : found->ai_canonname;
        if (canonical.contains('.') && !canonical.starts_with("localhost")) result = canonical;
        freeaddrinfo(found);
    }
    return core::to_lower(result);
}

}  // namespace relay
