#include "relay/bounce/classifier.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "core/base/assert.h"

namespace relay {

namespace {

std::size_t place_of(const BounceReply& reply) {
    const std::hash<std::string_view> hash;
    return hash(reply.said.text) ^ hash(reply.host) ^ reply.said.code;
}

}  // namespace

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
    return {.said = {disposition.reply.code, disposition.reply.enhanced, disposition.words()},
            .host = disposition.peer_name,
            .local = disposition.local,
            .asked = asked_by(disposition.command),
            .recipients = std::min(disposition.recipients, 2U),  // one, or several
            .deferred = disposition.outcome != Outcome::bounced};
}

BounceVerdict BounceClassifier::classify(const Disposition& disposition) {
    if (disposition.outcome == Outcome::delivered) return {};
    if (disposition.outcome == Outcome::expired && disposition.reply.code == 0) {
        return {"MessageExpired", BounceKind::soft, false, false};
    }
    const BounceReply reply = reply_of(disposition);
    Entry& entry = remembered_[place_of(reply) % kRemembered];
    const bool known = view_of(entry.said) == reply.said && entry.asked == reply.asked &&
                       entry.recipients == reply.recipients && entry.local == reply.local &&
                       entry.deferred == reply.deferred && entry.host == reply.host &&
                       entry.said.code != 0;
    if (!known) {
        ++matched_;
        entry = {.said = copy_of(reply.said),
                 .asked = reply.asked,
                 .recipients = reply.recipients,
                 .local = reply.local,
                 .deferred = reply.deferred,
                 .host = std::string(reply.host),
                 .verdict = rules_->classify(reply)};
        // Of a code that is no refusal the rules say nothing.
        if (entry.verdict.name.empty()) entry.verdict = {"Uncategorized", BounceKind::soft};
    }
    return entry.verdict;
}

}  // namespace relay
