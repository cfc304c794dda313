// Mailbox: the bounded FIFO from one shard to another; one per ordered pair, single producer,
// single consumer. It holds letters (core/runtime/letter.h), which the receiving shard opens in its
// own turn, in the order sent. Owned by the Mailroom. Limit: kCapacity letters. A full mailbox
// answers false; Mailroom then keeps letters in the sender's outbox, in order, until there is room,
// so nothing is lost and nobody blocks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/runtime/letter.h"

namespace core {

class Mailbox {
  public:
    static constexpr std::size_t kCapacity = 4096;

    bool push(const Letter& letter) {  // sender's thread
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_seen_ == kCapacity) {
            head_seen_ = head_.load(std::memory_order_acquire);
            if (tail - head_seen_ == kCapacity) return false;
        }
        letters_[tail % kCapacity] = letter;
        tail_.store(tail + 1, std::memory_order_release);
        return true;
    }

    // Until stop() says so; the rest waits. Receiver's thread.
    template <typename Visit, typename Stop>
    std::size_t drain(Visit visit, Stop stop) {
        const std::uint64_t tail = tail_.load(std::memory_order_acquire);
        std::uint64_t head = head_.load(std::memory_order_relaxed);
        const std::uint64_t first = head;
        for (; head != tail && !stop(); ++head) {
            Letter letter = letters_[head % kCapacity];
            head_.store(head + 1, std::memory_order_release);
            visit(letter);
        }
        return static_cast<std::size_t>(head - first);
    }

    bool empty() const {
        return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_relaxed);
    }

  private:
    alignas(64) std::atomic<std::uint64_t> tail_{0};
    std::uint64_t head_seen_ = 0;  // sender's copy
    alignas(64) std::atomic<std::uint64_t> head_{0};
    std::array<Letter, kCapacity> letters_{};
};

}  // namespace core
