#include "relay/config/check.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/config/temporary_directory.h"
#include "tests/unit/core/net/certificates.h"

namespace relay {
namespace {

const std::string kLeast =
    "[spool]\ndurability = \"memory\"\n[[listener]]\naddress = [\"127.0.0.1:2525\"]\n"
    "[node]\nhostname = \"mta.example\"\ndata_dir = \"data\"\n";

TEST(CheckConfig, gives_what_serve_needs) {
    const TemporaryDirectory directory;
    directory.write("s.toml", "[\"example.com\"]\nconnection_limit = 2\nenable_rset = true\n");
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
                  ":3: [\"example.com\"] enable_rset has no effect: RSET is sent only where a "
                  "transaction has to be undone");
    EXPECT_FALSE(std::filesystem::exists(directory.path() / "data"));  // a check makes nothing
}

TEST(CheckConfig, reads_secrets_and_keeps_them_secret) {
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

TEST(CheckConfig, looks_into_everything_that_is_named) {
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

TEST(CheckConfig, loads_bounce_rules) {
    const TemporaryDirectory directory;
    directory.write("b.toml", "[class.Mine]\n[rules]\nMine = [\"^550 5.1.1 ours\"]\n");
    const auto file = directory.write("p.toml", kLeast + "[bounce]\nfiles = [\"b.toml\"]\n");
    const auto checked = check_config(file);
    ASSERT_TRUE(checked.has_value());
    EXPECT_EQ(checked->bounce->classify({{550, {5, 1, 1}, "ours"}, ""}).name, "Mine");
    EXPECT_EQ(checked->bounce->classify({{550, {5, 1, 1}, "theirs"}, ""}).name, "InvalidRecipient");

    directory.write("b.toml", "[class.Mine]\n[rules]\nMine = [\n\"(\"]\n");
    const auto other =
        directory.write("q.toml", kLeast + "[bounce]\nfiles = [\"b.toml\", \"absent.toml\"]\n");
    const auto wrong = check_config(other);
    ASSERT_FALSE(wrong.has_value());
    ASSERT_EQ(wrong.error().size(), 2U);
    EXPECT_TRUE(wrong.error()[0].to_string().ends_with(
        "absent.toml: cannot be read: No such file or directory"));
    EXPECT_TRUE(wrong.error()[1].to_string().contains("b.toml:4: \"(\" is no pattern"));
    const auto empty = check_config(directory.write("r.toml", kLeast + "[bounce]\nfile = 1\n"));
    ASSERT_FALSE(empty.has_value());
    EXPECT_TRUE(empty.error()[0].to_string().contains("[bounce] has no key \"file\""));
}

// What a reload puts in force, or refuses as a whole.
TEST(CheckConfig, of_a_reload) {
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
    const auto number = [](const CheckedConfig& of, std::string_view domain) {
        return of.shaping.destination_of({.table = domain, .provider = {}});
    };
    EXPECT_EQ(number(**second, "b.example"), number(*first, "b.example"));
    EXPECT_EQ(number(**second, "a.example"), first->shaping.destination_names().size());
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

TEST(CheckConfig, the_built_in_shaping_file_holds_below_the_files_and_can_be_left_out) {
    const TemporaryDirectory directory;
    const ShapingScope google{.table = {}, .provider = "google"};
    directory.write("s.toml", "[provider.\"google\"]\nprovider_connection_limit = 7\n");
    const auto with =
        check_config(directory.write("with.toml", kLeast + "[shaping]\nfiles = [\"s.toml\"]\n"));
    ASSERT_TRUE(with.has_value());
    EXPECT_EQ(with->shaping.limits_for(google).provider_connection_limit, 7U);
    EXPECT_EQ(with->shaping.limits_for(google).max_deliveries_per_connection, 50U);
    const auto without =
        check_config(directory.write("without.toml", kLeast + "[shaping]\nbuilt_in = false\n"));
    ASSERT_TRUE(without.has_value());
    EXPECT_TRUE(without->shaping.providers().empty());
    EXPECT_TRUE(without->shaping.tables().empty());
}

// H4 and L5: each key that names a file, each thing that may stand there instead of one.
TEST(CheckConfig, whatever_stands_in_place_of_a_file_is_a_mistake_with_its_line) {
    const TemporaryDirectory directory;
    const core::test::Authority authority;
    const core::TlsIdentity identity = authority.issue();
    directory.write("ca.pem", authority.pem());
    directory.write("c.pem", identity.certificate);
    directory.write("shaping", "");
    directory.write("bounce", "");
    for (const char* secret : {"k.pem", "password"}) {
        const auto file = directory.write(
            secret, std::string_view(secret) == "k.pem" ? identity.private_key : "secret\n");
        ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
    }
    const auto things = directory.path() / "things";
    std::filesystem::create_directories(things / "directory");
    ASSERT_EQ(::mkfifo((things / "fifo").c_str(), 0600), 0);
    std::filesystem::create_symlink("loop", things / "loop");
    for (const char* device : {"zero", "full"})
        std::filesystem::create_symlink("/dev/" + std::string(device), things / device);
    const auto large = directory.write("things/large", "");
    ASSERT_EQ(::truncate(large.c_str(), std::int64_t{1} << 40), 0);
    // What each line of the file names, when it is right.
    const std::vector<std::pair<std::string, std::string>> keys = {{"tls_ca_file", "ca.pem"},
                                                                   {"certificate", "c.pem"},
                                                                   {"private_key", "k.pem"},
                                                                   {"password_file", "password"}};
    const auto text = [&](std::string_view wrong, const std::string& thing) {
        const auto named = [&](std::string_view key, std::string right) {
            return "\"" + (key == wrong ? "things/" + thing : std::move(right)) + "\"";
        };
        std::string all = "[shaping]\nfiles = [" + named("shaping", "shaping") +
                          "]\n[bounce]\nfiles = [" + named("bounce", "bounce") +
                          "]\n[delivery]\ntls_ca_file = " + named("delivery", "ca.pem") +
                          "\n[[route]]\ndomain = \"*\"\nhosts = [\"h\"]\nusername = \"mta\"\n";
        for (const auto& [key, right] : keys)
            all += key + " = " + named(key, right) + "\n";
        return all + kLeast;
    };
    const std::vector<std::pair<std::string, int>> lines = {
        {"shaping", 2},      {"bounce", 4},       {"delivery", 6},      {"tls_ca_file", 11},
        {"certificate", 12}, {"private_key", 13}, {"password_file", 14}};
    const auto first = check_config(directory.write("p.toml", text("none", "")));
    ASSERT_TRUE(first.has_value()) << first.error()[0].to_string();
    for (const auto& [key, line] : lines) {
        for (const char* thing : {"directory", "fifo", "loop", "zero", "full", "large", "absent"}) {
            const auto file = directory.write("p.toml", text(key, thing));
            const auto checked = check_config(file);
            ASSERT_FALSE(checked.has_value()) << key << " " << thing;
            ASSERT_EQ(checked.error().size(), 1U) << key << " " << thing;
            EXPECT_TRUE(checked.error()[0].to_string().starts_with(file.string() + ":" +
                                                                   std::to_string(line) + ": ["))
                << checked.error()[0].to_string();
            EXPECT_TRUE(checked.error()[0].sentence.contains(std::string("/things/") + thing));
            EXPECT_FALSE(recheck_config(file, *first).has_value());  // a reload changes nothing
        }
    }
}

// U11: mistakes of the text, of the files it names, of directories and secrets, in one go.
TEST(CheckConfig, all_mistakes_come_at_once_with_their_lines) {
    const TemporaryDirectory directory;
    directory.write("plain", "not a directory");
    directory.write("bad.toml", "[\"example.com\"]\nconnection_limit = 0\n");
    directory.write("rules.toml", "[rules]\nSpamBlock = [\"(\"]\n");
    const auto open_secret = directory.write("password", "secret\n");
    ASSERT_EQ(::chmod(open_secret.c_str(), 0644), 0);
    const auto file = directory.write("p.toml",
                                      "[node]\n"
                                      "shards = \"two\"\n"
                                      "data_dir = \"plain/data\"\n"
                                      "[shaping]\n"
                                      "files = [\"absent.toml\",\n"
                                      "  \"bad.toml\"]\n"
                                      "[bounce]\n"
                                      "files = [\"rules.toml\"]\n"
                                      "[[route]]\n"
                                      "domain = \"*\"\n"
                                      "hosts = [\"h\"]\n"
                                      "username = \"mta\"\n"
                                      "password_file = \"password\"\n"
                                      "[delivery]\n"
                                      "tls_ca_file = \"plain\"\n"
                                      "[[listener]]\n"
                                      "address = [\"127.0.0.1:2525\"]\n");
    const auto checked = check_config(file);
    ASSERT_FALSE(checked.has_value());
    std::vector<std::string> places;
    for (const Problem& each : checked.error()) {
        places.push_back(std::filesystem::path(each.file).filename().string() + ":" +
                         std::to_string(each.line));
    }
    EXPECT_EQ(places, (std::vector<std::string>{"p.toml:2", "p.toml:3", "p.toml:5", "p.toml:13",
                                                "p.toml:15", "bad.toml:2", "rules.toml:2"}));
}

TEST(CheckConfig, a_resolv_conf_that_would_block_is_a_mistake) {
    const TemporaryDirectory directory;
    const auto fifo = directory.path() / "resolv.conf";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(resolver_complaint(fifo), "is a FIFO, not a file");
    EXPECT_EQ(resolver_complaint(directory.path() / "absent"), "");
    EXPECT_EQ(resolver_complaint(directory.write("good", "nameserver 192.0.2.53\n")), "");
}

// U12: such a name is refused or scored down by many receivers.
TEST(CheckConfig, a_host_name_without_a_dot_is_a_warning) {
    const TemporaryDirectory directory;
    const auto file = directory.write("p.toml",
                                      "[node]\nhostname = \"vm\"\ndata_dir = \"data\"\n"
                                      "[[listener]]\naddress = [\"127.0.0.1:2525\"]\n");
    const auto checked = check_config(file);
    ASSERT_TRUE(checked.has_value());
    ASSERT_EQ(checked->warnings.size(), 1U);
    EXPECT_TRUE(checked->warnings[0].to_string().starts_with(
        file.string() + ":2: [node] hostname = \"vm\" is not fully qualified"));
}

// U10: 100 a second bind a smarthost, and nothing said so.
TEST(CheckConfig, says_which_default_binds_a_smarthost) {
    const TemporaryDirectory directory;
    const auto warnings = [&](const std::string& text) {
        const auto checked = check_config(directory.write("p.toml", text + kLeast));
        EXPECT_TRUE(checked.has_value());
        std::vector<std::string> sentences;
        for (const Problem& each : checked ? checked->warnings : Problems{})
            sentences.push_back(std::to_string(each.line) + ": " + each.sentence);
        return sentences;
    };
    const std::string route = "[[route]]\ndomain = \"*\"\nhosts = [\"smtp.example:587\"]\n";
    EXPECT_EQ(
        warnings(route + route),
        std::vector<std::string>{
            "1: [[route]] domain = \"*\": mail to smtp.example leaves at no more than 100 "
            "messages a second, as by default; max_message_rate in [shaping] default, or in a "
            "table [\"smtp.example\"] of a shaping file, sets another rate"});
    EXPECT_TRUE(warnings("[[route]]\ndomain = \"a.example\"\nhosts = [\"h\"]\n").empty());
    EXPECT_TRUE(
        warnings(route + "[shaping]\ndefault = { max_message_rate = \"100/s\" }\n").empty());
    directory.write("s.toml", "[\"smtp.example\"]\nmax_message_rate = \"5,000/s\"\n");
    EXPECT_TRUE(warnings(route + "[shaping]\nfiles = [\"s.toml\"]\n").empty());
    directory.write("s.toml", "[\"smtp.example\"]\nconnection_limit = 30\n");
    EXPECT_EQ(warnings(route + "[shaping]\nfiles = [\"s.toml\"]\n").size(), 1U);
}

TEST(CheckConfig, passes_on_problems_of_the_text) {
    const TemporaryDirectory directory;
    const auto checked = check_config(directory.write("p.toml", "[node]\nx = 1\n"));
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().size(), 2U);  // the key, and no listener
}

TEST(DirectoryComplaint, says_whether_one_could_write) {
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
