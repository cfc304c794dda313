// The recipients of a Path: how they come, which go next, what becomes of each.
#include <algorithm>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "core/runtime/slices.h"
#include "relay/message/own_disposition.h"
#include "relay/path/path.h"
#include "relay/routing/mail_facts.h"

namespace relay {

void Path::add(Recipient& recipient) {
    last_used_ = context_.shard.now();
    recipient.lane = static_cast<std::uint8_t>(context_.shard.id());
    if (gate_.closing() || is_stopped(recipient)) return send_home_untried(recipient);
    const SiteFacts& latest = recipient.site->facts;
    if (latest.fingerprint != site_.fingerprint) {  // the MX records changed, the set did not
        site_.plan = latest.plan;
        site_.fingerprint = latest.fingerprint;
    }
    waiting_.add(recipient);
    maintain();
}

void Path::prepared(Recipient& recipient) {
    if (gate_.closing() || is_stopped(recipient)) {
        preparation_.failed(recipient);
        send_home_untried(recipient);
        return maintain();
    }
    if (recipient.content_held) {
        preparation_.prepared(recipient);
    } else {
        preparation_.failed(recipient);
        send_home(recipient);
    }
    maintain();
}

// ---- into a transaction

Path::Taken Path::take_work(Worker& worker, Delivery& delivery, const Allowance& allowance) {
    if (gate_.closing()) return Taken::nothing;
    expire_old();
    if (!passes(gate_.pass())) return Taken::nothing;
    if (worker.detour() == nullptr) return take_waiting(delivery, allowance);
    if (!detours_.take(*worker.detour(), delivery.recipients, allowance.recipients)) {
        return Taken::nothing;
    }
    begin(delivery);
    return Taken::taken;
}

Path::Taken Path::take_waiting(Delivery& delivery, const Allowance& allowance) {
    if (!finds_tenant()) return Taken::nothing;  // contents of others are not wanted yet
    preparation_.begin_ahead(waiting_, [this](Recipient& recipient) {
        context_.exchange.to_prepare(context_.shard, recipient);
    });
    if (!finds_tenant()) return Taken::nothing;
    ReadyQueue* const held = preparation_.first();
    const bool waits = !waiting_.empty() &&
                       (held == nullptr || preparation_.passes(waiting_.front(), *held)) &&
                       Preparation::hold(waiting_.front());
    if (held == nullptr && !waits) return Taken::nothing;
    const Recipient& next = waits ? waiting_.front() : held->front();
    const auto same = [&next](const std::string& domain) {
        return core::equals_ignoring_case(domain, next.domain());
    };
    if (allowance.domains != nullptr && std::ranges::none_of(*allowance.domains, same)) {
        return Taken::other_domain;
    }
    if (!passes(may_begin())) return Taken::nothing;
    if (waits) {
        waiting_.take_transaction(delivery.recipients, allowance.recipients);
    } else {
        held->take_transaction(delivery.recipients, allowance.recipients);
    }
    preparation_.note(waits && held != nullptr);
    take_permit(delivery);
    begin(delivery);
    return Taken::taken;
}

void Path::begin(Delivery& delivery) {
    const auto count = static_cast<std::int64_t>(delivery.recipients.size());
    context_.metrics.left(metrics::Queue::ready, count);
    context_.metrics.entered(metrics::Queue::in_flight, count);
    context_.metrics.transactions().add();
    for (Recipient* recipient : delivery.recipients)
        recipient->move_to(RecipientState::in_flight);
    const Message& message = *delivery.recipients.front()->message;
    delivery.expires = end_of(message);
    delivery.begun = context_.shard.now();
    delivery.note = context_.take_in_hand(message);
}

// ---- and out of it

void Path::settle(Worker& worker, Delivery& delivery) {
    const auto count = static_cast<std::int64_t>(delivery.recipients.size());
    context_.metrics.left(metrics::Queue::in_flight, count);
    const bool reached =
        std::ranges::any_of(delivery.transaction.results, [](const Disposition& result) {
            return result.outcome != Outcome::none && result.scope != Scope::session;
        });
    if (reached) note_completed(delivery);
    if (worker.detour() == nullptr) return_unused_permit(delivery);
    if (!rules_.empty()) react_to(worker, delivery);
    for (std::size_t i = delivery.recipients.size(); i-- > 0;) {  // back to front keeps the order
        if (delivery.transaction.results[i].outcome == Outcome::none) {
            put_back(*delivery.recipients[i]);
        }
    }
    // Front to back: a greylist wants to see the same first recipient again (RFC 6647 section 5).
    for (std::size_t i = 0; i < delivery.recipients.size(); ++i) {
        Disposition& result = delivery.transaction.results[i];
        if (result.outcome == Outcome::none) continue;
        finish(*delivery.recipients[i], std::move(result), worker.detour());
    }
    delivery.recipients.clear();
    delivery.note = {};
    if (reached) gate_.outage().worked(context_.shard.now());
    open_detour();
}

void Path::finish(Recipient& recipient, Disposition result, const Detour* made) {
    if (!gate_.closing() && detours_.may_help(recipient, result, made, moment())) {
        return make_detour(recipient, std::move(result));
    }
    if (result.outcome == Outcome::deferred) ++deferred_;
    recipient.set_disposition(std::move(result));
    log_outcome(recipient);
    context_.exchange.to_origin(context_.shard, recipient);
}

void Path::put_back(Recipient& recipient) {
    recipient.move_to(RecipientState::ready);
    context_.metrics.entered(metrics::Queue::ready);
    if (is_stopped(recipient)) return send_home_untried(recipient);
    Preparation::let_go(recipient);
    waiting_.put_back(recipient);
}

void Path::make_detour(Recipient& recipient, Disposition refusal) {
    recipient.move_to(RecipientState::ready);
    context_.metrics.entered(metrics::Queue::ready);
    if (!Preparation::hold(recipient)) return waiting_.add(recipient);  // it left memory meanwhile
    detours_.add(recipient, std::move(refusal));
}

// ---- whom an order stops

bool Path::is_stopped(const Recipient& recipient) const {
    return context_.orders != nullptr && context_.orders->match(facts_of(recipient)) != nullptr;
}

// All that waits is asked once; whoever goes on keeps its place among the others.
void Path::obey_orders() {
    if (gate_.closing() || context_.orders == nullptr) return;
    ReadyQueue waiting;
    preparation_.for_each_queue([&waiting](ReadyQueue& queue) { waiting.splice_back(queue); });
    waiting_.give_up(waiting);
    leaving_.add(waiting, [this](Recipient& recipient) {
        if (is_stopped(recipient)) return send_home_untried(recipient);
        waiting_.add(recipient);
        if (waiting_.size() == 1) maintain();
    });
}

void Path::detour_failed(const Detour& detour, const NotOpened& end) {
    const bool defers = detours_.failed(detour, end.why, end.no_route, context_.shard.now());
    leaving_.add(detours_.queue(), [this, detour, why = end.why, defers](Recipient& recipient) {
        if (!Detours::suits(detour, recipient)) return detours_.add_again(recipient);
        if (defers) recipient.set_disposition(why);
        send_home(recipient);
    });
}

// What an operator asks first: why mail of this site waits or came back.
void Path::log_outcome(const Recipient& recipient) const {
    const Disposition& result = recipient.disposition();
    if (result.outcome != Outcome::deferred && result.outcome != Outcome::bounced) return;
    const bool deferred = result.outcome == Outcome::deferred;
    context_.log->note(core::LogLevel::kInfo, deferred ? "mail is deferred" : "mail is refused",
                       site_.name,
                       fmt::format("{} [{}] to {}: {} {}", result.peer_name, result.peer_address,
                                   result.command, result.reply.code, result.reply.text));
}

// ---- whose time is over

void Path::expire_old() {
    const core::WallTime now = context_.shard.wall();
    const core::Duration age = max_age();
    const auto is_over = [now, age](const Message& message) {
        return now - message.created >= age || message.expires_by(now);
    };
    const auto leave = [this](Recipient& recipient) {
        recipient.set_disposition(message_expired());  // the origin quotes the last reply
        send_home(recipient);
    };
    core::SliceCount slice;
    bool prepared = true;
    preparation_.for_each_queue(
        [&](ReadyQueue& queue) { prepared = prepared && queue.expire(is_over, leave, slice); });
    const bool waiting = waiting_.expire(is_over, leave, slice);
    const bool detours = detours_.queue().expire(is_over, leave, slice);
    gate_.expire(!prepared || !waiting || !detours);
}

void Path::expire_waiting() {
    waiting_.begin_sweep();
    expire_old();
    passes(gate_.pass());
}

core::Duration Path::max_age() const {
    const RetryRule* rule = site_.limits.retry.get();
    return rule != nullptr && rule->max_age > core::Duration{} ? rule->max_age
                                                               : context_.options.max_age;
}

core::WallTime Path::end_of(const Message& message) const {
    core::WallTime end = message.created + max_age();
    if (message.expires() != core::WallTime{}) end = std::min(end, message.expires());
    const DeliverBy& by = message.deliver_by();
    if (by.expires(by.deadline)) end = std::min(end, by.deadline);
    return end;
}

// ---- home

void Path::send_home_untried(Recipient& recipient) {
    recipient.clear_disposition();
    send_home(recipient);
}

void Path::send_home(Recipient& recipient) {
    context_.metrics.left(metrics::Queue::ready);
    context_.exchange.to_origin(context_.shard, recipient);
}

void Path::send_all_home(const Disposition& why) {
    ReadyQueue waiting;
    preparation_.for_each_queue([&waiting](ReadyQueue& queue) { waiting.splice_back(queue); });
    waiting_.give_up(waiting);
    for (ReadyQueue* queue : {&waiting, &detours_.queue()}) {
        if (why.outcome == Outcome::deferred) deferred_ += queue->size();
        leaving_.add(*queue, [this, why](Recipient& recipient) {
            recipient.set_disposition(why);
            send_home(recipient);
        });
    }
}

std::vector<std::string> Path::waiting_domains() {
    std::vector<std::string> domains;
    std::size_t looked = 0;
    const auto look = [&](Recipient& recipient) {
        ++looked;
        const std::string_view domain = recipient.domain();
        const bool known = !domains.empty() && core::equals_ignoring_case(domains.back(), domain);
        if (known || domains.size() >= kMaxWaitingDomains) return;
        const auto same = [domain](const std::string& one) {
            return core::equals_ignoring_case(one, domain);
        };
        if (std::ranges::none_of(domains, same)) domains.emplace_back(domain);
    };
    preparation_.for_each_queue(
        [&](ReadyQueue& queue) { queue.for_each_of_first(kMaxLookedThrough - looked, look); });
    waiting_.for_each_of_first(kMaxLookedThrough - looked, look);
    detours_.queue().for_each_of_first(kMaxLookedThrough - looked, look);
    return domains;
}

}  // namespace relay
