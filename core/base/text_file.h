// read_text_file(): a file that a person wrote, whole, as it is needed once at start or reload. It
// blocks, so it is never called where mail moves. Limit: most octets and one more are read, so that
// whoever parses the text can say that it is too long.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "core/base/result.h"

namespace core {

// The failure is the end of a sentence: "cannot be read: No such file or directory".
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t most);

}  // namespace core
