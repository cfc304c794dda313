// What `posthaste spool dump DIR` prints: every record of a spool, one JSON object a line, oldest
// first by journal. Reads files as they are and writes nothing but to out: it may look at a spool
// in use, whose newest batch may then be half there, and at a copy. Contents are not printed. What
// a start would report is reported: segments that are missing, cut or changed, and names that are
// none of the spool's. Messages that are set aside are named as such. Memory: one segment.
#pragma once

#include <cstdio>
#include <string>

namespace relay {

// directory: a spool, or the DATA_DIR above it. The exit code: 0, or 1 when something could not be
// read or is damaged (said in lines of type "damage"), or when that is no spool (said on stderr).
int dump_spool(const std::string& directory, std::FILE* out);

}  // namespace relay
