// What is kept of each change that an operator makes: who did what, to which mail, when and with
// what result, as a line of JSON with its end. Pure.
#pragma once

#include <string>

#include "core/base/time.h"

namespace relay {

struct AuditEntry {
    core::WallTime when{};
    std::string who{};     // the credential, or the address
    std::string action{};  // "suspend", "resume", "reload", ...
    std::string what{};    // the selection, or the id
    std::string reason{};
    std::string result{};  // "done", or what was wrong
};

std::string audit_line(const AuditEntry& entry);

}  // namespace relay
