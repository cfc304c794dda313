#include "relay/inject/seven_bit_content.h"

#include <utility>

#include "core/runtime/next_turn.h"
#include "relay/mime/seven_bit.h"

namespace relay {

core::Task<void> make_seven_bit(core::Reactor& reactor, Message* message) {
    SevenBit conversion(message->content);
    while (!conversion.advance(kOctetsPerTurn))
        co_await core::NextTurn{reactor};
    auto converted = conversion.take();
    if (!converted) co_return;
    message->content = std::move(*converted);
    message->eight_bit = false;
}

}  // namespace relay
