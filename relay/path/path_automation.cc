// Path: what it tells automation, and what automation asks of it (relay/automation).
#include <memory>
#include <string>
#include <utility>

#include "core/base/ascii.h"
#include "relay/path/path.h"

namespace relay {

// ---- what servers say

// Replies that ended the session come by turned_away(), once for all of it. Recipients that were
// refused by the same words are one reply, too.
void Path::react_to(const Worker& worker, const Delivery& delivery) {
    const Disposition* last = nullptr;
    for (std::size_t i = 0; i < delivery.recipients.size(); ++i) {
        const Disposition& said = delivery.transaction.results[i];
        if (said.outcome == Outcome::delivered) continue;
        if (said.outcome == Outcome::none || (said.scope == Scope::session && !said.local)) {
            if (left_over_ == nullptr || left_over_->worker != &worker) {
                left_over_ = std::make_unique<LeftOver>(
                    LeftOver{&worker, subject_of(delivery.recipients[i])});
            }
            continue;
        }
        if (last != nullptr && last->reply == said.reply) continue;
        last = &said;
        react(said, subject_of(delivery.recipients[i]));
    }
}

void Path::turned_away(Worker& worker, const Disposition& why) {
    if (rules_.empty()) return;
    const bool known = left_over_ != nullptr && left_over_->worker == &worker;
    react(why, known ? std::move(left_over_->subject) : subject_of(nullptr));
}

// recipient: whose mail it was; null: that of whoever came next.
ReactionSubject Path::subject_of(const Recipient* recipient) const {
    if (rules_.empty()) return {};
    const ShapingScope scope = site_.scope();
    ReactionSubject subject{.source = std::string(scope.source),
                            .provider = std::string(scope.provider),
                            .site = site_of(site_.path)};
    if (recipient != nullptr) {
        const Labels& labels = recipient->message->labels();
        subject.tenant = labels.tenant->name;
        subject.campaign = labels.campaign;
        subject.domain = core::to_lower(recipient->domain());
    } else if (!site_.table.empty()) {
        subject.domain = site_.table;
    }
    return subject;
}

void Path::react(const Disposition& said, ReactionSubject subject) {
    if (rules_.empty() || gate_.closing()) return;
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
