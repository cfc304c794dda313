// FileLine: the place in a file where a person wrote something. A plain value. An empty file means
// that nobody wrote it: a default holds.
#pragma once

#include <string>

namespace relay {

struct FileLine {
    std::string file;
    int line = 0;  // 0: the file as a whole

    bool empty() const { return file.empty(); }
    // "file:line", or the file alone.
    std::string to_string() const { return line > 0 ? file + ":" + std::to_string(line) : file; }
    bool operator==(const FileLine&) const = default;
};

}  // namespace relay
