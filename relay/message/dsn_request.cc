#include "relay/message/dsn_request.h"

namespace relay {

std::string Notify::text() const {
    if (never()) return "NEVER";
    std::string all;
    const auto add = [&](std::uint8_t bit, std::string_view word) {
        if ((bits_ & bit) == 0) return;
        if (!all.empty()) all += ',';
        all += word;
    };
    add(kSuccess, "SUCCESS");
    add(kFailure, "FAILURE");
    add(kDelay, "DELAY");
    return all;
}

}  // namespace relay
