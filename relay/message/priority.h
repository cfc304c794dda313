// Priority: how urgent a message is. Inside a path urgent mail goes first and bulk mail last, and
// none starves (relay/path/fair_queue.h). Fixed when the message is accepted. Plain value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace relay {

enum class Priority : std::uint8_t { urgent, normal, bulk };

inline constexpr std::array<std::string_view, 3> kPriorityNames = {"urgent", "normal", "bulk"};
inline constexpr std::size_t kPriorities = kPriorityNames.size();

constexpr std::string_view to_string(Priority priority) {
    return kPriorityNames[static_cast<std::size_t>(priority)];
}
constexpr std::optional<Priority> priority_named(std::string_view name) {
    for (std::size_t i = 0; i < kPriorities; ++i) {
        if (kPriorityNames[i] == name) return static_cast<Priority>(i);
    }
    return std::nullopt;
}

}  // namespace relay
