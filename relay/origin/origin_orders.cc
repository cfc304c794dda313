// Origin: what operators' orders make of mail (relay/control). An order meets mail where it becomes
// due (dispatch), where its site is known (routed) and where it comes home deferred. What waits for
// a time already is walked through, in slices, for a new bounce and for "retry now" only; what is
// ready comes back from its path (Path::obey_orders).
#include <algorithm>
#include <utility>

#include "core/runtime/slices.h"
#include "relay/message/own_disposition.h"
#include "relay/origin/origin.h"
#include "relay/origin/queue_count.h"
#include "relay/routing/mail_facts.h"

namespace relay {

void Origin::use_orders(std::shared_ptr<const OrderSet> orders) {
    if (closing_) return;  // nobody is sent out any more
    const std::shared_ptr<const OrderSet> before =
        std::exchange(orders_, orders->empty() ? nullptr : std::move(orders));
    suspended_.release_all_but(orders_.get());
    if (orders_ == nullptr) return;
    const bool new_bounce = std::ranges::any_of(orders_->all(), [&before](const Order& order) {
        return order.kind == OrderKind::bounce &&
               (before == nullptr || !before->contains(order.id));
    });
    if (!new_bounce) return;
    suspended_.release_all();  // whom it does not match is suspended again
    look_through_scheduled();
}

void Origin::retry_now(Selection selection) {
    if (retries_.size() >= kMaxRetriesWaiting) retries_.erase(retries_.begin());
    retries_.push_back(std::move(selection));
    look_through_scheduled();
}

const Order* Origin::order_for(const Recipient& recipient) const {
    return orders_ == nullptr ? nullptr : orders_->match(facts_of(recipient));
}

// True: an order has it now.
bool Origin::meets_order(Recipient& recipient) {
    const Order* const order = order_for(recipient);
    if (order == nullptr) return false;
    if (order->kind == OrderKind::bounce) {
        bounce_by(*order, recipient);
    } else {
        router_.release(recipient);
        suspended_.add(*order, recipient);
    }
    return true;
}

bool Origin::meets_bounce(Recipient& recipient) {
    const Order* const order = order_for(recipient);
    if (order == nullptr || order->kind != OrderKind::bounce) return false;
    bounce_by(*order, recipient);
    return true;
}

// It counts no attempt, and no rule makes a deferral of it.
void Origin::bounce_by(const Order& order, Recipient& recipient) {
    recipient.set_disposition(bounced_by_operator(order.reason));
    finish(recipient, classifier_.classify(recipient.disposition()));
}

// One walk at a time: what one has aside, another one would not see.
void Origin::look_through_scheduled() {
    look_again_ = true;
    if (!looking_ && !closing_) looking_ = walks_.spawn(keep_looking());
}

core::Task<void> Origin::keep_looking() {
    while (std::exchange(look_again_, false) && !closing_) {
        const std::vector<Selection> retries = std::exchange(retries_, {});
        const std::vector<QueueCount*> counts = std::exchange(counts_, {});
        co_await schedule_.sift([this, &retries, &counts](Recipient& recipient) {
            return closing_ ? Sifted::stop : look_at(recipient, retries, counts);
        });
        for (QueueCount* count : counts)
            count->done();
    }
    looking_ = false;
    for (QueueCount* count : std::exchange(counts_, {}))
        count->done();  // closing: it sees nothing
}

Sifted Origin::look_at(Recipient& recipient, const std::vector<Selection>& retries,
                       const std::vector<QueueCount*>& counts) {
    MailFacts facts = facts_of(recipient, router_.known_site(recipient));
    facts.source = {};  // it is chosen when the mail goes
    const Order* const order = orders_ == nullptr ? nullptr : orders_->match(facts);
    if (order != nullptr && order->kind == OrderKind::bounce) {
        schedule_.give_up(recipient);
        bounce_by(*order, recipient);
        return Sifted::taken;
    }
    for (QueueCount* count : counts)
        count->add(recipient, facts, {});
    const auto matches = [&facts](const Selection& one) { return one.matches(facts); };
    if (std::ranges::none_of(retries, matches)) return Sifted::stays;
    schedule_.give_up(recipient);
    dispatch(recipient);
    return Sifted::taken;
}

}  // namespace relay
