// Kinds of values that a key of the configuration may have. Each says its type in words for
// docs/configuration.md, reads a value of the file into a member, noting what is wrong with file
// and line, and writes a value as the file would have it. Plain values without state; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/base/units.h"
#include "relay/config/config.h"
#include "relay/config/section.h"

namespace relay {

// A string of TOML; a list of strings.
std::string toml_text(std::string_view text);
std::string toml_text(const std::vector<std::string>& texts);

struct Flag {
    static std::string type() { return "true or false"; }
    static bool read(Section& from, std::string_view key, bool& into) {
        return from.flag(key, into);
    }
    static std::string write(bool value) { return value ? "true" : "false"; }
};

struct Integer {
    std::int64_t least = 0;
    std::int64_t most = 0;
    std::string type() const;
    template <class Number>
    bool read(Section& from, std::string_view key, Number& into) const {
        return from.integer(key, into, least, most);
    }
    static std::string write(std::uint64_t value) { return std::to_string(value); }
};

struct Size {
    std::uint64_t least = 0;
    std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    std::string type() const;
    bool read(Section& from, std::string_view key, std::uint64_t& into) const {
        return from.size(key, into, least, most);
    }
    static std::string write(std::uint64_t octets) { return toml_text(core::write_size(octets)); }
};

struct ShareOrSize {
    std::uint64_t least = 1;  // of a size
    static std::string type() { return "share or size"; }
    bool read(Section& from, std::string_view key, SizeOrShare& into) const {
        return from.size_or_share(key, into, least);
    }
    static std::string write(const SizeOrShare& value);
};

struct Time {
    core::Duration least{};
    core::Duration most = core::Duration::max();
    std::string type() const;
    bool read(Section& from, std::string_view key, core::Duration& into) const {
        return from.duration(key, into, least, most);
    }
    static std::string write(core::Duration value) {
        return toml_text(core::write_duration(value));
    }
};

struct PerTime {
    static std::string type() { return "rate"; }
    static bool read(Section& from, std::string_view key, core::Rate& into) {
        return from.rate(key, into);
    }
    static std::string write(const core::Rate& rate) { return toml_text(core::write_rate(rate)); }
};

// complaint: what is wrong with a text, as the end of a sentence that begins with the key's name;
// empty when nothing is.
struct Text {
    std::string (*complaint)(std::string_view text);
    std::string_view what = "text";
    std::string type() const { return std::string(what); }
    bool read(Section& from, std::string_view key, std::string& into) const;
    static std::string write(const std::string& text) { return toml_text(text); }
};

// One of some words, each of which stands for a value.
template <class Value>
struct Words {
    std::vector<Section::Word<Value>> words;
    std::vector<std::string_view> later{};  // documented elsewhere, and not in this version

    std::string type() const {
        std::string list;
        for (const auto& each : words)
            list.append(list.empty() ? "`" : ", `").append(toml_text(each.word)).append("`");
        return list;
    }
    template <class Member>
    bool read(Section& from, std::string_view key, Member& into) const {
        Value value{};
        if (!from.choice(key, value, words, later)) return false;
        into = value;
        return true;
    }
    std::string write(const Value& value) const {
        for (const auto& each : words) {
            if (each.choice == value) return toml_text(each.word);
        }
        return "none";
    }
    std::string write(const std::optional<Value>& value) const {
        return value ? write(*value) : "none";
    }
};

// Words that this version accepts and that change nothing; the first is what it does.
struct Fixed {
    std::vector<std::string_view> words;
    std::vector<std::string_view> later;
    std::string type() const;
    template <class Settings>
    bool read(Section& from, std::string_view key, Settings&) const {
        return check(from, key);
    }
    template <class Settings>
    std::string write(const Settings&) const {
        return toml_text(words.front());
    }

  private:
    bool check(Section& from, std::string_view key) const;
};

// A key of a later feature: only an empty value will do.
struct NotYet {
    static std::string type() { return ""; }
    template <class Settings>
    static bool read(Section& from, std::string_view key, Settings&) {
        from.not_available(key);
        return false;
    }
    template <class Settings>
    static std::string write(const Settings&) {
        return "none";
    }
};

struct Directory {
    bool may_be_empty = false;  // as if it were absent
    static std::string type() { return "directory"; }
    bool read(Section& from, std::string_view key, std::filesystem::path& into) const;
    static std::string write(const std::filesystem::path& path) { return toml_text(path.native()); }
};

struct File {
    static std::string type() { return "file"; }
    static bool read(Section& from, std::string_view key, NamedFile& into) {
        return from.file(key, into);
    }
    static std::string write(const NamedFile& file) { return toml_text(file.path.native()); }
};

struct Files {
    static std::string type() { return "list of files"; }
    static bool read(Section& from, std::string_view key, std::vector<NamedFile>& into) {
        return from.files(key, into);
    }
    static std::string write(const std::vector<NamedFile>& files);
};

struct Networks {
    static std::string type() { return "list of networks"; }
    static bool read(Section& from, std::string_view key, std::vector<core::IpNetwork>& into);
    static std::string write(const std::vector<core::IpNetwork>& networks);
};

struct Addresses {
    int default_port = -1;  // none: each address has one
    bool any_port = false;  // port 0 will do
    static std::string type() { return "list of addresses"; }
    bool read(Section& from, std::string_view key, std::vector<core::SocketAddress>& into) const;
    static std::string write(const std::vector<core::SocketAddress>& addresses);
};

struct Times {
    core::Duration least{};
    static std::string type() { return "list of times"; }
    bool read(Section& from, std::string_view key, std::vector<core::Duration>& into) const;
    static std::string write(const std::vector<core::Duration>& times);
};

}  // namespace relay
