#include "core/base/text_file.h"

#include <cstring>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/config/temporary_directory.h"

namespace core {
namespace {

using relay::TemporaryDirectory;

constexpr std::size_t kMost = 1000;

std::string failure_of(const std::filesystem::path& path, std::size_t most = kMost) {
    const auto text = read_text_file(path, most);
    return text ? "read " + std::to_string(text->size()) + " octets" : text.error();
}

TEST(TextFile, gives_a_regular_file_whole) {
    const TemporaryDirectory directory;
    const std::string binary = std::string("a\0b\r\n\xff", 6);
    EXPECT_EQ(read_text_file(directory.write("binary", binary), kMost).value(), binary);
    EXPECT_EQ(read_text_file(directory.write("empty", ""), kMost).value(), "");
    const std::string large(300'000, 'x');
    EXPECT_EQ(read_text_file(directory.write("large", large), large.size()).value(), large);
    std::filesystem::create_symlink("empty", directory.path() / "link");
    EXPECT_EQ(read_text_file(directory.path() / "link", kMost).value(), "");
    EXPECT_TRUE(read_text_file("/proc/self/stat", 4096).has_value());  // has no size
}

// H4: whatever stands where a file should be is a failure, at once and without an exception.
TEST(TextFile, whatever_is_no_regular_file_is_a_failure_at_once) {
    const TemporaryDirectory directory;
    EXPECT_EQ(failure_of(directory.path()), "is a directory, not a file");
    const auto fifo = directory.path() / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(failure_of(fifo), "is a FIFO, not a file");
    EXPECT_EQ(failure_of("/dev/zero"), "is a device, not a file");
    EXPECT_EQ(failure_of("/dev/null"), "is a device, not a file");
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string name = (directory.path() / "socket").string();
    ASSERT_LT(name.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(failure_of(name), "is a socket or a device, not a file");
    ::close(fd);
    EXPECT_EQ(failure_of(directory.path() / "absent"), "cannot be read: No such file or directory");
    EXPECT_EQ(failure_of(""), "cannot be read: No such file or directory");
    EXPECT_EQ(failure_of(directory.write("plain", "x") / "below"),
              "cannot be read: Not a directory");
    std::filesystem::create_symlink("loop", directory.path() / "loop");
    EXPECT_EQ(failure_of(directory.path() / "loop"),
              "cannot be read: Too many levels of symbolic links");
    EXPECT_EQ(failure_of(directory.path() / std::string(300, 'n')),
              "cannot be read: File name too long");
    EXPECT_EQ(failure_of(std::string("/etc/passwd\0.toml", 17)), "is not the name of a file");
    EXPECT_EQ(failure_of("/proc/self/mem"), "cannot be read: Input/output error");
    if (::geteuid() == 0) return;  // root may read anything
    const auto closed = directory.write("closed", "x");
    ASSERT_EQ(::chmod(closed.c_str(), 0), 0);
    EXPECT_EQ(failure_of(closed), "cannot be read: Permission denied");
}

TEST(TextFile, a_file_beyond_the_limit_is_a_failure) {
    const TemporaryDirectory directory;
    const auto file = directory.write("file", std::string(1000, 'x'));
    EXPECT_EQ(failure_of(file, 1000), "read 1000 octets");
    EXPECT_EQ(failure_of(file, 999), "is larger than 999 octets");
    // Sparse: neither read nor allocated.
    ASSERT_EQ(::truncate(file.c_str(), std::int64_t{1} << 40), 0);
    EXPECT_EQ(failure_of(file, 4U << 20), "is larger than 4 MiB");
    EXPECT_EQ(failure_of("/proc/self/environ", 0), "is larger than 0 octets");  // has no size
}

TEST(TextFile, a_secret_that_everybody_may_read_is_a_failure) {
    const TemporaryDirectory directory;
    const auto file = directory.write("secret", "x");
    ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
    EXPECT_EQ(read_secret_file(file, kMost).value(), "x");
    for (const mode_t mode : {0644U, 0602U}) {
        ASSERT_EQ(::chmod(file.c_str(), mode), 0);
        EXPECT_EQ(read_secret_file(file, kMost).error(),
                  "holds a secret and everybody may read it: chmod o= " + file.string());
    }
}

}  // namespace
}  // namespace core
