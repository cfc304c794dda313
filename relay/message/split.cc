#include "relay/message/split.h"

#include <iterator>

#include "core/base/assert.h"

namespace relay {

void split_off(Message& whole, Message& part, std::size_t recipients) {
    PH_ASSERT(recipients > 0 && recipients < whole.recipients.size());
    PH_ASSERT(part.recipients.empty() && part.origin == whole.origin);
    const auto first = whole.recipients.end() - static_cast<std::ptrdiff_t>(recipients);
    part.recipients.assign(std::make_move_iterator(first),
                           std::make_move_iterator(whole.recipients.end()));
    whole.recipients.erase(first, whole.recipients.end());
    for (const auto& recipient : part.recipients)
        recipient->message = &part;
    part.created = whole.created;
    part.sender = std::string_view(whole.sender);
    part.content = whole.content.share();
    part.eight_bit = whole.eight_bit;
    part.utf8 = whole.utf8;
    part.bounces = whole.bounces;
    part.tls = whole.tls;
    part.verp = whole.verp;
    part.priority = whole.priority;
    part.take_extras_of(whole);
}

}  // namespace relay
