#include "relay/config/check.h"

#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/config/temporary_directory.h"
#include "tests/unit/core/net/certificates.h"

namespace relay {
namespace {

const std::string kLeast =
    "[spool]\ndurability = \"memory\"\n[[listener]]\naddress = [\"127.0.0.1:2525\"]\n"
    "[node]\ndata_dir = \"data\"\n";

TEST(CheckConfig, GivesWhatServeNeeds) {
    const TemporaryDirectory directory;
    directory.write("s.toml", "[\"example.com\"]\nconnection_limit = 2\nenable_dane = true\n");
    const auto file = directory.write("p.toml", kLeast +
                                                    "[shaping]\nfiles = [\"s.toml\"]\n"
                                                    "default = { connection_limit = 5 }\n");
    const auto checked = check_config(file);
    ASSERT_TRUE(checked.has_value());
    EXPECT_EQ(checked->config.listeners.size(), 1U);
    EXPECT_EQ(checked->shaping.limits_for("example.com").connection_limit, 2U);
    EXPECT_EQ(checked->shaping.limits_for("example.org").connection_limit, 5U);
    ASSERT_EQ(checked->warnings.size(), 1U);
    EXPECT_EQ(checked->warnings[0].to_string(),
              (directory.path() / "s.toml").string() +
                  ":3: [\"example.com\"] enable_dane is not available in this version; it has no "
                  "effect");
    EXPECT_FALSE(std::filesystem::exists(directory.path() / "data"));  // a check makes nothing
}

TEST(CheckConfig, ReadsSecretsAndKeepsThemSecret) {
    const TemporaryDirectory directory;
    const core::test::Authority authority;
    const core::TlsIdentity identity = authority.issue();
    directory.write("ca.pem", authority.pem());
    directory.write("c.pem", identity.certificate);
    const auto key = directory.write("k.pem", identity.private_key);
    const auto password = directory.write("password", "secret\n");
    const auto other_key = directory.write("other.pem", authority.issue().private_key);
    for (const auto& file : {key, password, other_key})
        ::chmod(file.c_str(), 0600);
    const std::string route = kLeast +
                              "[[route]]\ndomain = \"*\"\nhosts = [\"h\"]\nusername = \"mta\"\n"
                              "password_file = \"password\"\ntls_ca_file = \"ca.pem\"\n"
                              "certificate = \"c.pem\"\n";
    const auto file = directory.write("p.toml", route + "private_key = \"k.pem\"\n");
    const auto checked = check_config(file);
    ASSERT_TRUE(checked.has_value()) << checked.error()[0].to_string();
    const Smarthost& smarthost = *checked->config.routes[0].smarthost;
    EXPECT_EQ(smarthost.password, "secret");
    EXPECT_TRUE(smarthost.roots.has_value() && smarthost.identity.has_value());

    const auto refusal = [&](const std::string& text) {
        const auto refused = check_config(directory.write("q.toml", text));
        return refused ? std::string("nothing") : refused.error()[0].to_string();
    };
    EXPECT_TRUE(refusal(route + "private_key = \"other.pem\"\n").contains("not the certificate's"));
    EXPECT_TRUE(refusal(route + "private_key = \"none.pem\"\n").contains("none.pem"));
    ::chmod(password.c_str(), 0644);
    EXPECT_TRUE(refusal(route + "private_key = \"k.pem\"\n").contains("everybody may read it"));
    ::chmod(password.c_str(), 0600);
    ::chmod(key.c_str(), 0644);
    EXPECT_TRUE(refusal(route + "private_key = \"k.pem\"\n").contains("everybody may read it"));
    EXPECT_TRUE(refusal(kLeast + "[delivery]\ntls_ca_file = \"p.toml\"\n")
                    .contains("no certificate in PEM form"));
}

TEST(CheckConfig, LooksIntoEverythingThatIsNamed) {
    const TemporaryDirectory directory;
    directory.write("plain", "not a directory");
    directory.write("bad.toml", "[\"example.com\"]\nconnection_limit = 0\n");
    const auto file = directory.write(
        "p.toml",
        "[spool]\ndurability = \"memory\"\n[[listener]]\naddress = [\"127.0.0.1:2525\"]\n"
        "[node]\ndata_dir = \"plain/data\"\n[events]\nlog_dir = \"plain\"\n"
        "[shaping]\nfiles = [\"absent.toml\", \"bad.toml\"]\n");
    const auto checked = check_config(file);
    ASSERT_FALSE(checked.has_value());
    ASSERT_EQ(checked.error().size(), 4U);
    EXPECT_TRUE(checked.error()[0].to_string().contains("[node] data_dir"));
    EXPECT_TRUE(checked.error()[0].to_string().ends_with("plain is not a directory"));
    EXPECT_TRUE(checked.error()[1].to_string().contains("[events] log_dir"));
    EXPECT_TRUE(checked.error()[2].to_string().ends_with(
        "absent.toml: cannot be read: No such file or directory"));
    EXPECT_TRUE(checked.error()[3].to_string().contains("bad.toml:2: "));
}

TEST(CheckConfig, LoadsBounceRules) {
    const TemporaryDirectory directory;
    directory.write("b.toml", "[rules]\nMine = [\"^550 5.1.1 ours\"]\n");
    const auto file = directory.write("p.toml", kLeast + "[bounce]\nfiles = [\"b.toml\"]\n");
    const auto checked = check_config(file);
    ASSERT_TRUE(checked.has_value());
    EXPECT_EQ(checked->bounce->classify({550, {5, 1, 1}, "ours", ""}).name, "Mine");
    EXPECT_EQ(checked->bounce->classify({550, {5, 1, 1}, "theirs", ""}).name, "InvalidRecipient");

    directory.write("b.toml", "[rules]\nMine = [\n\"(\"]\n");
    const auto other =
        directory.write("q.toml", kLeast + "[bounce]\nfiles = [\"b.toml\", \"absent.toml\"]\n");
    const auto wrong = check_config(other);
    ASSERT_FALSE(wrong.has_value());
    ASSERT_EQ(wrong.error().size(), 2U);
    EXPECT_TRUE(wrong.error()[0].to_string().ends_with(
        "absent.toml: cannot be read: No such file or directory"));
    EXPECT_TRUE(wrong.error()[1].to_string().contains("b.toml:3: \"(\" is no pattern"));
    const auto empty = check_config(directory.write("r.toml", kLeast + "[bounce]\nfile = 1\n"));
    ASSERT_FALSE(empty.has_value());
    EXPECT_TRUE(empty.error()[0].to_string().contains("[bounce] has no key \"file\""));
}

// What a reload puts in force, or refuses as a whole.
TEST(CheckConfig, OfAReload) {
    const TemporaryDirectory directory;
    const core::test::Authority authority;
    directory.write("ca.pem", authority.pem());
    directory.write("s.toml", "[\"b.example\"]\nconnection_limit = 2\n");
    const auto file = directory.write("p.toml", kLeast +
                                                    "[shaping]\nfiles = [\"s.toml\"]\n"
                                                    "[delivery]\ntls_ca_file = \"ca.pem\"\n");
    const auto first = check_config(file);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->generation, 0U);

