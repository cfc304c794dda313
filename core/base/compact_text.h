// CompactText: a text that is made once and kept long, in the memory that it takes and a pointer:
// what a queue of millions keeps of each message. Owned by whoever holds it; it is moved, never
// copied by accident, and reads as a std::string_view, which lives as long as the text is not
// changed. Limit: 4 GiB.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "core/base/assert.h"

namespace core {

class CompactText {
  public:
    CompactText() = default;
    CompactText(std::string_view text) { *this = text; }  // NOLINT: it reads as a text, too
    CompactText& operator=(std::string_view text) {
        PH_ASSERT(text.size() <= std::numeric_limits<std::uint32_t>::max());
        if (text.empty()) return clear(), *this;
        const auto length = static_cast<std::uint32_t>(text.size());
        auto octets = std::make_unique_for_overwrite<char[]>(sizeof length + text.size());
        std::memcpy(octets.get(), &length, sizeof length);
        std::memcpy(octets.get() + sizeof length, text.data(), text.size());
        octets_ = std::move(octets);
        return *this;
    }

    operator std::string_view() const {  // NOLINT
        if (octets_ == nullptr) return {};
        std::uint32_t length;
        std::memcpy(&length, octets_.get(), sizeof length);
        return {octets_.get() + sizeof length, length};
    }
    std::string_view view() const { return *this; }
    bool empty() const { return octets_ == nullptr; }
    std::size_t size() const { return view().size(); }
    void clear() { octets_.reset(); }
    bool operator==(std::string_view other) const { return view() == other; }

  private:
    std::unique_ptr<char[]> octets_;  // length, then the text; null: empty
};

}  // namespace core
