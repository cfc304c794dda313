// StripedMap: a hash table for millions of entries whose growth is never felt: it is kStripes small
// tables, and only one of them is rehashed at a time (ten million entries: ten thousand of them at
// once). Keys are text, or any value with a hash of which all bits are good. Keys and values do not
// move while they are in it. One thread.
// Limit: none of its own; its user bounds what goes in.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace core {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

template <typename Value, typename Key = std::string, typename KeyHash = TextHash>
class StripedMap {
  public:
    static constexpr std::size_t kStripes = 1024;
    // What entries are looked for by.
    using Lookup =
        std::conditional_t<std::is_same_v<Key, std::string>, std::string_view, const Key&>;
    using Stripe = std::unordered_map<Key, Value, KeyHash, std::equal_to<>>;
    using Entry = typename Stripe::value_type;

    // Null: it is not there.
    Entry* find(Lookup key) {
        Stripe& stripe = stripe_of(key);
        const auto found = stripe.find(key);
        return found == stripe.end() ? nullptr : &*found;
    }
    const Entry* find(Lookup key) const { return const_cast<StripedMap*>(this)->find(key); }
    // A new value is made with nothing; true: it was.
    std::pair<Entry*, bool> add(Lookup key) {
        Stripe& stripe = stripe_of(key);
        if (const auto found = stripe.find(key); found != stripe.end()) return {&*found, false};
        ++size_;
        return {&*stripe.try_emplace(Key(key)).first, true};
    }
    void erase(Lookup key) {
        Stripe& stripe = stripe_of(key);
        const auto found = stripe.find(key);
        if (found == stripe.end()) return;
        stripe.erase(found);
        --size_;
    }
    // Of one stripe, those for which gone(Entry&) says so.
    template <typename Gone>
    void erase_if(std::size_t stripe, Gone gone) {
        size_ -= std::erase_if(stripes_[stripe], gone);
    }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    // To walk through all of it, a stripe at a time.
    Stripe& stripe(std::size_t number) { return stripes_[number]; }
    void clear() {
        for (Stripe& stripe : stripes_)
            stripe.clear();
        size_ = 0;
    }

  private:
    Stripe& stripe_of(Lookup key) {
        // The lower bits choose the bucket inside a stripe.
        return stripes_[(KeyHash{}(key) >> 40) % kStripes];
    }

    std::array<Stripe, kStripes> stripes_;
    std::size_t size_ = 0;
};

}  // namespace core
