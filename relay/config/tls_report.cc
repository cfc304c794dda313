#include "relay/config/tls_report.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "relay/message/address.h"

namespace relay {

void read_tls_report(Section& from, TlsReportConfig& report) {
    from.flag("enabled", report.enabled);
    const auto one_line = [&](std::string_view key, std::string& out) {
        const bool given = from.text(key, out);
        const bool bad = out.size() > 200 || std::ranges::any_of(out, [](char c) {
                             return static_cast<unsigned char>(c) < 32 || c == 127;
                         });
        if (given && bad) {
            from.problem_with(key, from.take(key)->line, "must be one line of at most 200 octets");
        }
        if (report.enabled && from.take(key) == nullptr) {
            from.problem_with(key, from.line(), "is needed for enabled = true");
        } else if (report.enabled && given && out.empty()) {
            from.problem_with(key, from.take(key)->line, "must not be empty");
        }
        return given;
    };
    from.duration("delay", report.delay, core::Duration{});
    if (report.delay > std::chrono::hours(24)) {
        from.problem_with("delay", from.take("delay")->line, "must be at most \"24h\"");
    }
    one_line("organization", report.organization);
    one_line("contact", report.contact);
    if (one_line("from", report.from) && !report.from.empty()) {
        const auto mailbox = parse_mailbox(report.from);
        if (!mailbox || mailbox->literal || mailbox->utf8) {
            from.problem_with("from", from.take("from")->line,
                              "= \"" + report.from.substr(0, 80) +
                                  "\" is not an address such as \"tls-reports@example.com\"");
        }
    }
    from.finish();
}

}  // namespace relay
