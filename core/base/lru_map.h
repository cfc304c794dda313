// LruMap: values by name, in the order of their last use, for memories that forget what was longest
// unused. Pure; one owner, one thread. An entry does not move in memory, and its iterator is valid
// until it is erased. Limit: none of its own; its user erases oldest() when it is over one.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/base/assert.h"

namespace core {

template <typename Value>
class LruMap {
  public:
    struct Entry {
        const std::string name;
        Value value{};
    };
    using Iterator = typename std::list<Entry>::iterator;

    LruMap() = default;
    ~LruMap() = default;
    // No copies: the index refers to the entries' own names. They stay where they are in a move.
    LruMap(const LruMap&) = delete;
    LruMap& operator=(const LruMap&) = delete;
    LruMap(LruMap&&) = default;
    LruMap& operator=(LruMap&&) = default;

    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }

    // From the one used last to the one unused for longest.
    Iterator begin() { return entries_.begin(); }
    Iterator end() { return entries_.end(); }
    Iterator oldest() {
        PH_ASSERT(!entries_.empty());
        return std::prev(entries_.end());
    }

    // Does not count as a use. Null: it is not there.
    Value* find(std::string_view name) {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? nullptr : &found->second->value;
    }
    const Value* find(std::string_view name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? nullptr : &found->second->value;
    }
    // end(): it is not there.
    Iterator entry_of(std::string_view name) {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? end() : found->second;
    }
    void use(Iterator entry) { entries_.splice(entries_.begin(), entries_, entry); }
    // Made if need be, and used.
    Iterator touch(std::string_view name) {
        if (const Iterator known = entry_of(name); known != end()) {
            use(known);
        } else {
            entries_.emplace_front(std::string(name));
            by_name_.emplace(entries_.front().name, entries_.begin());
        }
        return begin();
    }
    void erase(Iterator entry) {
        by_name_.erase(entry->name);
        entries_.erase(entry);
    }
    // False: it was not there.
    bool erase(std::string_view name) {
        const Iterator entry = entry_of(name);
        if (entry == end()) return false;
        erase(entry);
        return true;
    }

  private:
    std::list<Entry> entries_;  // used last in front
    std::unordered_map<std::string_view, Iterator> by_name_;
};

}  // namespace core
