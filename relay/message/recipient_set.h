// RecipientSet: which mailboxes of one message were named already, so that a recipient who is
// named twice is sent to once. Mailboxes are the same when their local parts are, octet by octet
// (RFC 5321 section 2.4), and their domains are, whatever the case and whether in A-labels or not.
// Pure; one owner. It keeps numbers, not text: the owner keeps mailbox i at place i of its list and
// passes a function that answers it. Memory: 16 to 32 octets a mailbox. The seed, which nobody
// outside knows, keeps chosen names from clashing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace relay {

class RecipientSet {
  public:
    explicit RecipientSet(std::uint64_t seed) : seed_(seed) {}

    std::uint64_t hash(std::string_view mailbox) const;
    // Reads the place of a hash into the cache, for an insert() that follows soon.
    void prefetch(std::uint64_t hash) const;
    // Number the mailbox as the next one. False: it is the same as an earlier one, and not added.
    template <typename MailboxAt>
    bool insert(std::uint64_t hash, std::string_view mailbox, MailboxAt&& mailbox_at) {
        if ((size_ + 1) * 2 > slots_.size()) grow();
        const auto tag = static_cast<std::uint32_t>(hash >> 32);
        std::size_t at = place(tag);
        for (; slots_[at].number != 0; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at].tag == tag && same_mailbox(mailbox, mailbox_at(slots_[at].number - 1)))
                return false;
        }
        slots_[at] = {tag, static_cast<std::uint32_t>(++size_)};
        return true;
    }
    std::size_t size() const { return size_; }
    // Room for so many, so that it does not grow while they are inserted.
    void reserve(std::size_t mailboxes);
    void clear();

    static bool same_mailbox(std::string_view one, std::string_view other);

  private:
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t number = 0;  // 0: free
    };
    static constexpr std::size_t kFirstSlots = 64;

    std::size_t place(std::uint32_t tag) const { return tag >> shift_; }
    void grow() { resize(slots_.empty() ? kFirstSlots : slots_.size() * 2); }
    void resize(std::size_t size);

    std::uint64_t seed_;
    std::vector<Slot> slots_;  // a power of two
    unsigned shift_ = 32;      // leaves as many bits of a tag as there are of slots
    std::size_t size_ = 0;
};

}  // namespace relay
