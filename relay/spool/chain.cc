#include "relay/spool/chain.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "relay/spool/octets.h"

namespace relay {

namespace {

constexpr std::string_view kMagic = "PHSTCHN1";
constexpr std::uint32_t kVersion = 3;  // of the format of the spool
constexpr std::size_t kSealsAt = 48;
constexpr std::size_t kEntry = 8 + kSealOctets;
constexpr std::size_t kChecked = Chain::kSlot - 4;
static_assert(kSealsAt + Chain::kMostSeals * kEntry <= kChecked);

std::optional<Chain> read_slot(std::string_view slot, std::uint32_t journal) {
    const char* const at = slot.data();
    if (slot.size() < Chain::kSlot || !slot.starts_with(kMagic)) return std::nullopt;
    if (get_at<std::uint32_t>(at + kChecked) != crc32c(0xffffffff, slot.substr(0, kChecked))) {
        return std::nullopt;
    }
    if (get_at<std::uint32_t>(at + 8) != kVersion) return std::nullopt;
    Chain chain;
    chain.journal = get_at<std::uint32_t>(at + 12);
    if (chain.journal != journal) return std::nullopt;
    chain.counter = get_at<std::uint64_t>(at + 16);
    chain.oldest = get_at<std::uint64_t>(at + 24);
    chain.newest = get_at<std::uint64_t>(at + 32);
    const auto seals = get_at<std::uint32_t>(at + 40);
    if (seals > Chain::kMostSeals) return std::nullopt;
    for (std::size_t i = 0; i < seals; ++i) {
        const char* const entry = at + kSealsAt + i * kEntry;
        chain.seals.push_back({get_at<std::uint64_t>(entry), read_seal(entry + 8)});
    }
    return chain;
}

}  // namespace

const Seal* Chain::seal_of(std::uint64_t sequence) const {
    const auto found = std::ranges::lower_bound(seals, sequence, {}, &Sealed::sequence);
    return found != seals.end() && found->sequence == sequence ? &found->seal : nullptr;
}

void Chain::seal(std::uint64_t sequence, const Seal& seal) {
    const auto place = std::ranges::lower_bound(seals, sequence, {}, &Sealed::sequence);
    if (place != seals.end() && place->sequence == sequence) {
        place->seal = seal;
        return;
    }
    seals.insert(place, {sequence, seal});
    if (seals.size() > kMostSeals) seals.erase(seals.begin());
}

void Chain::give_up_before(std::uint64_t sequence) {
    oldest = std::max(oldest, sequence);
    std::erase_if(seals, [this](const Sealed& one) { return one.sequence < oldest; });
}

void write_chain(const Chain& chain, char* out) {
    std::memset(out, 0, Chain::kSlot);
    std::memcpy(out, kMagic.data(), kMagic.size());
    put_at(out + 8, kVersion);
    put_at(out + 12, chain.journal);
    put_at(out + 16, chain.counter);
    put_at(out + 24, chain.oldest);
    put_at(out + 32, chain.newest);
    put_at(out + 40, static_cast<std::uint32_t>(chain.seals.size()));
    char* entry = out + kSealsAt;
    for (const Chain::Sealed& one : chain.seals) {
        put_at(entry, one.sequence);
        write_seal(one.seal, entry + 8);
        entry += kEntry;
    }
    put_at(out + kChecked, crc32c(0xffffffff, {out, kChecked}));
}

std::optional<Chain> read_chain(std::string_view file, std::uint32_t journal) {
    std::optional<Chain> newest;
    for (const std::size_t at : {std::size_t{0}, Chain::kSlot}) {
        if (file.size() < at) break;
        auto chain = read_slot(file.substr(at), journal);
        if (chain && (!newest || chain->counter > newest->counter)) newest = std::move(chain);
    }
    return newest;
}

}  // namespace relay
