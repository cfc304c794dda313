#include "core/base/text_file.h"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace core {

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t most) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return failure("is a directory");
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) return failure("cannot be read: " + error_from_errno(errno).message());
    std::string text(most + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

}  // namespace core
