// Bounce rules from a hostile file, and hostile replies through them: the first line of the input
// is a reply, the rest is the file. What loads must answer, twice the same, with a class that the
// file or we know, and never for what is no failure. Nothing is hard or suppresses but a final
// reply about one address.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "relay/bounce/rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view reply = input.substr(0, end);
    const std::string_view file = input.substr(std::min(end + 1, input.size()));

    relay::BounceReply asked;
    asked.said.text = reply;
    asked.host = reply.substr(reply.size() / 2);
    asked.local = reply.size() % 5 == 0;
    asked.asked = static_cast<relay::Asked>(input.size() % 9);
    asked.recipients = 1 + static_cast<std::uint32_t>(input.size() % 2);
    asked.deferred = input.size() % 7 == 0;
    const bool one_address = asked.local || asked.asked == relay::Asked::rcpt ||
                             (asked.asked == relay::Asked::content && asked.recipients == 1);
    const unsigned first = reply.empty() ? 0U : static_cast<unsigned char>(reply.front());
    asked.said.enhanced = {static_cast<std::uint8_t>(first % 6),
                           static_cast<std::uint16_t>(first % 9),
                           static_cast<std::uint16_t>(size % 30)};

    const auto rules = relay::BounceRules::parse_only({{"file", std::string(file)}});
    if (!rules) {
        PH_ASSERT(!rules.error().empty());
        return 0;
    }
    for (const std::uint16_t code : {std::uint16_t{250}, std::uint16_t{451}, std::uint16_t{550}}) {
        asked.said.code = code;
        const auto verdict = (*rules)->classify(asked);
        const auto again = (*rules)->classify(asked);
        PH_ASSERT(verdict.name == again.name && verdict.kind == again.kind);
        PH_ASSERT(verdict.name.empty() == (code == 250));
        PH_ASSERT(!verdict.suppress || (code == 550 && one_address && !asked.deferred));
        PH_ASSERT(verdict.kind != relay::BounceKind::hard || (one_address && !asked.deferred));
    }
    return 0;
}
