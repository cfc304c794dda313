#include "relay/tlsrpt/report.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/tlsrpt/report_mail.h"
#include "tests/unit/tlsrpt/gunzip.h"

namespace relay {
namespace {

constexpr UtcDay kDay = 16'892;  // 2016-04-01

const TlsReportSender kSender{"Company-X", "sts-reporting@company-x.example",
                              "tlsrpt@mail.company-x.example", "mta1.company-x.example"};

// RFC 8460 appendix B.
PolicyCounts example() {
    PolicyCounts counts;
    counts.policy = {
        TlsPolicyKind::sts,
        "company-y.example",
        {"version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"},
        {"*.mail.company-y.example"}};
    counts.successes = 5326;
    counts.failures = 303;
    counts.failed = {
        {{TlsFailureType::certificate_expired, "2001:db8:abcd:0012::1",
          "mx1.mail.company-y.example", "", ""},
         100},
        {{TlsFailureType::starttls_not_supported, "2001:db8:abcd:0013::1",
          "mx2.mail.company-y.example", "203.0.113.56", ""},
         200},
        {{TlsFailureType::validation_failure, "198.51.100.62", "mx-backup.mail.company-y.example",
          "203.0.113.58", "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"},
         3}};
    return counts;
}

TEST(TlsReport, has_the_shape_of_the_example_of_the_rfc) {
    const std::vector<PolicyCounts> counts{example()};
    EXPECT_EQ(
        tls_report_json({kSender, "company-y.example", kDay, counts}),
        R"({"organization-name":"Company-X",)"
        R"("date-range":{"start-datetime":"2016-04-01T00:00:00Z",)"
        R"("end-datetime":"2016-04-01T23:59:59Z"},)"
        R"("contact-info":"sts-reporting@company-x.example",)"
        R"("report-id":"20160401.company-y.example@mta1.company-x.example",)"
        R"("policies":[{"policy":{"policy-type":"sts",)"
        R"("policy-string":["version: STSv1","mode: testing",)"
        R"("mx: *.mail.company-y.example","max_age: 86400"],)"
        R"("policy-domain":"company-y.example","mx-host":["*.mail.company-y.example"]},)"
        R"("summary":{"total-successful-session-count":5326,"total-failure-session-count":303},)"
        R"("failure-details":[{"result-type":"certificate-expired",)"
        R"("sending-mta-ip":"2001:db8:abcd:0012::1",)"
        R"("receiving-mx-hostname":"mx1.mail.company-y.example",)"
        R"("failed-session-count":100},{"result-type":"starttls-not-supported",)"
        R"("sending-mta-ip":"2001:db8:abcd:0013::1",)"
        R"("receiving-mx-hostname":"mx2.mail.company-y.example",)"
        R"("receiving-ip":"203.0.113.56",)"
        R"("failed-session-count":200},{"result-type":"validation-failure",)"
        R"("sending-mta-ip":"198.51.100.62",)"
        R"("receiving-mx-hostname":"mx-backup.mail.company-y.example",)"
        R"("receiving-ip":"203.0.113.58","failed-session-count":3,)"
        R"("failure-reason-code":"X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"}]}]})");
}

TEST(TlsReport, without_a_policy_there_is_none_to_quote) {
    std::vector<PolicyCounts> counts(2);
    counts[0].policy.domain = "y.example";
    counts[0].successes = 1;
    counts[1].policy = {TlsPolicyKind::tlsa, "mx.y.example", {"3 1 1 00ff"}, {"mx.y.example"}};
    const std::string json = tls_report_json({kSender, "y.example", kDay, counts});
    EXPECT_TRUE(json.contains(
        R"([{"policy":{"policy-type":"no-policy-found","policy-domain":"y.example"},)"
        R"("summary":{"total-successful-session-count":1,"total-failure-session-count":0}},)"
        R"({"policy":{"policy-type":"tlsa","policy-string":["3 1 1 00ff"],)"
        R"("policy-domain":"mx.y.example","mx-host":["mx.y.example"]})"))
        << json;
}

// Section 5.1: sender!domain!begin!end!id.json.gz.
TEST(TlsReport, the_file_is_named_after_sender_domain_and_day) {
    const std::vector<PolicyCounts> counts{example()};
    const std::string name = tls_report_file_name({kSender, "company-y.example", kDay, counts});
    EXPECT_TRUE(name.starts_with("mail.company-x.example!company-y.example!1459468800!1459555199!"))
        << name;
    EXPECT_TRUE(name.ends_with(".json.gz"));
    TlsReportSender other = kSender;
    other.hostname = "mta2.company-x.example";
    EXPECT_NE(tls_report_file_name({other, "company-y.example", kDay, counts}), name);
}

TEST(TlsReport, the_file_is_gzip) {
    std::string noise;
    for (unsigned value = 1; noise.size() < 200'000; value = value * 1'103'515'245U + 12'345U)
        noise += static_cast<char>(value >> 16);
    for (const std::string& text : {std::string(), std::string("a"), std::string(100'000, 'x'),
                                    tls_report_json({kSender, "y.example", kDay, {}}), noise}) {
        EXPECT_EQ(test::gunzipped(gzipped(text)), text) << text.size();
    }
    EXPECT_LT(gzipped(std::string(100'000, 'x')).size(), 2'000U);
}

TEST(TlsReport, the_mail_is_multipart_report) {
    const std::vector<PolicyCounts> counts{example()};
    const TlsReport report{kSender, "company-y.example", kDay, counts};
    const std::string file = gzipped(tls_report_json(report));
    const std::string mail = write_tls_report_mail(
        report, {"reports@company-y.example", "01KD", begin_of(kDay + 1)}, file);
    for (const char* wanted :
         {"From: <tlsrpt@mail.company-x.example>\r\n", "To: <reports@company-y.example>\r\n",
          "Subject: Report Domain: company-y.example Submitter: mail.company-x.example\r\n"
          " Report-ID: <20160401.company-y.example@mta1.company-x.example>\r\n",
          "Message-ID: <01KD@mta1.company-x.example>\r\n",
          "Date: Sat, 02 Apr 2016 00:00:00 +0000\r\n",
          "\r\nTLS-Report-Domain: company-y.example\r\n",
          "\r\nTLS-Report-Submitter: mail.company-x.example\r\n", "\r\nTLS-Required: No\r\n",
          "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"",
          "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
          "Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n",
          "!company-y.example!1459468800!1459555199!"}) {
        EXPECT_TRUE(mail.contains(wanted)) << wanted << "\n" << mail;
    }
    std::size_t line = 0;
    for (std::size_t i = 0; i < mail.size(); ++i) {
        EXPECT_EQ(mail[i] == '\n', i > 0 && mail[i - 1] == '\r');
        line = mail[i] == '\n' ? 0 : line + 1;
        EXPECT_LE(line, 999U);
    }
    EXPECT_TRUE(mail.ends_with("--\r\n"));
}

}  // namespace
}  // namespace relay
