#include "relay/bounce/classifier.h"

#include <functional>
#include <string_view>
#include <utility>

#include "core/base/assert.h"

namespace relay {

BounceClassifier::BounceClassifier(std::shared_ptr<const BounceRules> rules)
    : rules_(std::move(rules)) {
    PH_ASSERT(rules_ != nullptr);
}

void BounceClassifier::use(std::shared_ptr<const BounceRules> rules) {
    PH_ASSERT(rules != nullptr);
    rules_ = std::move(rules);
    remembered_ = {};
}

BounceVerdict BounceClassifier::classify(const Disposition& disposition) {
    if (disposition.outcome == Outcome::expired && disposition.code == 0) {
        return {"MessageExpired", BounceKind::soft, false, false};
    }
    const std::hash<std::string_view> hash;
    const std::size_t place =
        (hash(disposition.text) ^ hash(disposition.peer_name) ^ disposition.code) % kRemembered;
    Entry& entry = remembered_[place];
    const bool known = entry.code == disposition.code && entry.enhanced == disposition.enhanced &&
                       entry.local == disposition.local && entry.text == disposition.text &&
                       entry.host == disposition.peer_name && entry.code != 0;
    if (!known) {
        ++matched_;
        entry = {disposition.code,
                 disposition.enhanced,
                 disposition.local,
                 disposition.text,
                 disposition.peer_name,
                 rules_->classify({disposition.code, disposition.enhanced, disposition.text,
                                   disposition.peer_name, disposition.local})};
    }
    return entry.verdict;
}

}  // namespace relay
