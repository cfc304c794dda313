#include "relay/tlsrpt/report_mail.h"

#include "relay/dsn/dsn_text.h"
#include "relay/message/received.h"

namespace relay {

// base64 has no "=_" in a line of its own, nor do our words.
constexpr std::string_view kBoundary = "=_tlsrpt_report";

std::string write_tls_report_mail(const TlsReport& report, const TlsReportEnvelope& envelope,
                                  std::string_view file) {
    const std::string domain(report.domain);
    const std::string submitter(report.sender.submitter());
    std::string date;
    append_date_time(date, envelope.now);
    std::string out;
    out += folded_field("From", "<" + report.sender.from + ">");
    out += folded_field("To", "<" + std::string(envelope.to) + ">");
    out += folded_field("Subject", "Report Domain: " + domain + " Submitter: " + submitter +
                                       " Report-ID: <" + tls_report_id(report) + ">");
    out += folded_field("Date", date);
    out += folded_field(
        "Message-ID", "<" + std::string(envelope.message_id) + "@" + report.sender.hostname + ">");
    out += folded_field("TLS-Report-Domain", domain);
    out += folded_field("TLS-Report-Submitter", submitter);
    out += "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
    out += "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"";
    out.append(kBoundary).append("\"\r\n\r\nThis is a report about TLS in MIME format.\r\n");
    out.append("\r\n--").append(kBoundary);
    out += "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n";
    out += wrapped("This is an aggregate report about TLS towards " + domain + " from " +
                       clean_line(report.sender.organization, false, 200) + " (RFC 8460).",
                   "");
    out += wrapped("Contact: " + clean_line(report.sender.contact, false, 200), "");
    out.append("\r\n--").append(kBoundary);
    out += "\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n";
    out += "Content-Disposition: attachment;\r\n filename=\"" + tls_report_file_name(report) +
           "\"\r\n\r\n";
    out += base64_lines(file);
    out.append("\r\n--").append(kBoundary).append("--\r\n");
    return out;
}

}  // namespace relay
