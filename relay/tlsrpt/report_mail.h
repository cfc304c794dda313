// A report as a mail (RFC 8460 section 5.3): multipart/report with words for a person and the
// gzipped file for a program. Pure: the caller brings time and report. The result is a complete
// message with CRLF lines, 7-bit. It asks not to be kept for want of TLS (RFC 8689): that may be
// just what it reports.
#pragma once

#include <string>
#include <string_view>

#include "core/base/time.h"
#include "relay/tlsrpt/report.h"

namespace relay {

struct TlsReportEnvelope {
    std::string_view to;
    std::string_view message_id;  // without host and brackets
    core::WallTime now{};
};

std::string write_tls_report_mail(const TlsReport& report, const TlsReportEnvelope& envelope,
                                  std::string_view file);

}  // namespace relay