    directory.write("s.toml",
                    "[\"a.example\"]\n[\"b.example\"]\nconnection_limit = 3\n"
                    "data_dot_timeout = \"1m\"\n");
    const auto second = recheck_config(file, *first);
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ((*second)->generation, 1U);
    EXPECT_EQ((*second)->shaping.limits_for("b.example").connection_limit, 3U);
    EXPECT_EQ((*second)->shaping.provider_of("b.example"), 1U);  // as it was
    EXPECT_EQ((*second)->shaping.provider_of("a.example"), 2U);
    EXPECT_EQ((*second)->warnings.size(), 1U);
    EXPECT_TRUE((*second)->tls_roots.has_value());

    directory.write("s.toml", "[\"b.example\"]\nconnection_limit = 0\n");
    directory.write("ca.pem", "nothing");
    const auto third = recheck_config(file, **second);
    ASSERT_FALSE(third.has_value());
    ASSERT_EQ(third.error().size(), 2U);
    EXPECT_TRUE(third.error()[0].to_string().contains("ca.pem: has no certificate in PEM form"));
    EXPECT_TRUE(third.error()[1].to_string().contains("s.toml:2: "));
    EXPECT_EQ((*second)->shaping.limits_for("b.example").connection_limit, 3U);
}

TEST(CheckConfig, PassesOnProblemsOfTheText) {
    const TemporaryDirectory directory;
    const auto checked = check_config(directory.write("p.toml", "[node]\nx = 1\n"));
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().size(), 2U);  // the key, and no listener
}

TEST(DirectoryComplaint, SaysWhetherOneCouldWrite) {
    const TemporaryDirectory directory;
    EXPECT_EQ(directory_complaint(directory.path()), "");
    EXPECT_EQ(directory_complaint(directory.path() / "a/b/c"), "");
    const auto file = directory.write("file", "");
    EXPECT_TRUE(directory_complaint(file).ends_with("file is not a directory"));
    EXPECT_TRUE(directory_complaint(file / "below").ends_with("file is not a directory"));
    if (geteuid() == 0) return;  // root may write anywhere
    ASSERT_EQ(chmod(directory.path().c_str(), 0500), 0);
    EXPECT_TRUE(directory_complaint(directory.path()).starts_with("cannot be written into"));
    chmod(directory.path().c_str(), 0700);
}

}  // namespace
}  // namespace relay
