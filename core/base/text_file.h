// read_text_file(), read_secret_file(): a small file that a person or an earlier run wrote, whole,
// as it is needed once at start or reload. The one way to read such a file: only a regular file is
// read, so a FIFO, a device or a socket in its place neither blocks nor goes on for ever; what is
// checked is the file that is open, so nothing can change between a check and its use; nothing
// throws. It blocks for as long as the disk takes, so it is never called where mail moves.
// Limit: most octets; a larger file is a failure and is not kept.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "core/base/result.h"

namespace core {

// The failure says what is wrong, and stands after the file's name and a colon: "cannot be read: No
// such file or directory", "is a FIFO, not a file", "is larger than 4 MiB".
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t most);

// The same for a password or a private key: a failure too when everybody may read or write it.
Result<std::string> read_secret_file(const std::filesystem::path& path, std::size_t most);

}  // namespace core
