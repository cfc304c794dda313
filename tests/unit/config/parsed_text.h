// What a text is as a configuration, for tests of its tables: the values that it gives, or the
// sentences about what is wrong with it, with file and line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "relay/config/parse.h"

namespace relay {

// The least that is a configuration: two lines of [spool], then a listener.
inline const std::string kLeast =
    "[spool]\ndurability = \"memory\"\n[[listener]]\naddress = [\"127.0.0.1:2525\"]\n";

inline Config parsed(const std::string& text) {
    const auto config = parse_config(text, "t.toml");
    if (!config) {
        for (const Problem& each : config.error())
            ADD_FAILURE() << each.to_string();
        return default_config();
    }
    return *config;
}

inline std::vector<std::string> problems(const std::string& text) {
    const auto config = parse_config(text, "t.toml");
    std::vector<std::string> sentences;
    if (config) return sentences;
    for (const Problem& each : config.error())
        sentences.push_back(each.to_string());
    return sentences;
}

// The one problem of kLeast with some lines after it.
inline std::string problem_of(const std::string& lines) {
    const auto all = problems(kLeast + lines);
    EXPECT_EQ(all.size(), 1U) << lines;
    for (std::size_t i = 1; i < all.size(); ++i)
        ADD_FAILURE() << all[i];
    return all.empty() ? "" : all.front();
}

inline bool has(const std::string& text, std::string_view part) {
    return text.contains(part);
}

}  // namespace relay
