// NamedFile: a file or directory that the configuration names, and the line that names it, so that
// a mistake which shows only when it is read can say where to mend it. A plain value.
#pragma once

#include <filesystem>

namespace relay {

struct NamedFile {
    std::filesystem::path path;
    int line = 0;  // 0: the key is absent

    bool empty() const { return path.empty(); }
    bool operator==(const std::filesystem::path& other) const { return path == other; }
};

}  // namespace relay
