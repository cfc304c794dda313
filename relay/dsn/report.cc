#include "relay/dsn/report.h"

#include <array>

#include "core/base/assert.h"
#include "relay/dsn/dsn_text.h"
#include "relay/message/header_field.h"
#include "relay/message/received.h"
#include "relay/smtp/dsn_parameters.h"

namespace relay {
namespace {

constexpr std::size_t kLongestMessageId = 500;

std::string date_time(core::WallTime time) {
    std::string text;
    append_date_time(text, time);
    return text;
}

// The header section, cut after a whole field when it is too long.
std::string_view headers_of(std::string_view original, bool whole) {
    std::string_view head = header_section(original);
    const bool complete = whole || head.size() < original.size();
    if (head.size() <= kMostHeaders && complete) return head;
    head = head.substr(0, kMostHeaders);
    std::size_t end = head.rfind("\r\n");
    // What follows must begin a field: a line that begins with white space belongs to this one.
    while (end != std::string_view::npos && end + 2 < head.size() &&
           (head[end + 2] == ' ' || head[end + 2] == '\t')) {
        end = end == 0 ? std::string_view::npos : head.rfind("\r\n", end - 1);
    }
    return end == std::string_view::npos ? std::string_view{} : head.substr(0, end + 2);
}

// "<...>" and nothing that could break a field.
std::string message_id_of(std::string_view original) {
    const std::string_view field = header_field(original.substr(0, kMostHeaders), "Message-ID");
    const std::size_t begin = field.find('<');
    const std::size_t end = begin == std::string_view::npos ? begin : field.find('>', begin);
    if (end == std::string_view::npos || end - begin > kLongestMessageId) return {};
    const std::string_view id = field.substr(begin, end - begin + 1);
    for (const char c : id)
        if (static_cast<unsigned char>(c) <= 32 || static_cast<unsigned char>(c) > 126) return {};
    return std::string(id);
}

// Not in what it separates.
std::string boundary_for(const DsnReport& report) {
    std::string boundary = "=_" + report.id;
    while (report.original.contains(boundary))
        boundary += '_';
    return boundary;
}

std::string_view subject_of(DsnAction action) {
    switch (action) {
        case DsnAction::failed:
            return "Undelivered mail returned to sender";
        case DsnAction::delayed:
            return "Mail is delayed";
        case DsnAction::relayed:
            return "Mail was handed on";
    }
    PH_ASSERT(false && "no such action");
}

std::string_view explanation_of(DsnAction action) {
    switch (action) {
        case DsnAction::failed:
            return "Your message could not be delivered to the recipients below. It will not be "
                   "tried again.";
        case DsnAction::delayed:
            return "Your message could not be delivered to the recipients below yet. You need not "
                   "send it again: it will be tried further.";
        case DsnAction::relayed:
            return "Your message was handed on for the recipients below to a server that sends no "
                   "reports of success; there may be no further ones.";
    }
    PH_ASSERT(false && "no such action");
}

std::string reply_line(const DsnRecipient& recipient, bool utf8) {
    return clean_line(to_string(view_of(recipient.reply)), utf8, kMostDiagnostic);
}

class Writer {
  public:
    explicit Writer(const DsnReport& report)
        : report_(report), boundary_(boundary_for(report)), utf8_(!is_ascii(report.to)) {}

    DsnText write() {
        PH_ASSERT(!report_.recipients.empty());
        header();
        explanation();
        status();
        original();
        out_.append("\r\n--").append(boundary_).append("--\r\n");
        return {std::move(out_), utf8_};
    }

  private:
    void field(std::string_view name, std::string_view value) { out_ += folded_field(name, value); }
    void part(std::string_view type) {
        out_.append("\r\n--").append(boundary_).append("\r\nContent-Type: ");
        out_.append(type).append("\r\n");
    }

    void header() {
        field("From", "Mail Delivery System <mailer-daemon@" + report_.reporting_mta + ">");
        field("To", "<" + report_.to + ">");
        field("Subject", subject_of(report_.recipients.front().action));
        field("Date", date_time(report_.now));
        field("Message-ID", "<" + report_.id + "@" + report_.reporting_mta + ">");
        if (const std::string id = message_id_of(report_.original); !id.empty()) {
            field("In-Reply-To", id);
            field("References", id);
        }
        field("Auto-Submitted", "auto-replied");
        field("MIME-Version", "1.0");
        out_.append("Content-Type: multipart/report; report-type=")
            .append(utf8_ ? "global-delivery-status" : "delivery-status")
            .append(";\r\n boundary=\"")
            .append(boundary_)
            .append("\"\r\n");
        if (utf8_) field("Content-Transfer-Encoding", "8bit");
        out_ += "\r\nThis is a delivery status notification in MIME format.\r\n";
    }

