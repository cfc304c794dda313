#include "relay/routing/source_choice.h"

namespace relay {

std::uint64_t SourceChoice::key_of(const Recipient& recipient, const Site& site) {
    const Message& message = *recipient.message;
    const std::uint64_t group =
        message.recipients.size() <= kTogether ? 0 : recipient.index / kTogether;
    std::uint64_t key = message.id.high * 0x9e3779b97f4a7c15U ^ message.id.low;
    key = (key ^ key >> 29) * 0xbf58476d1ce4e5b9U + group;
    return (key ^ key >> 32) * 0x94d049bb133111ebU ^ PathKeyHash {}(site.facts.path);
}

bool SourceChoice::rests(SourceId source, core::Instant now) const {
    const auto number = static_cast<std::size_t>(source);
    return number < rest_until_.size() && rest_until_[number] > now;
}

bool SourceChoice::rest(SourceId source, core::Instant now) {
    const auto number = static_cast<std::size_t>(source);
    if (number >= rest_until_.size()) rest_until_.resize(number + 1);
    const bool rested = rest_until_[number] > now;
    rest_until_[number] = now + kRest;
    return !rested;
}

}  // namespace relay
