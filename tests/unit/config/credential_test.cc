#include "relay/config/credential.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/parse.h"

namespace relay {
namespace {

// In place of each "HASH".
std::string with_hash(std::string text) {
    const std::string hash = "$6$salt$" + std::string(86, 'x');
    for (std::size_t at = text.find("HASH"); at != std::string::npos; at = text.find("HASH"))
        text.replace(at, 4, hash);
    return text;
}

TEST(CredentialConfig, a_credential_has_a_name_a_hash_and_scopes) {
    const auto config = parse_config(
        with_hash("[[listener]]\naddress = [\"127.0.0.1:1\"]\n[[credential]]\nname = \"me\"\n"
                  "secret = \"HASH\"\ntenant = \"news\"\nscopes = [\"read\", \"admin\"]\n"),
        "x.toml");
    ASSERT_TRUE(config) << config.error().front().to_string();
    const CredentialConfig& one = config->credentials.front();
    EXPECT_EQ(one.name, "me");
    EXPECT_EQ(one.secret, with_hash("HASH"));
    EXPECT_EQ(one.tenant, "news");
    EXPECT_TRUE(one.read && one.admin && !one.inject);
}

TEST(CredentialConfig, what_is_wrong_with_a_credential_is_said) {
    const std::vector<std::pair<std::string, std::string>> mistakes{
        {"secret = \"HASH\"\nscopes = [\"read\"]\n", "[[credential]] needs a name"},
        {"name = \"a:b\"\n", "must have 1 to 64 characters, no colon and no blank"},
        {"name = \"a\"\nscopes = [\"read\"]\n", "needs one of secret and secret_file"},
        {"name = \"a\"\nsecret = \"HASH\"\nsecret_file = \"/x\"\n",
         "needs one of secret and secret_file"},
        {"name = \"a\"\nsecret = \"HASH\"\n", "needs scopes: \"read\", \"inject\" or"},
        {"name = \"a\"\nsecret = \"clear\"\n",
         "must be a crypt(3) hash that begins with \"$6$\", as `posthaste hash` prints it"},
        {"name = \"a\"\nsecret = \"$6$rounds=9$a$b\"\n", "must be a crypt(3) hash"},
        // Each wrong password would have matched it.
        {"name = \"a\"\nsecret = \"\"\n", "must be a crypt(3) hash"},
        {"name = \"a\"\nsecret = \"$6$a$b\"\n", "must be a crypt(3) hash"},
        {"name = \"a\"\nsecret = \"HASH\"\nscopes = [\"all\"]\n",
         "has no scope \"all\"; there are \"read\", \"inject\" and \"admin\""},
        {"name = \"a\"\nsecret = \"HASH\"\nscopes = []\n[[credential]]\nname = \"a\"\n",
         "[[credential]] name = \"a\" is there twice"}};
    for (const auto& [lines, sentence] : mistakes) {
        const auto config = parse_config(
            with_hash("[[listener]]\naddress = [\"127.0.0.1:1\"]\n[[credential]]\n" + lines),
            "x.toml");
        ASSERT_FALSE(config) << lines;
        EXPECT_TRUE(std::ranges::any_of(
            config.error(),
            [&](const Problem& problem) { return problem.to_string().contains(sentence); }))
            << lines << config.error().front().to_string();
    }
}

}  // namespace
}  // namespace relay
