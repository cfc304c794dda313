// The report of one day to one domain (RFC 8460 section 4): JSON, the name of its file, and the
// file itself, which is gzipped. Pure: the caller brings counts and names. One day of one node and
// one domain always makes the same id and file name, so that a report that comes twice is known.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "relay/tlsrpt/tally.h"

namespace relay {

// Who sends reports.
struct TlsReportSender {
    std::string organization;
    std::string contact;   // contact-info: an address, or how else to reach somebody
    std::string from;      // a mailbox; its domain is the submitter
    std::string hostname;  // of this node

    std::string_view submitter() const;
};

struct TlsReport {
    const TlsReportSender& sender;
    std::string_view domain;
    UtcDay day = 0;
    std::span<const PolicyCounts> policies;
};

// Letters, digits, dots, hyphens and one @; unique to sender, day and domain.
std::string tls_report_id(const TlsReport& report);
std::string tls_report_json(const TlsReport& report);
// "sender!domain!begin!end!id.json.gz"; the id tells the nodes of one sender apart.
std::string tls_report_file_name(const TlsReport& report);

std::string gzipped(std::string_view text);

}  // namespace relay
