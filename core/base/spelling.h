// nearest(): the word that a mistyped one was meant to be, for sentences such as "is
// connection_limit meant?". Pure; for words of people: keys, names of classes, commands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace core {

inline constexpr std::size_t kMaxSpelledOctets = 64;  // a longer word is near to nothing

// How many letters must be put in, left out or exchanged to make one word of the other; two
// neighbours that changed places count once.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The word nearest to a mistyped one, or empty when none is near: a third of its letters may be
// wrong, and two of a short one that begins alike.
template <typename Words>
std::string_view nearest(std::string_view word, const Words& among) {
    std::string_view best;
    if (word.size() > kMaxSpelledOctets) return best;
    std::size_t least = word.size() / 3 + 1;
    for (const auto& each : among) {
        const std::string_view candidate(each);
        if (candidate.size() > kMaxSpelledOctets) continue;
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < least || (distance == least && best.empty() && distance <= 2)) {
            best = candidate;
            least = distance;
        }
    }
    return best;
}

}  // namespace core
