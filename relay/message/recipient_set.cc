#include "relay/message/recipient_set.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "core/base/ascii.h"
#include "relay/message/idna.h"

namespace relay {

namespace {

bool is_plain(std::string_view domain) {
    return std::ranges::none_of(
        domain, [](char c) { return (c >= 'A' && c <= 'Z') || static_cast<signed char>(c) < 0; });
}

std::size_t domain_at(std::string_view mailbox) {
    const std::size_t at = mailbox.rfind('@');
    return at == std::string_view::npos ? mailbox.size() : at + 1;
}

std::string canonical(std::string_view mailbox) {
    const std::size_t at = domain_at(mailbox);
    const std::string_view domain = mailbox.substr(at);
    return std::string(mailbox.substr(0, at)) +
           to_a_labels(domain).value_or(core::to_lower(domain));
}

std::uint64_t hash_octets(std::string_view text, std::uint64_t seed) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;
    std::uint64_t hash = seed ^ (text.size() * kOdd);
    while (!text.empty()) {
        std::uint64_t word = 0;
        const std::size_t length = std::min<std::size_t>(text.size(), sizeof word);
        std::memcpy(&word, text.data(), length);
        text.remove_prefix(length);
        hash = (hash ^ word) * (seed | 1U);
        hash ^= std::rotl(hash, 29) ^ (hash >> 32);
        hash *= kOdd;
    }
    return hash ^ (hash >> 31);
}

}  // namespace

std::uint64_t RecipientSet::hash(std::string_view mailbox) const {
    if (is_plain(mailbox.substr(domain_at(mailbox)))) return hash_octets(mailbox, seed_);
    return hash_octets(canonical(mailbox), seed_);
}

void RecipientSet::prefetch(std::uint64_t hash) const {
    if (slots_.empty()) return;
    __builtin_prefetch(&slots_[place(static_cast<std::uint32_t>(hash >> 32))], 1);
}

bool RecipientSet::same_mailbox(std::string_view one, std::string_view other) {
    if (one == other) return true;
    const std::size_t at = domain_at(one);
    if (at != domain_at(other) || one.substr(0, at) != other.substr(0, at)) return false;
    return canonical(one) == canonical(other);
}

void RecipientSet::clear() {
    slots_ = {};
    shift_ = 32;
    size_ = 0;
}

void RecipientSet::reserve(std::size_t mailboxes) {
    const std::size_t size = std::bit_ceil(2 * mailboxes + 2);
    if (size > std::max(slots_.size(), kFirstSlots)) resize(size);
}

void RecipientSet::resize(std::size_t size) {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(size));
    shift_ = 32U - static_cast<unsigned>(std::countr_zero(size));
    for (const Slot& slot : old) {
        if (slot.number == 0) continue;
        std::size_t at = place(slot.tag);
        while (slots_[at].number != 0)
            at = (at + 1) & (size - 1);
        slots_[at] = slot;
    }
}

}  // namespace relay
