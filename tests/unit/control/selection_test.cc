#include "relay/control/selection.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

MailFacts mail() {
    return {.tenant = "news", .campaign = "May", .domain = "Example.COM"};
}

MailFacts routed_mail() {
    MailFacts facts = mail();
    facts.routed = true;
    facts.site = "table!mx.example.com";
    facts.hosts = "mx.example.com";
    facts.provider = "big";
    facts.source = "ip-1";
    return facts;
}

TEST(Selection, an_empty_one_is_all_mail) {
    EXPECT_TRUE(Selection{}.matches({}));
    EXPECT_TRUE(Selection{}.matches(routed_mail()));
    EXPECT_EQ(Selection{}.to_string(), "all mail");
}

TEST(Selection, each_field_that_is_set_must_match) {
    EXPECT_TRUE(
        (Selection{.tenant = "news", .campaign = "May", .domain = "example.com"}.matches(mail())));
    EXPECT_FALSE((Selection{.tenant = "News"}.matches(mail())));
    EXPECT_FALSE((Selection{.tenant = "news", .campaign = "June"}.matches(mail())));
    EXPECT_FALSE((Selection{.campaign = "May", .domain = "example.org"}.matches(mail())));
}

TEST(Selection, a_site_is_known_only_once_mail_is_routed) {
    const Selection by_site{.site = "mx.example.com"};
    EXPECT_TRUE(by_site.needs_site());
    EXPECT_FALSE(by_site.matches(mail()));
    EXPECT_TRUE(by_site.matches(routed_mail()));
    EXPECT_TRUE((Selection{.site = "table!mx.example.com"}.matches(routed_mail())));
    EXPECT_FALSE((Selection{.site = "mx.example.org"}.matches(routed_mail())));
    EXPECT_TRUE((Selection{.provider = "big", .source = "ip-1"}.matches(routed_mail())));
    EXPECT_FALSE((Selection{.provider = "big", .source = "ip-2"}.matches(routed_mail())));
    EXPECT_FALSE((Selection{.provider = "small"}.matches(routed_mail())));
}

TEST(Selection, mail_of_nobody_belongs_to_the_tenant_default) {
    EXPECT_TRUE((Selection{.tenant = "default"}.matches({.domain = "example.com"})));
    EXPECT_FALSE((Selection{.tenant = "default"}.matches(mail())));
}

TEST(Selection, domains_and_sites_are_kept_in_lower_case) {
    const auto kept = checked({.tenant = "News", .domain = "Example.COM", .site = "MX.example"});
    ASSERT_TRUE(kept);
    EXPECT_EQ(*kept, (Selection{.tenant = "News", .domain = "example.com", .site = "mx.example"}));
    EXPECT_EQ(kept->to_string(), "domain example.com, site mx.example, tenant News");
}

TEST(Selection, what_is_wrong_is_said_in_a_sentence) {
    EXPECT_EQ(checked({.domain = "no domain"}).error(),
              "domain \"no domain\" is not a domain such as \"example.com\"");
    EXPECT_EQ(checked({.tenant = "a\nb"}).error(),
              "tenant must be one line of at most 1000 octets");
    EXPECT_EQ(checked({.campaign = std::string(1001, 'c')}).error(),
              "campaign must be one line of at most 1000 octets");
}

}  // namespace
}  // namespace relay
