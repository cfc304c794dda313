// Domains as DNS knows them: IDNA2008 without the transitional mappings (RFC 5894 section 7.2).
#include "relay/message/idna.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Idna, u_labels_become_a_labels) {
    EXPECT_EQ(to_a_labels("b\xc3\xbc"
                          "cher.example"),
              "xn--bcher-kva.example");
    EXPECT_EQ(to_a_labels("B\xc3\x9c"
                          "CHER.Example"),
              "xn--bcher-kva.example");
    EXPECT_EQ(to_a_labels("\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95"),
              "xn--fsqu00a.xn--0zwm56d");
    EXPECT_EQ(to_a_labels("bu\xcc\x88"
                          "cher.example"),
              "xn--bcher-kva.example");  // decomposed
    EXPECT_EQ(to_a_labels("_dmarc.b\xc3\xbc"
                          "cher.example"),
              "_dmarc.xn--bcher-kva.example");
}

TEST(Idna, sharp_s_and_final_sigma_stay_what_they_are) {
    EXPECT_EQ(to_a_labels("fa\xc3\x9f.example"), "xn--fa-hia.example");
    EXPECT_EQ(to_a_labels("\xce\xb2\xcf\x8c\xce\xbb\xce\xbf\xcf\x82.example"),
              "xn--nxasmm1c.example");
}

TEST(Idna, ascii_stays_but_for_its_case) {
    EXPECT_EQ(to_a_labels("XN--bcher-kva.Example"), "xn--bcher-kva.example");
    EXPECT_EQ(to_a_labels("under_score.example"), "under_score.example");
}

TEST(Idna, what_is_no_domain_has_no_form) {
    EXPECT_EQ(to_a_labels("\xff.example"), std::nullopt);
    EXPECT_EQ(to_a_labels("\xe2\x98\x83\xe2\x80\x8b..example"), std::nullopt);
    EXPECT_EQ(to_a_labels("a\xe3\x80\x82\xe3\x80\x82"
                          "b"),
              std::nullopt);  // two ideographic dots
    std::string label;
    for (int i = 0; i < 40; ++i)
        label += "\xe4\xbe\x8b\xe5\xad\x90";
    EXPECT_EQ(to_a_labels(label + ".example"), std::nullopt);
    EXPECT_EQ(to_a_labels("\xef\xbc\x8f.example"), std::nullopt);  // a full-width slash
}

}  // namespace
}  // namespace relay
