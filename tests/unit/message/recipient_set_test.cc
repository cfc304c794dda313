#include "relay/message/recipient_set.h"

#include <string>

#include <gtest/gtest.h>

namespace relay {
namespace {

class Named {
  public:
    bool name(std::string_view mailbox) {
        const auto at = [this](std::size_t i) -> std::string_view { return all_[i]; };
        if (!set_.insert(set_.hash(mailbox), mailbox, at)) return false;
        all_.emplace_back(mailbox);
        return true;
    }
    RecipientSet set_{7};

  private:
    std::vector<std::string> all_;
};

TEST(RecipientSet, compares_local_parts_exactly_and_domains_as_names) {
    Named named;
    EXPECT_TRUE(named.name("a@example.com"));
    EXPECT_FALSE(named.name("a@example.com"));
    EXPECT_FALSE(named.name("a@Example.COM"));
    EXPECT_TRUE(named.name("A@example.com"));
    EXPECT_TRUE(named.name("a@example.org"));
    EXPECT_TRUE(named.name("a@xn--bcher-kva.example"));
    EXPECT_FALSE(
        named.name("a@b\xc3\xbc"
                   "cher.example"));
    EXPECT_TRUE(named.name("\"a@x\"@example.com"));
    EXPECT_FALSE(named.name("\"a@x\"@example.coM"));
    EXPECT_TRUE(named.name("a@[192.0.2.1]"));
    EXPECT_FALSE(named.name("a@[192.0.2.1]"));
    EXPECT_EQ(named.set_.size(), 6U);
}

TEST(RecipientSet, knows_each_of_many) {
    for (const std::size_t reserved : {0U, 5000U}) {
        Named named;
        named.set_.reserve(reserved);
        for (int i = 0; i < 5000; ++i)
            EXPECT_TRUE(named.name("user" + std::to_string(i) + "@example.com"));
        for (int i = 0; i < 5000; ++i)
            EXPECT_FALSE(named.name("user" + std::to_string(i) + "@EXAMPLE.com"));
        EXPECT_EQ(named.set_.size(), 5000U);
    }
}

}  // namespace
}  // namespace relay
