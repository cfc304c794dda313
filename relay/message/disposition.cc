#include "relay/message/disposition.h"

#include <array>

namespace relay {

std::string_view to_string(Outcome outcome) {
    constexpr std::array<std::string_view, 5> kNames = {"none", "delivered", "deferred", "bounced",
                                                        "expired"};
    return kNames[static_cast<std::size_t>(outcome)];
}

}  // namespace relay
