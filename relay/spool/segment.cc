#include "relay/spool/segment.h"

#include <charconv>

#include <fmt/format.h>

#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kDigits = 16;

}  // namespace

void Segment::keep(Message& message) {
    live.push_back(message);
    live_octets += message.place.octets;
    message.place.segment = this;
}

void Segment::drop(Message& message) {
    PH_ASSERT(message.place.segment == this && live_octets >= message.place.octets);
    core::IntrusiveList<Message, MessageListTag>::remove(message);
    live_octets -= message.place.octets;
    message.place.segment = nullptr;
}

std::string segment_file_name(std::uint64_t sequence) {
    return fmt::format("{:016}{}", sequence, kSuffix);
}

std::optional<std::uint64_t> sequence_of(std::string_view file_name) {
    if (file_name.size() != kDigits + kSuffix.size() || !file_name.ends_with(kSuffix)) {
        return std::nullopt;
    }
    std::uint64_t sequence = 0;
    const char* end = file_name.data() + kDigits;
    const auto [stop, error] = std::from_chars(file_name.data(), end, sequence);
    if (error != std::errc{} || stop != end || sequence == 0) return std::nullopt;
    return sequence;
}

}  // namespace relay
