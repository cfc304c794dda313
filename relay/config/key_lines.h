// KeyLines: the line of each key that one table of the configuration file sets, so that a value can
// name the place that set it. A part of the settings that it belongs to (relay/config/config.h),
// filled by read_keys(); immutable afterwards. Names are those of the schema, which live for ever.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace relay {

class KeyLines {
  public:
    void note(std::string_view key, int line) { lines_.emplace_back(key, line); }
    // 0: the table does not set the key.
    int of(std::string_view key) const {
        const auto found = std::ranges::find(lines_, key, &Line::first);
        return found == lines_.end() ? 0 : found->second;
    }
    bool has(std::string_view key) const { return of(key) != 0; }

  private:
    using Line = std::pair<std::string_view, int>;
    std::vector<Line> lines_;
};

}  // namespace relay
