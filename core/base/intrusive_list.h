// A doubly linked list whose links live in the elements: O(1) everywhere, no allocation, an element
// can leave without knowing which list it is on. The list never owns its elements. An element on a
// list must not be destroyed (asserted); one link is on at most one list.
#pragma once

#include <cstddef>

#include "core/base/assert.h"

namespace core {

template <typename Tag>
class ListLink {
  public:
    ListLink() = default;
    ListLink(const ListLink&) = delete;
    ListLink& operator=(const ListLink&) = delete;
    ~ListLink() { PH_ASSERT(!linked()); }

    bool linked() const { return next_ != nullptr; }
    void unlink() {
        PH_ASSERT(linked());
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = nullptr;
    }

  private:
    template <typename T, typename U>
    friend class IntrusiveList;
    ListLink* next_ = nullptr;
    ListLink* previous_ = nullptr;
};

// T derives from ListLink<Tag>.
template <typename T, typename Tag>
class IntrusiveList {
  public:
    IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;
    ~IntrusiveList() {
        PH_ASSERT(empty());
        head_.next_ = head_.previous_ = nullptr;
    }

    bool empty() const { return head_.next_ == &head_; }
    T& front() { return element(head_.next_); }
    T& back() { return element(head_.previous_); }

    void push_back(T& item) { insert_before(&head_, &item); }
    void push_front(T& item) { insert_before(head_.next_, &item); }
    T& pop_front() {
        T& item = front();
        static_cast<ListLink<Tag>&>(item).unlink();
        return item;
    }
    static void remove(T& item) { static_cast<ListLink<Tag>&>(item).unlink(); }

    // Moves all elements of other to the end of this list.
    void splice_back(IntrusiveList& other) {
        if (other.empty()) return;
        ListLink<Tag>* first = other.head_.next_;
        ListLink<Tag>* last = other.head_.previous_;
        other.head_.next_ = other.head_.previous_ = &other.head_;
        first->previous_ = head_.previous_;
        head_.previous_->next_ = first;
        last->next_ = &head_;
        head_.previous_ = last;
    }

    // visit(T&) may unlink the element it is given, and no other.
    template <typename Visit>
    void for_each(Visit visit) {
        for_each_while([&visit](T& item) {
            visit(item);
            return true;
        });
    }
    // The same, until it answers false.
    template <typename Visit>
    void for_each_while(Visit visit) {
        for (ListLink<Tag>* link = head_.next_; link != &head_;) {
            ListLink<Tag>* next = link->next_;
            if (!visit(element(link))) return;
            link = next;
        }
    }

  private:
    T& element(ListLink<Tag>* link) {
        PH_ASSERT(link != &head_);
        return static_cast<T&>(*link);
    }
    static void insert_before(ListLink<Tag>* place, ListLink<Tag>* link) {
        PH_ASSERT(!link->linked());
        link->next_ = place;
        link->previous_ = place->previous_;
        place->previous_->next_ = link;
        place->previous_ = link;
    }

    ListLink<Tag> head_;
};

}  // namespace core
