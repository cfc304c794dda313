// Path: what it tells automation, and what automation asks of it (relay/automation).
#include <algorithm>
#include <string>

#include "core/base/ascii.h"
#include "relay/path/path.h"

namespace relay {

// ---- what servers say

// Replies that ended the session come by turned_away(), once for all of it. Recipients that were
// refused by the same words are one reply, too.
void Path::react_to(const Delivery& delivery) {
    const Disposition* last = nullptr;
    for (std::size_t i = 0; i < delivery.recipients.size(); ++i) {
        const Disposition& said = delivery.transaction.results[i];
        const bool refused = said.outcome == Outcome::deferred || said.outcome == Outcome::bounced;
        if (!refused || (said.scope == Scope::session && !said.local)) continue;
        if (last != nullptr && last->reply == said.reply) continue;
        last = &said;
        react(said, delivery.recipients[i]);
    }
}

void Path::turned_away(Worker&, const Disposition& why) {
    react(why, nullptr);
}

// recipient: whose mail it was; null: that of whoever came next.
void Path::react(const Disposition& said, const Recipient* recipient) {
    if (rules_.empty() || gate_.closing()) return;
    const ShapingScope scope = site_.scope();
    ReactionSubject subject{.source = std::string(scope.source),
                            .provider = std::string(scope.provider),
                            .site = site_of(site_.path)};
    if (recipient != nullptr) {
        subject.tenant = recipient->message->labels().tenant->name;
        subject.campaign = recipient->message->labels().campaign;
        subject.domain = core::to_lower(recipient->domain());
    } else if (!site_.table.empty()) {
        subject.domain = site_.table;
    }
    context_.reactions->said(rules_, said, subject);
}

// ---- what it is asked

bool Path::minds_actions() const {
    const ShapingScope scope = site_.scope();
    return acted_on_ || context_.reactions->actions().concerns(scope.source, scope.provider,
                                                               site_of(site_.path));
}

void Path::heed_actions(ShapingLimits& limits) {
    if (context_.reactions == nullptr) return;
    const ShapingScope scope = site_.scope();
    rules_ = context_.reactions->rules_for(scope);
    const ActionSet& actions = context_.reactions->actions();
    ActionSet::Effect effect;
    if (!actions.empty())
        effect = actions.apply(scope.source, scope.provider, site_of(site_.path), limits);
    acted_on_ = effect.any;
    const bool begins = effect.suspended && !gate_.suspended();
    gate_.suspend(effect.suspended);
    if (begins) pool_.retire_all();
}

}  // namespace relay
