#include "relay/control/api/credential_check.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "relay/smtp/base64.h"

namespace relay {
namespace {

using std::chrono::seconds;
using Verdict = CredentialCheck::Verdict;

constexpr core::Instant kNow{seconds{100}};

CredentialCheck check_of(const std::string& hash) {
    return CredentialCheck({{.name = "boss", .hash = hash, .may = {.admin = true}},
                            {.name = "eye", .hash = hash, .may = {.read = true}}},
                           {});
}

TEST(CredentialCheck, a_secret_opens_what_its_scopes_allow) {
    CredentialCheck check = check_of(hash_secret("s3:cret"));
    EXPECT_EQ(check.check("Bearer boss:s3:cret", Permission::admin, kNow).verdict, Verdict::fine);
    EXPECT_EQ(check.check("Bearer boss:s3:cret", Permission::read, kNow).verdict, Verdict::fine);
    EXPECT_EQ(check.check("Basic " + to_base64("boss:s3:cret"), Permission::admin, kNow).verdict,
              Verdict::fine);
    EXPECT_EQ(check.check("bearer eye:s3:cret", Permission::read, kNow).who->name, "eye");
    EXPECT_EQ(check.check("Bearer eye:s3:cret", Permission::admin, kNow).verdict,
              Verdict::forbidden);
    EXPECT_EQ(check.check("Bearer boss:s3:cret", Permission::inject, kNow).verdict,
              Verdict::forbidden);
}

TEST(CredentialCheck, a_wrong_secret_or_none_opens_nothing) {
    CredentialCheck check = check_of(hash_secret("right"));
    for (const char* header : {"", "Bearer", "Bearer boss", "Bearer boss:wrong",
                               "Bearer nobody:right", "Basic !", "Digest boss:right"}) {
        EXPECT_EQ(check.check(header, Permission::read, kNow).verdict, Verdict::unknown) << header;
    }
    EXPECT_EQ(check.check("Bearer boss:right", Permission::read, kNow).verdict, Verdict::fine);
    EXPECT_EQ(check.check("Bearer boss:wrong", Permission::read, kNow).verdict, Verdict::unknown);
}

TEST(CredentialCheck, a_hash_that_is_none_lets_nobody_in) {
    for (const std::string hash : {"", "x", "$6$", "*"}) {
        CredentialCheck check = check_of(hash);
        EXPECT_NE(check.check("Bearer boss:anything", Permission::read, kNow).verdict,
                  Verdict::fine)
            << hash;
    }
}

TEST(CredentialCheck, many_wrong_secrets_are_told_to_come_later_and_right_ones_are_not) {
    CredentialCheck check = check_of(hash_secret("right"));
    ASSERT_EQ(check.check("Bearer boss:right", Permission::read, kNow).verdict, Verdict::fine);
    for (unsigned i = 1; i < CredentialCheck::kMaxHashes; ++i)
        EXPECT_EQ(check.check("Bearer x:y", Permission::read, kNow).verdict, Verdict::unknown);
    EXPECT_EQ(check.check("Bearer x:y", Permission::read, kNow).verdict, Verdict::too_often);
    EXPECT_EQ(check.check("Bearer boss:right", Permission::read, kNow).verdict, Verdict::fine);
    EXPECT_EQ(check.check("Bearer x:y", Permission::read, kNow + seconds{1}).verdict,
              Verdict::unknown);
}

TEST(CredentialCheck, hashes_that_take_long_are_not_used) {
    EXPECT_TRUE(is_usable_hash(hash_secret("x")));
    EXPECT_FALSE(is_usable_hash("$6$rounds=900000$salt$x"));
    EXPECT_FALSE(is_usable_hash("$y$j9T$salt$x"));
    EXPECT_FALSE(is_usable_hash("clear"));
}

}  // namespace
}  // namespace relay
