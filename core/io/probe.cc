#include "core/io/probe.h"

#include <cstring>

#include <sys/utsname.h>

#include "core/base/ascii.h"
#include "core/base/text_file.h"
#include "core/io/uring_backend.h"
#include "core/runtime/clock.h"

namespace core {

namespace {

std::string sysctl_value() {
    const auto text = read_text_file("/proc/sys/kernel/io_uring_disabled", 64);
    return text ? std::string(trim(*text)) : std::string();
}

std::string kernel_release() {
    utsname names{};
    ::uname(&names);
    return names.release;
}

}  // namespace

std::string explain_io_uring_error(int error) {
    const std::string start = "io_uring is unavailable: ";
    switch (error) {
        case EPERM: {
            const std::string disabled = sysctl_value();
            if (disabled == "1" || disabled == "2") {
                return start + "the sysctl kernel.io_uring_disabled is " + disabled +
                       "; set it to 0, or to 1 with this user in kernel.io_uring_group";
            }
            return start +
                   "the kernel refuses io_uring_setup (EPERM), most likely by the container "
                   "runtime's seccomp profile; run with deploy/container/seccomp.json";
        }
        case ENOSYS:
            return start +
                   "io_uring_setup is not there (ENOSYS): a seccomp profile hides it (Podman's "
                   "does; run with deploy/container/seccomp.json) or the kernel, " +
                   kernel_release() + ", is built without it";
        case ENOMEM:
            return start +
                   "no memory for the ring (ENOMEM); raise the locked-memory limit "
                   "(LimitMEMLOCK= in systemd, ulimit -l) to 64 MiB or more";
        case EINVAL:
            return start + "kernel " + kernel_release() +
                   " lacks what Posthaste needs of it (EINVAL); 6.1 or newer is required";
        case EOPNOTSUPP:
            return start + "the kernel's io_uring lacks operations that Posthaste submits";
        default:
            return start + std::strerror(error);
    }
}

std::string_view name_of(Engine engine) {
    return engine == Engine::epoll ? "epoll" : "io_uring";
}

std::optional<int> io_uring_refusal() {
    const SystemClock clock;
    const auto backend = UringBackend::create({}, clock);
    if (!backend) return backend.error().value();
    return std::nullopt;
}

Result<ChosenEngine> choose_engine(IoChoice choice) {
    if (choice == IoChoice::epoll) return ChosenEngine{Engine::epoll, "configured", {}};
    const auto refused = io_uring_refusal();
    if (!refused) {
        return ChosenEngine{
            Engine::io_uring, choice == IoChoice::io_uring ? "configured" : "probed", {}};
    }
    std::string sentence = explain_io_uring_error(*refused);
    if (choice == IoChoice::io_uring) return failure(std::move(sentence));
    const char* const name = ::strerrorname_np(*refused);
    return ChosenEngine{Engine::epoll, name != nullptr ? name : "refused", std::move(sentence)};
}

}  // namespace core