    void explanation() {
        part(utf8_ ? "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
                   : "text/plain; charset=us-ascii");
        out_ += "\r\n";
        out_ += wrapped("This is the mail system at " + report_.reporting_mta + ".", "");
        out_ += "\r\n";
        out_ += wrapped(explanation_of(report_.recipients.front().action), "");
        for (const DsnRecipient& each : report_.recipients) {
            out_.append("\r\n<").append(clean_line(each.address, utf8_, 320)).append(">\r\n");
            if (each.expired && each.action == DsnAction::delayed)
                out_ += wrapped("The time that you asked for has passed.", "    ");
            else if (each.expired)
                out_ += wrapped("It was tried for too long. The last answer:", "    ");
            const std::string reply = reply_line(each, utf8_);
            if (reply.empty()) continue;
            const std::string who = each.remote_mta.empty()
                                        ? std::string()
                                        : clean_line(each.remote_mta, utf8_, 255) + " said: ";
            out_ += wrapped(who + reply, "    ");
        }
    }

    void status() {
        part(utf8_ ? "message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit"
                   : "message/delivery-status");
        out_ += "\r\n";
        if (!report_.asked.envelope_id.empty()) {
            const auto id = decode_xtext(report_.asked.envelope_id);
            field("Original-Envelope-Id",
                  clean_line(id.value_or(report_.asked.envelope_id), false, kMaxEnvelopeId));
        }
        field("Reporting-MTA", "dns; " + report_.reporting_mta);
        field("X-Posthaste-Id", report_.original_id);
        field("Arrival-Date", date_time(report_.arrival));
        for (const DsnRecipient& each : report_.recipients)
            recipient(each);
    }

    void recipient(const DsnRecipient& each) {
        out_ += "\r\n";
        if (!each.original.empty()) {
            field("Original-Recipient", original_address(each.original, utf8_));
        }
        field("Final-Recipient", typed_address(each.address, utf8_));
        field("Action", to_string(each.action));
        field("Status", dsn_status(each));
        if (!each.remote_mta.empty()) {
            field("Remote-MTA", "dns; " + clean_line(each.remote_mta, utf8_, 255));
        }
        if (const std::string reply = reply_line(each, utf8_); !reply.empty()) {
            field("Diagnostic-Code", (each.local ? "x-posthaste; " : "smtp; ") + reply);
        }
        if (each.last_attempt != core::WallTime{}) {
            field("Last-Attempt-Date", date_time(each.last_attempt));
        }
        if (each.action == DsnAction::delayed && each.retry_until != core::WallTime{}) {
            field("Will-Retry-Until", date_time(each.retry_until));
        }
    }

    // RFC 3461 section 4.3: all of it when that was asked for, for failures only.
    void original() {
        if (report_.original.empty()) return;
        const std::string_view head = headers_of(report_.original, report_.whole);
        const bool ascii_head = is_ascii(head);
        const bool full = report_.asked.content == ReturnContent::full && report_.whole &&
                          report_.recipients.front().action == DsnAction::failed &&
                          report_.original.size() <= kMostReturned;
        // 8-bit text after an ASCII header section has no 7-bit form that readers show.
        if (full && (!ascii_head || is_ascii(report_.original))) {
            return give_back(report_.original, ascii_head ? "message/rfc822" : "message/global");
        }
        if (head.empty()) return;
        give_back(head, ascii_head ? "text/rfc822-headers" : "message/global-headers");
    }

    void give_back(std::string_view text, std::string_view type) {
        part(type);
        if (is_ascii(text)) {
            out_.append("\r\n").append(text);
        } else {
            out_.append("Content-Transfer-Encoding: base64\r\n\r\n").append(base64_lines(text));
        }
    }

    const DsnReport& report_;
    const std::string boundary_;
    const bool utf8_;
    std::string out_;
};

}  // namespace

std::string_view to_string(DsnAction action) {
    constexpr std::array<std::string_view, 3> kNames = {"failed", "delayed", "relayed"};
    return kNames[static_cast<std::size_t>(action)];
}

std::string dsn_status(const DsnRecipient& recipient) {
    if (recipient.expired) return recipient.action == DsnAction::delayed ? "4.4.7" : "5.4.7";
    constexpr std::array<std::string_view, 3> kClasses = {"5", "4", "2"};
    std::string status(kClasses[static_cast<std::size_t>(recipient.action)]);
    const bool known = recipient.reply.enhanced.klass != 0;
    status.append(".").append(std::to_string(known ? recipient.reply.enhanced.subject : 0));
    status.append(".").append(std::to_string(known ? recipient.reply.enhanced.detail : 0));
    return status;
}

DsnText write_dsn(const DsnReport& report) {
    return Writer(report).write();
}

}  // namespace relay
