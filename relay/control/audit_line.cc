#include "relay/control/audit_line.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "core/base/json_text.h"

namespace relay {

std::string audit_line(const AuditEntry& entry) {
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(entry.when.time_since_epoch()).count();
    std::string line = "{\"when\":" + std::to_string(seconds);
    const std::pair<std::string_view, const std::string*> fields[] = {{"who", &entry.who},
                                                                      {"action", &entry.action},
                                                                      {"what", &entry.what},
                                                                      {"reason", &entry.reason},
                                                                      {"result", &entry.result}};
    for (const auto& [name, text] : fields) {
        line.append(",\"").append(name).append("\":");
        core::append_json_string(line, *text);
    }
    return line + "}\n";
}

}  // namespace relay
