// TLSRPT records and files of counts from anywhere. What must hold for any octets:
//   - reading stays within a copy of exactly that size;
//   - places that were read, written down plainly in a record, read as the same; a second record
//     leaves none;
//   - what was read of a file of counts, written down, reads as the same, and keeps its limits;
//   - the report of it is one line of JSON, and its file and mail can be made.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/tlsrpt/record.h"
#include "relay/tlsrpt/report.h"
#include "relay/tlsrpt/report_mail.h"
#include "relay/tlsrpt/tally.h"
#include "tests/unit/tlsrpt/gunzip.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

// What a URI may not say plainly.
std::string encoded(const std::string& mailbox) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string text;
    for (const char c : mailbox) {
        const auto octet = static_cast<unsigned char>(c);
        text += '%';
        text += kDigits[octet >> 4];
        text += kDigits[octet & 15];
    }
    return text;
}

void check_records(std::string_view text) {
    std::vector<std::string> records;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        records.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const auto places = relay::report_places(records);
    require(places.size() <= relay::kMostPlaces);
    if (places.empty()) return;
    std::string plain = "v=TLSRPTv1; rua=";
    bool exact = true;
    for (const relay::ReportPlace& place : places) {
        require(place.by_mail() == place.url.host.empty());
        if (plain.back() != '=') plain += ',';
        plain += place.by_mail() ? "mailto:" + encoded(place.mailbox) : place.url.to_string();
        exact = exact && place.to_string().size() <= relay::kMostUrl;
    }
    if (exact) require(relay::report_places(std::vector{plain}) == places);
    records.emplace_back("v=TLSRPTv1; rua=mailto:a@b.example");
    require(relay::report_places(records).empty());
}

void check_counts(std::string_view text) {
    relay::TlsTally tally(64 << 10);
    tally.read(text);
    relay::TlsTally again;
    again.read(tally.text());
    require(again == tally);
    relay::TlsTally empty;
    empty.merge(tally);
    require(empty == tally);
    const relay::TlsReportSender sender{"organization", "contact", "from@x.example", "x.example"};
    for (const auto& [key, policies] : tally.domains()) {
        require(policies.size() <= relay::TlsTally::kMostPolicies);
        const relay::TlsReport report{sender, key.second, key.first, policies};
        const std::string json = relay::tls_report_json(report);
        require(json.starts_with('{') && json.ends_with("]}") && !json.contains('\n'));
        const std::string file = relay::gzipped(json);
        require(relay::test::gunzipped(file) == json);
        const std::string mail = write_tls_report_mail(report, {"a@b.example", "1", {}}, file);
        for (std::size_t i = 0; i < mail.size(); ++i)
            require((mail[i] == '\n') == (i > 0 && mail[i - 1] == '\r'));
    }
    while (!tally.empty())
        tally.erase(relay::TlsTally::Key(tally.domains().begin()->first));
    require(tally.octets() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto copy = std::make_unique<char[]>(size);
    for (std::size_t i = 0; i < size; ++i)
        copy[i] = static_cast<char>(data[i]);
    const std::string_view octets(copy.get(), size);
    check_records(octets);
    check_counts(octets);
    return 0;
}
