// Feeds arbitrary octets of a proxy to the dialogue of SOCKS5. The first octet says whether an
// address is asked for by BIND. The oracle: cut anywhere, the same input gives the same requests
// and the same end, and takes as many octets; what fails says why; nothing is taken or said after
// the end; a connection is made only by two (with BIND three) replies of success.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "relay/egress/socks5.h"

namespace {

using relay::Socks5Dialogue;

struct Outcome {
    std::string said;
    std::size_t taken = 0;
    Socks5Dialogue::State state = Socks5Dialogue::State::greeting;
    std::string reason;
    bool operator==(const Outcome&) const = default;
};

Outcome run(std::string_view input, bool bind, std::size_t step) {
    const core::IpAddress v4 = core::IpAddress::v4(0xc0000201);
    Socks5Dialogue dialogue({core::IpAddress::v4(0xc6336402), 25},
                            bind ? std::optional(v4) : std::nullopt);
    Outcome outcome;
    outcome.said = dialogue.output();
    while (!input.empty() && !dialogue.is_over()) {
        const std::string_view piece = input.substr(0, step);
        const std::size_t taken = dialogue.input(piece);
        PH_ASSERT(taken > 0 && taken <= piece.size());
        outcome.taken += taken;
        outcome.said += dialogue.output();
        input.remove_prefix(taken);
    }
    PH_ASSERT(dialogue.input(input) == 0);
    outcome.state = dialogue.state();
    outcome.reason = dialogue.reason();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool bind = (data[0] & 1) != 0;
    const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
    const Outcome whole = run(input, bind, std::max<std::size_t>(input.size(), 1));
    for (const std::size_t step : {1U, 2U, 5U, 7U})
        PH_ASSERT(run(input, bind, step) == whole);
    const std::size_t replies = bind ? 2 : 1;
    PH_ASSERT(whole.taken <= 2 + replies * Socks5Dialogue::kMostReply);
    const bool failed = whole.state > Socks5Dialogue::State::connected;
    PH_ASSERT(failed == !whole.reason.empty());
    if (whole.state == Socks5Dialogue::State::connected) {
        PH_ASSERT(input[0] == 5 && input[1] == 0 && input[2] == 5 && input[3] == 0);
        PH_ASSERT(whole.said.size() == 3 + 10 * replies);
    }
    return 0;
}
