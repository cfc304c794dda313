// What `posthaste spool dump DIR` prints: every record of a spool, one JSON object a line, oldest
// first by journal. Reads files as they are and writes nothing but to out: it may look at a spool
// in use, whose newest batch may then be half there, and at a copy. Contents are not printed.
#pragma once

#include <cstdio>
#include <filesystem>

namespace relay {

// The exit code: 0, or 1 when something could not be read or is damaged (said in lines of type
// "damage").
int dump_spool(const std::filesystem::path& directory, std::FILE* out);

}  // namespace relay
