// FlatJson: a JSON object of texts and whole numbers, as admin requests and lines of our own files
// are. null counts as absent. Pure. Limit: kMaxFields fields; the caller bounds the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace relay {

class FlatJson {
  public:
    static constexpr std::size_t kMaxFields = 100;

    static core::Result<FlatJson> parse(std::string_view text);

    // Empty: it is absent.
    std::string text(std::string_view name) const;
    bool has(std::string_view name) const { return fields_.contains(name); }
    std::optional<std::int64_t> number(std::string_view name) const;
    const std::map<std::string, std::string, std::less<>>& fields() const { return fields_; }

  private:
    std::map<std::string, std::string, std::less<>> fields_;
};

}  // namespace relay
