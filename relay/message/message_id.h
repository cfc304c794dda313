// MessageId: 128 bits, written as 26 characters of Crockford base 32 that sort by time (a ULID):
// 48 bits of milliseconds, 16 of shard, 64 of a counter with a random start. Unique within a node
// and, but for a random collision, among nodes. Pure; each shard owns one generator.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay {

struct MessageId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::string to_string() const;
    static std::optional<MessageId> parse(std::string_view text);
    auto operator<=>(const MessageId&) const = default;
};

class MessageIdGenerator {
  public:
    MessageIdGenerator(std::uint16_t shard, std::uint64_t random_start)
        : shard_(shard), counter_(random_start) {}
    MessageId next(std::uint64_t unix_milliseconds) {
        return {unix_milliseconds << 16 | shard_, counter_++};
    }

  private:
    std::uint16_t shard_;
    std::uint64_t counter_;
};

}  // namespace relay
