#include "relay/intake/seven_bit_content.h"

#include <new>
#include <optional>
#include <utility>

#include "core/runtime/next_turn.h"
#include "relay/mime/seven_bit.h"

namespace relay {

namespace {

enum class Progress : std::uint8_t { more, done, no_memory };

// What is thrown ends here: no exception leaves a task. Memory that runs out is about this message.
Progress advance(std::optional<SevenBit>& conversion, Message& message) try {
    if (!conversion) conversion.emplace(message.content);
    if (!conversion->advance(kOctetsPerTurn)) return Progress::more;
    if (auto converted = conversion->take()) {
        message.content = std::move(*converted);
        message.eight_bit = false;
    }
    return Progress::done;
} catch (const std::bad_alloc&) {
    return Progress::no_memory;
}

}  // namespace

core::Task<bool> make_seven_bit(core::Reactor& reactor, Message* message) {
    std::optional<SevenBit> conversion;
    Progress progress = advance(conversion, *message);
    while (progress == Progress::more) {
        co_await core::NextTurn{reactor};
        progress = advance(conversion, *message);
    }
    co_return progress == Progress::done;
}

}  // namespace relay
