#include "relay/spool/in_hand.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::uint64_t kMagic = 0x31444e4854534850;  // "PHSTHND1"
constexpr std::uint64_t kLayout = 1 | InHandTable::kSlots << 32;
constexpr std::size_t kLayoutAt = 1;
constexpr std::size_t kStateAt = 2;
constexpr std::size_t kBootAt = 3;
constexpr std::size_t kBootWords = 5;
constexpr std::uint64_t kArea = 256;  // in the word of the state: the second area counts
constexpr std::uint64_t kOnTrial = 1;
constexpr std::uint64_t kFound = 1;

// Stores stay in their order, as the next process will see them.
void store(std::uint64_t& word, std::uint64_t value) {
    std::atomic_ref(word).store(value, std::memory_order_release);
}

std::uint64_t load(std::uint64_t& word) {
    return std::atomic_ref(word).load(std::memory_order_acquire);
}

std::array<std::uint64_t, kBootWords> boot_words(std::string_view boot) {
    std::array<std::uint64_t, kBootWords> words{};
    std::memcpy(words.data(), boot.data(), std::min(boot.size(), sizeof words));
    return words;
}

std::uint64_t pack(const Known& known) {
    return std::uint64_t{known.ends} << 32 | std::uint64_t{known.deaths & 0xffff} << 16;
}

}  // namespace

// ---- InHand

InHand::InHand(std::span<std::uint64_t> slots, Trial& trial) : slots_(slots), trial_(trial) {
    // The first ones last, so that a few pages are used again and again.
    for (std::size_t slot = slots.size() / InHandTable::kEntry; slot-- > 0;)
        free_.push_back(static_cast<std::uint32_t>(slot));
}

InHand::Note InHand::note(const MessageId& id) {
    if (free_.empty()) {
        ++unnoted_;
        return {};
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    const bool on_trial = trial_.low.load(std::memory_order_relaxed) == id.low &&
                          trial_.high.load(std::memory_order_relaxed) == id.high;
    if (on_trial) trial_.taken.store(true);
    const std::size_t at = slot * InHandTable::kEntry;
    store(slots_[at + 1], id.low);
    store(slots_[at + 2], on_trial ? kOnTrial : 0);
    store(slots_[at], id.high);
    return {this, slot};
}

void InHand::clear(std::uint32_t slot) {
    store(slots_[slot * InHandTable::kEntry], 0);
    free_.push_back(slot);
}

// ---- InHandTable

std::span<std::uint64_t> InHandTable::known_area(std::uint64_t which) const {
    return words_.subspan(kHeader + (which != 0 ? kSlots * kEntry : 0), kSlots * kEntry);
}

RunState InHandTable::state() const {
    const std::uint64_t state = load(words_[kStateAt]) & (kArea - 1);
    return state <= static_cast<std::uint64_t>(RunState::ended) ? static_cast<RunState>(state)
                                                                : RunState::none;
}

void InHandTable::set_state(RunState state) {
    store(words_[kStateAt], (load(words_[kStateAt]) & kArea) | static_cast<std::uint64_t>(state));
}

LastRun InHandTable::last_run(std::string_view boot) const {
    LastRun last;
    const auto now = boot_words(boot);
    const bool ours = words_[0] == kMagic && words_[kLayoutAt] == kLayout &&
                      std::ranges::equal(words_.subspan(kBootAt, kBootWords), now);
    if (!ours) return last;
    const auto known = known_area(words_[kStateAt] & kArea);
    for (std::size_t at = 0; at < known.size() && known[at] != 0; at += kEntry) {
        const std::uint64_t packed = known[at + 2];
        if (packed >> 32 == 0) continue;  // acquitted
        last.known.push_back({.id = {known[at], known[at + 1]},
                              .ends = static_cast<std::uint32_t>(packed >> 32),
                              .deaths = static_cast<std::uint32_t>(packed >> 16 & 0xffff),
                              .found = (packed & kFound) != 0});
    }
    switch (state()) {
        case RunState::young:
            last.how = LastEnd::early;
            break;
        case RunState::lived:
            last.how = LastEnd::late;
            break;
        case RunState::ended:
            last.how = LastEnd::orderly;
            break;
        default:
            return last;
    }
    const auto noted = slots();
    for (std::size_t at = 0; at < noted.size(); at += kEntry) {
        if (noted[at] == 0) continue;
        last.in_hand.push_back({{noted[at], noted[at + 1]}, (noted[at + 2] & kOnTrial) != 0});
    }
    return last;
}

void InHandTable::begin_anew(std::span<const Known> known, std::string_view boot,
                             std::size_t shards) {
    PH_ASSERT(words_.size() == kWords && shards > 0 && shards <= kSlots);
    const bool ours = words_[0] == kMagic;
    const std::uint64_t area = ours && (words_[kStateAt] & kArea) == 0 ? kArea : 0;
    const auto place = known_area(area);
    std::size_t at = 0;
    for (const Known& one : known.first(std::min(known.size(), kSlots))) {
        place[at] = one.id.high;
        place[at + 1] = one.id.low;
        place[at + 2] = pack(one);
        at += kEntry;
    }
    if (at < place.size()) place[at] = 0;
    if (!ours) store(words_[0], 0);
    // Until this store the end before has not been judged, and after it it has.
    store(words_[kStateAt], area | static_cast<std::uint64_t>(RunState::counted));
    const auto boot_now = boot_words(boot);
    std::ranges::copy(boot_now, words_.subspan(kBootAt, kBootWords).begin());
    words_[kLayoutAt] = kLayout;
    store(words_[0], kMagic);
    std::ranges::fill(slots(), 0);
    const std::size_t each = kSlots / shards * kEntry;
    for (std::size_t shard = 0; shard < shards; ++shard)
        shards_.push_back(std::make_unique<InHand>(slots().subspan(shard * each, each), trial_));
}

void InHandTable::mark_found(std::size_t index) {
    std::uint64_t& word = known_area(load(words_[kStateAt]) & kArea)[index * kEntry + 2];
    store(word, load(word) | kFound);
}

void InHandTable::acquit(std::size_t index) {
    store(known_area(load(words_[kStateAt]) & kArea)[index * kEntry + 2], 0);
}

}  // namespace relay
