// StripedMap: a hash table by text for millions of entries whose growth is never felt: it is
// kStripes small tables, and only one of them is rehashed at a time (ten million entries: ten
// thousand of them at once). Keys and values do not move while they are in it. One thread.
// Limit: none of its own; its user bounds what goes in.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace core {

template <typename Value>
class StripedMap {
  public:
    static constexpr std::size_t kStripes = 1024;
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    using Stripe = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;
    using Entry = typename Stripe::value_type;

    // Null: it is not there.
    Entry* find(std::string_view key) {
        Stripe& stripe = stripe_of(key);
        const auto found = stripe.find(key);
        return found == stripe.end() ? nullptr : &*found;
    }
    const Entry* find(std::string_view key) const {
        return const_cast<StripedMap*>(this)->find(key);
    }
    // A new value is made with nothing; true: it was.
    std::pair<Entry*, bool> add(std::string_view key) {
        Stripe& stripe = stripe_of(key);
        if (const auto found = stripe.find(key); found != stripe.end()) return {&*found, false};
        ++size_;
        return {&*stripe.try_emplace(std::string(key)).first, true};
    }
    void erase(std::string_view key) {
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
    Stripe& stripe_of(std::string_view key) {
        // The lower bits choose the bucket inside a stripe.
        return stripes_[(Hash{}(key) >> 40) % kStripes];
    }

    std::array<Stripe, kStripes> stripes_;
    std::size_t size_ = 0;
};

}  // namespace core
