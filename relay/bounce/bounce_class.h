// The classes of bounces, by KumoMTA's names, and what a class means to whoever keeps a list of
// addresses: hard, soft or block, and whether the address should be suppressed. Pure values. A
// rules file may add classes of its own; they stand after the predefined ones.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay {

enum class BounceKind : std::uint8_t {
    hard,   // the address will not work again
    soft,   // it may work another time
    block,  // the receiver minds us, the sender or the content, not the address
};
std::string_view to_string(BounceKind kind);

// What a class says when the reply is permanent. Whatever is transient is soft, unless it is a
// block.
enum class BounceNature : std::uint8_t { address, passing, block, unknown };

struct BounceClassFacts {
    std::string_view name;
    BounceNature nature = BounceNature::unknown;
    bool suppress = false;  // after a permanent reply
};

inline constexpr std::array<BounceClassFacts, 29> kBounceClasses = {{
    {"Uncategorized", BounceNature::unknown, false},
    {"InvalidRecipient", BounceNature::address, true},
    {"BadDomain", BounceNature::address, true},
    {"InactiveMailbox", BounceNature::address, true},
    {"InvalidSender", BounceNature::block, false},
    {"SpamBlock", BounceNature::block, false},
    {"SpamContent", BounceNature::block, false},
    {"SpamRelated", BounceNature::block, false},
    {"VirusRelated", BounceNature::block, false},
    {"ProhibitedAttachment", BounceNature::block, false},
    {"ContentRelated", BounceNature::block, false},
    {"PolicyRelated", BounceNature::block, false},
    {"AuthenticationFailed", BounceNature::block, false},
    {"RelayDenied", BounceNature::block, false},
    {"RelayingIssues", BounceNature::block, false},
    {"ChallengeResponse", BounceNature::block, false},
    {"QuotaIssues", BounceNature::passing, false},
    {"TransientFailure", BounceNature::passing, false},
    {"TooManyRecipients", BounceNature::passing, false},
    {"BadConnection", BounceNature::passing, false},
    {"NoAnswerFromHost", BounceNature::passing, false},
    {"DNSFailure", BounceNature::passing, false},
    {"MessageExpired", BounceNature::passing, false},
    {"AutoReply", BounceNature::passing, false},
    {"Subscribe", BounceNature::passing, false},
    {"Unsubscribe", BounceNature::passing, false},
    {"RoutingErrors", BounceNature::unknown, false},
    {"ProtocolErrors", BounceNature::unknown, false},
    {"BadConfiguration", BounceNature::unknown, false},
}};

}  // namespace relay
