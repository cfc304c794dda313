// Section: reads the keys of one table of the configuration into variables, and notes every mistake
// with its line instead of stopping at the first: wrong type, impossible value, unknown key (with
// the nearest known one). A variable is changed only when its key is there and right, so it keeps
// the default otherwise. Call finish() last: what no call asked for is unknown. Lives on the stack
// of the parser, on the main thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/base/toml.h"
#include "core/base/units.h"
#include "relay/config/config.h"
#include "relay/shaping/problem.h"

namespace relay {

struct TextAtLine {
    std::string text;
    int line = 0;
};

class Section {
  public:
    // name: as a person would call it, "[node]" or "[[listener]]". The references outlive it.
    Section(const core::TomlValue& table, std::string name, std::string file, Problems& problems)
        : table_(table), name_(std::move(name)), file_(std::move(file)), problems_(problems) {}

    int line() const { return table_.line; }
    // The value of a key that is known from now on, or nullptr.
    const core::TomlValue* take(std::string_view key);

    bool text(std::string_view key, std::string& out);
    // The name of a file, with the line that names it; empty: none. files(): a list of them.
    bool file(std::string_view key, NamedFile& out);
    bool files(std::string_view key, std::vector<NamedFile>& out);
    bool flag(std::string_view key, bool& out);
    bool size(std::string_view key, std::uint64_t& out, std::uint64_t least, std::uint64_t most);
    // least: of a size, in octets; a share is from 1% to 100%.
    bool size_or_share(std::string_view key, SizeOrShare& out, std::uint64_t least);
    bool duration(std::string_view key, core::Duration& out, core::Duration least,
                  core::Duration most);
    bool rate(std::string_view key, core::Rate& out);
    bool texts(std::string_view key, std::vector<TextAtLine>& out);

    template <typename Integer>
    bool integer(std::string_view key, Integer& out, std::int64_t least, std::int64_t most) {
        std::int64_t value = 0;
        if (!whole_number(key, value, least, most)) return false;
        out = static_cast<Integer>(value);
        return true;
    }

    // One of some words. later: words that the documentation has and this version has not.
    template <typename Choice>
    struct Word {
        std::string_view word;
        Choice choice;
    };
    template <typename Choice>
    bool choice(std::string_view key, Choice& out, const std::vector<Word<Choice>>& words,
                const std::vector<std::string_view>& later = {}) {
        std::vector<std::string_view> known;
        for (const auto& each : words)
            known.push_back(each.word);
        const std::size_t index = word_index(key, known, later);
        if (index == known.size()) return false;
        out = words[index].choice;
        return true;
    }
    // The table that is the value of a key. example: what it may look like, for the sentence when
    // the value is none.
    std::optional<Section> table(std::string_view key, std::string_view example);

    // A table that is an item of a list, the value of a key. form: what the list must be.
    std::optional<Section> item(std::string_view key, const core::TomlValue& value,
                                std::string_view form);

    // A key of a later feature: refused unless it is empty ("", [], {}) or absent.
    void not_available(std::string_view key, std::string_view instead = "");

    void problem(int at_line, std::string sentence);
    // Names the key: `[node] shards` and then the sentence.
    void problem_with(std::string_view key, int at_line, std::string_view sentence);

    void finish();

  private:
    bool of_kind(std::string_view key, const core::TomlValue* value, core::TomlValue::Kind kind,
                 std::string_view expected);
    bool whole_number(std::string_view key, std::int64_t& out, std::int64_t least,
                      std::int64_t most);
    // known.size() when the key is absent or wrong.
    std::size_t word_index(std::string_view key, std::span<const std::string_view> known,
                           std::span<const std::string_view> later);

    const core::TomlValue& table_;
    std::string name_;
    std::string file_;
    Problems& problems_;
    std::vector<std::string> taken_;
};

// Whether this is the name of a host as DNS knows it: letters, digits, hyphens, dots; underscores
// too when asked for.
bool is_host_name(std::string_view name, bool underscores = false);

}  // namespace relay
