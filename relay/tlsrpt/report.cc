#include "relay/tlsrpt/report.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <utility>
#include <vector>

#include <isa-l/igzip_lib.h>

#include "core/base/assert.h"
#include "core/base/json_text.h"

namespace relay {

namespace {

constexpr std::uint64_t kSecondsOfADay = 86'400;

struct Date {
    int year;
    unsigned month;
    unsigned day;
};

Date date_of(UtcDay day) {
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
    return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
            static_cast<unsigned>(date.day())};
}

std::string formatted(const char* format, UtcDay day) {
    const Date date = date_of(day);
    std::array<char, 64> text{};
    // The formats are those of the two callers below.
    std::snprintf(text.data(), text.size(), format, date.year, date.month, date.day);
    return text.data();
}

// FNV-1a: the same on every machine and in every version.
std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const char c : text)
        value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return value;
}

class Writer {
  public:
    std::string take() { return std::move(out_); }

    void open(char bracket) {
        separate();
        out_ += bracket;
    }
    void close(char bracket) { out_ += bracket; }
    void key(std::string_view name) {
        separate();
        core::append_json_string(out_, name);
        out_ += ':';
    }
    void text(std::string_view value) {
        separate();
        core::append_json_string(out_, value);
    }
    void field(std::string_view name, std::string_view value) {
        key(name);
        text(value);
    }
    void known(std::string_view name, std::string_view value) {
        if (!value.empty()) field(name, value);
    }
    void number(std::string_view name, std::uint64_t value) {
        key(name);
        out_ += std::to_string(value);
    }
    void list(std::string_view name, const std::vector<std::string>& values) {
        if (values.empty()) return;
        key(name);
        open('[');
        for (const std::string& value : values)
            text(value);
        close(']');
    }

  private:
    void separate() {
        if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':') {
            out_ += ',';
        }
    }
    std::string out_;
};

void write(Writer& out, const FailureCount& failed) {
    out.open('{');
    out.field("result-type", to_string(failed.failure.type));
    out.known("sending-mta-ip", failed.failure.sending_ip);
    out.known("receiving-mx-hostname", failed.failure.host);
    out.known("receiving-ip", failed.failure.receiving_ip);
    out.number("failed-session-count", failed.sessions);
    out.known("failure-reason-code", failed.failure.reason);
    out.close('}');
}

void write(Writer& out, const PolicyCounts& counts) {
    out.open('{');
    out.key("policy");
    out.open('{');
    out.field("policy-type", to_string(counts.policy.kind));
    out.list("policy-string", counts.policy.lines);
    out.field("policy-domain", counts.policy.domain);
    out.list("mx-host", counts.policy.hosts);
    out.close('}');
    out.key("summary");
    out.open('{');
    out.number("total-successful-session-count", counts.successes);
    out.number("total-failure-session-count", counts.failures);
    out.close('}');
    if (!counts.failed.empty()) {
        out.key("failure-details");
        out.open('[');
        for (const FailureCount& failed : counts.failed)
            write(out, failed);
        out.close(']');
    }
    out.close('}');
}

}  // namespace

std::string_view TlsReportSender::submitter() const {
    const std::string_view address = from;
    return address.substr(address.rfind('@') + 1);
}

std::string tls_report_id(const TlsReport& report) {
    return formatted("%04d%02u%02u.", report.day) + std::string(report.domain) + '@' +
           report.sender.hostname;
}

std::string tls_report_json(const TlsReport& report) {
    const std::string date = formatted("%04d-%02u-%02u", report.day);
    Writer out;
    out.open('{');
    out.field("organization-name", report.sender.organization);
    out.key("date-range");
    out.open('{');
    out.field("start-datetime", date + "T00:00:00Z");
    out.field("end-datetime", date + "T23:59:59Z");
    out.close('}');
    out.field("contact-info", report.sender.contact);
    out.field("report-id", tls_report_id(report));
    out.key("policies");
    out.open('[');
    for (const PolicyCounts& counts : report.policies)
        write(out, counts);
    out.close(']');
    out.close('}');
    return out.take();
}

std::string tls_report_file_name(const TlsReport& report) {
    const std::uint64_t begin = static_cast<std::uint64_t>(report.day) * kSecondsOfADay;
    std::array<char, 20> id{};
    std::snprintf(id.data(), id.size(), "%016llx",
                  static_cast<unsigned long long>(hash(report.sender.hostname)));
    return std::string(report.sender.submitter()) + '!' + std::string(report.domain) + '!' +
           std::to_string(begin) + '!' + std::to_string(begin + kSecondsOfADay - 1) + '!' +
           id.data() + ".json.gz";
}

std::string gzipped(std::string_view text) {
    std::vector<std::uint8_t> work(ISAL_DEF_LVL1_DEFAULT);
    std::vector<std::uint8_t> input(text.begin(), text.end());
    // What cannot be made smaller is stored: five octets for each 64 KiB, beside head and trailer.
    std::vector<std::uint8_t> output(text.size() + text.size() / 1024 + 1024);
    isal_zstream stream;
    isal_deflate_stateless_init(&stream);
    stream.level = 1;
    stream.level_buf = work.data();
    stream.level_buf_size = static_cast<std::uint32_t>(work.size());
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.next_in = input.data();
    stream.avail_in = static_cast<std::uint32_t>(input.size());
    stream.next_out = output.data();
    stream.avail_out = static_cast<std::uint32_t>(output.size());
    PH_ASSERT(isal_deflate_stateless(&stream) == COMP_OK && stream.avail_in == 0);
    return {output.begin(), output.begin() + stream.total_out};
}

}  // namespace relay
