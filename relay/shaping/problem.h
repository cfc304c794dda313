// Problem: one mistake in a file that a person wrote, and where. Printed as "file:line: sentence".
// Collected while a file is read, so that a person sees every mistake at once. A plain value.
#pragma once

#include <string>
#include <vector>

namespace relay {

struct Problem {
    std::string file;
    int line = 0;  // 0: the file as a whole
    std::string sentence;

    std::string to_string() const {
        const std::string place = line > 0 ? file + ":" + std::to_string(line) : file;
        return place.empty() ? sentence : place + ": " + sentence;
    }
};

using Problems = std::vector<Problem>;

}  // namespace relay
