#include "relay/bounce/classifier.h"

#include <algorithm>
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

BounceReply BounceClassifier::reply_of(const Disposition& disposition) {
    return {.code = disposition.code,
            .enhanced = disposition.enhanced,
            .text = disposition.words(),
            .host = disposition.peer_name,
            .local = disposition.local,
            .asked = asked_by(disposition.command),
            .recipients = std::min(disposition.recipients, 2U),  // one, or several
            .deferred = disposition.outcome != Outcome::bounced};
}

BounceVerdict BounceClassifier::classify(const Disposition& disposition) {
    if (disposition.outcome == Outcome::expired && disposition.code == 0) {
        return {"MessageExpired", BounceKind::soft, false, false};
    }
    const BounceReply reply = reply_of(disposition);
    const std::hash<std::string_view> hash;
    const std::size_t place = (hash(reply.text) ^ hash(reply.host) ^ reply.code) % kRemembered;
    Entry& entry = remembered_[place];
    const bool known = entry.code == reply.code && entry.enhanced == reply.enhanced &&
                       entry.asked == reply.asked && entry.recipients == reply.recipients &&
                       entry.local == reply.local && entry.deferred == reply.deferred &&
                       entry.text == reply.text && entry.host == reply.host && entry.code != 0;
    if (!known) {
        ++matched_;
        entry = {.code = reply.code,
                 .enhanced = reply.enhanced,
                 .asked = reply.asked,
                 .recipients = reply.recipients,
                 .local = reply.local,
                 .deferred = reply.deferred,
                 .text = std::string(reply.text),
                 .host = std::string(reply.host),
                 .verdict = rules_->classify(reply)};
        // Of a code that is no refusal the rules say nothing.
        if (entry.verdict.name.empty()) entry.verdict = {"Uncategorized", BounceKind::soft};
    }
    return entry.verdict;
}

}  // namespace relay
