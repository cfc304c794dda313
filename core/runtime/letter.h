// Letter: a call that another shard makes in a turn of its own. Holds a callable in place, so that
// sending one allocates nothing; what the callable refers to changes owner with the letter and must
// live until it is opened. Owned by the mailbox or outbox that it lies in. A letter may be moved
// about as octets; whoever takes it out opens or drops it, once.
// Limit: the callable is trivially copyable and has at most kMaxOctets. owning() takes any other
// one, for the price of an allocation; that one is destroyed when the letter is opened or dropped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace core {

class Letter {
  public:
    static constexpr std::size_t kMaxOctets = 16;
    static constexpr std::size_t kAlignment = alignof(void*);

    template <typename Call>
    static constexpr bool kFits =
        sizeof(Call) <= kMaxOctets && alignof(Call) <= kAlignment &&
        std::is_trivially_copyable_v<Call> && std::is_trivially_destructible_v<Call>;

    Letter() = default;  // an empty place of a mailbox

    template <typename Call>
    static Letter of(Call call) {
        static_assert(std::is_void_v<std::invoke_result_t<Call&>>);
        static_assert(kFits<Call>, "use owning() for what is large or owns something");
        Letter letter;
        letter.end_ = &end_in_place<Call>;
        ::new (letter.octets_.data()) Call(std::move(call));
        return letter;
    }
    template <typename Call>
    static Letter owning(Call call) {
        static_assert(std::is_void_v<std::invoke_result_t<Call&>>);
        Letter letter;
        letter.end_ = &end_on_heap<Call>;
        ::new (letter.octets_.data()) Call*(std::make_unique<Call>(std::move(call)).release());
        return letter;
    }

    // On the shard that it was sent to.
    void open() { end_(octets_.data(), End::opened); }
    // Frees what it owns; nobody is there to open it any more.
    void drop() { end_(octets_.data(), End::dropped); }

    // Carries the name of the callable, for TurnWatchdog.
    const void* function() const { return reinterpret_cast<const void*>(end_); }

  private:
    enum class End : std::uint8_t { opened, dropped };

    template <typename Call>
    static void end_in_place(std::byte* octets, End end) {
        if (end == End::opened) (*std::launder(reinterpret_cast<Call*>(octets)))();
    }
    template <typename Call>
    static void end_on_heap(std::byte* octets, End end) {
        const std::unique_ptr<Call> call(*std::launder(reinterpret_cast<Call**>(octets)));
        if (end == End::opened) (*call)();
    }

    void (*end_)(std::byte* octets, End end) = nullptr;
    alignas(kAlignment) std::array<std::byte, kMaxOctets> octets_{};
};

static_assert(std::is_trivially_copyable_v<Letter> && sizeof(Letter) == 24);

}  // namespace core
