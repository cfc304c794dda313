#include "relay/origin/origin.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/assert.h"
#include "core/runtime/next_turn.h"
#include "core/runtime/slices.h"

namespace relay {

namespace {

constexpr core::Duration kStayHome = std::chrono::hours{1};  // longer than closing takes

// What the router remembers for later takes at most three sixteenths of the memory, so that it
// alone never refuses mail.
RouterParts within(RouterParts parts, std::size_t memory) {
    constexpr std::size_t kFewest = 1000;
    parts.most_sites = std::clamp(memory / 8 / Router::kSiteOctets, kFewest, parts.most_sites);
    parts.most_idle_domains =
        std::clamp(memory / 16 / DomainTable::kDomainOctets, kFewest, parts.most_idle_domains);
    return parts;
}

metrics::Outcome metric_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::delivered:
            return metrics::Outcome::delivered;
        case Outcome::bounced:
            return metrics::Outcome::bounced;
        case Outcome::expired:
            return metrics::Outcome::expired;
        default:
            return metrics::Outcome::deferred;
    }
}

std::size_t number_of(const Message& message) {
    return static_cast<std::size_t>(message.labels().tenant->id);
}

}  // namespace

Origin::Origin(core::Shard& shard, OriginOptions options, const RetrySchedule& intervals,
               TenantTable& tenants, RouterParts router, Exchange& exchange, EventWriter& events,
               metrics::ShardMetrics& metrics, Spool* spool, HeldBack* back)
    : shard_(shard),
      options_(options),
      tenants_(tenants),
      tenant_policies_(router.checked->tenants),
      exchange_(exchange),
      events_(events),
      metrics_(metrics),
      classifier_(router.checked->bounce),
      router_(shard, within(std::move(router), options.memory_limit), *this),
      schedule_(shard, metrics, intervals, [this](Recipient& recipient) { dispatch(recipient); }),
      suspended_(shard.reactor(), metrics, [this](Recipient& recipient) { dispatch(recipient); }),
      spool_(spool),
      store_(shard, metrics, options.memory_limit, spool),
      held_(shard, metrics, back, *this),
      in_hand_(back == nullptr ? nullptr : &back->in_hand(shard.id())),
      came_to_rest_(shard.reactor()),
      preparing_(shard.reactor()),
      walks_(shard.reactor()),
      trials_(shard.reactor()),
      reports_(shard, {options_.hostname, options_.delay_warning}, *this, *this, metrics) {}

Origin::~Origin() {
    PH_ASSERT(messages() == 0);
}

void Origin::use(std::shared_ptr<const CheckedConfig> checked) {
    classifier_.use(checked->bounce);
    tenant_policies_ = checked->tenants;
    router_.use(std::move(checked));
}

std::optional<Refusal> Origin::check(std::size_t octets) const {
    if (draining_) return Refusal::draining;
    if (spool_ != nullptr && spool_->failed()) return Refusal::spool_failed;
    if (spool_ != nullptr && spool_->full()) return Refusal::spool_full;
    if (!store_.has_room(octets + router_.memory() + reports_.memory()))
        return Refusal::memory_full;
    return std::nullopt;
}

core::Task<std::expected<MessageId, Refusal>> Origin::commit(std::unique_ptr<Message> owned) {
    PH_ASSERT(owned != nullptr && !owned->recipients.empty());
    if (accepting_over_ && !owned->ours) {
        drop(std::move(owned));
        co_return std::unexpected(Refusal::draining);
    }
    owned->open_recipients = static_cast<std::uint32_t>(owned->recipients.size());
    ++committing_;
    const bool committed = spool_ == nullptr || co_await spool_->commit(*owned);
    --committing_;
    if (!committed) {
        drop(std::move(owned));
        co_return std::unexpected(spool_->failed() ? Refusal::spool_failed : Refusal::spool_full);
    }
    Message& message = store_.add(std::move(owned));  // freed with its last recipient
    const MessageId id = message.id;

    const EventPeer client{message.injection().client_name, message.injection().client_address};
    const EventResponse accepted{{250, {2, 0, 0}, "OK"}, {}};
    for (std::size_t next = 0; next < message.recipients.size();) {
        if (next > 0) co_await core::NextTurn{shard_.reactor()};
        next = events_.reception_record(message, next, client, accepted);
    }
    if (!message.ours) {
        metrics_.received(message.injection().protocol.starts_with("HTTP")
                              ? metrics::Protocol::http
                              : metrics::Protocol::smtp);
    }
    message.forget_injection();
    // A recipient without a route is final at once: the message must outlive this loop.
    ++message.open_recipients;
    core::Slices slices(shard_.reactor());
    for (const auto& recipient : message.recipients) {
        recipient->move_to(RecipientState::committed);
        recipient->move_to(RecipientState::scheduled);
        dispatch(*recipient);
        co_await slices.next();
    }
    let_go(message);
    co_return id;
}

void Origin::dispatch(Recipient& recipient) {
    if (closing_) {
        return schedule_.add(recipient, kStayHome);
    }
    if (orders_ != nullptr && meets_order(recipient)) return;
    ++on_the_way_;
    held_.sent_out(recipient);
    recipient.detours = 0;
    router_.route(recipient);
}

void Origin::routed(Recipient& recipient) {
    if (order_for(recipient) != nullptr) {
        came_home(recipient);
        meets_order(recipient);
        return;
    }
    recipient.move_to(RecipientState::ready);
    metrics_.entered(metrics::Queue::ready);
    exchange_.to_path(shard_, recipient);
}

void Origin::unroutable(Recipient& recipient) {
    settle(recipient);
}

void Origin::take(Recipient& recipient) {
    PH_ASSERT(recipient.message->origin == shard_.id());
    settle(recipient);
}

void Origin::settle(Recipient& recipient) {
    came_home(recipient);
    if (std::exchange(recipient.content_held, false)) MessageStore::let_go(*recipient.message);
    switch (recipient.disposition().outcome) {
        case Outcome::none:  // the path, or all, closed before it was tried
            if (recipient.state != RecipientState::scheduled) {
                recipient.move_to(RecipientState::scheduled);
            }
            if (recipient.disposition().source_fault != SourceFault::none) {
                router_.source_failed(recipient);
                recipient.clear_disposition();
            }
            router_.release(recipient);
            schedule_.add(recipient, closing_ ? kStayHome : core::Duration::zero());
            break;
        default:
            conclude(recipient);
            break;
    }
}

void Origin::came_home(Recipient& recipient) {
    PH_ASSERT(on_the_way_ > 0);
    if (--on_the_way_ == 0) came_to_rest_.notify_all();
    held_.came_home(recipient);
}

// What a failure means is asked once, here: it decides whether a refusal is tried again, and goes
// with the outcome to whoever tells of it.
void Origin::conclude(Recipient& recipient) {
    if (recipient.disposition().outcome == Outcome::expired) quote_last_reply(recipient);
    const BounceVerdict verdict = classifier_.classify(recipient.disposition());
    switch (recipient.disposition().outcome) {
        case Outcome::deferred:
            return defer(recipient, verdict);
        case Outcome::expired:  // before it was tried
            return finish(recipient, verdict);
        case Outcome::bounced:
            if (!verdict.retry) break;
            recipient.change_outcome(Outcome::deferred);
            return defer(recipient, verdict);
        default:
            break;
    }
    recipient.count_attempt();
    finish(recipient, verdict);
}

std::shared_ptr<const RetryRule> Origin::rule_of(const Recipient& recipient) const {
    // Of the latest configuration, for the site by whose name the domain has a table.
    const ShapingScope scope = recipient.site != nullptr
                                   ? recipient.site->facts.scope()
                                   : ShapingScope{.table = recipient.domain(), .provider = {}};
    std::shared_ptr<const RetryRule> rule = router_.shaping().limits_for(scope).retry;
    const Tenant& tenant = *recipient.message->labels().tenant;
    const TenantPolicy& policy = tenant_policies_->of(tenant.name);
    if (policy.retry_intervals.empty() || (rule != nullptr && !rule->intervals.empty()))
        return rule;
    const core::Duration max_age = rule == nullptr ? core::Duration{} : rule->max_age;
    return std::make_shared<const RetryRule>(policy.retry_intervals, max_age);
}

void Origin::defer(Recipient& recipient, const BounceVerdict& verdict) {
    const bool untried = recipient.disposition().untried;
    if (!untried) recipient.count_attempt();
    const std::shared_ptr<const RetryRule> own_rule = rule_of(recipient);
    const RetryRule* const rule = own_rule.get();
    const Schedule::NextTry next = untried ? schedule_.after_no_try(recipient, rule)
                                           : schedule_.after_deferral(recipient, rule);
    recipient.next_attempt = shard_.wall() + next.delay;
    const std::size_t destination =
        recipient.site != nullptr ? recipient.site->facts.destination : 0;
    tell_outcome(recipient, verdict);
    metrics_.delivery(destination, metrics::Outcome::deferred);
    metrics_.tenants().count(number_of(*recipient.message), metrics::Outcome::deferred);
    if (next.too_late) {
        recipient.change_outcome(Outcome::expired);
        return finish(recipient, verdict);
    }
    reports_.deferred(recipient, schedule_.end_of(*recipient.message, rule));
    replies_.release(std::exchange(recipient.last_reply, replies_.keep(recipient.disposition())));
    recipient.clear_disposition();
    note(recipient, Outcome::deferred);
    store_.deferred(*recipient.message);
    // Without a route it never left that state.
    if (recipient.state != RecipientState::scheduled) recipient.move_to(RecipientState::scheduled);
    if (orders_ != nullptr && meets_bounce(recipient)) return;
    router_.release(recipient);
    schedule_.add(recipient, next.delay);
}

void Origin::quote_last_reply(Recipient& recipient) {
    if (recipient.last_reply == nullptr) return;
    Disposition quoted = recipient.disposition();
    quoted.quote(*recipient.last_reply);
    recipient.set_disposition(std::move(quoted));
}

void Origin::finish(Recipient& recipient, const BounceVerdict& verdict) {
    recipient.move_to(RecipientState::final);
    const Site* site = recipient.site;
    const DeliveryReports::Tells tells = reports_.ended(recipient);
    if (tells == DeliveryReports::Tells::nothing) {
        record(recipient, recipient.disposition().outcome);
    }
    if (tells != DeliveryReports::Tells::failure ||
        recipient.message->bounces != BouncePolicy::mail) {
        tell_outcome(recipient, verdict);
    }
    metrics_.delivery(site != nullptr ? site->facts.destination : metrics::kOtherDestination,
                      metric_of(recipient.disposition().outcome));
    Message& message = *recipient.message;
    metrics_.tenants().count(number_of(message), metric_of(recipient.disposition().outcome));
    metrics_.finished(shard_.wall() - message.created);
    router_.release(recipient);
    replies_.release(std::exchange(recipient.last_reply, nullptr));
    recipient.clear_disposition();
    let_go(message);
}

void Origin::tell_outcome(const Recipient& recipient, const BounceVerdict& verdict) {
    const SiteFacts* const facts = recipient.site == nullptr ? nullptr : &recipient.site->facts;
    EventEgress egress{.pool = router_.pool_used(recipient).name};
    if (facts != nullptr) egress.source = router_.egress().name_of(facts->path.source);
    events_.outcome(recipient, facts == nullptr ? std::string_view{} : facts->name, verdict,
                    egress);
}

void Origin::record(Recipient& recipient, Outcome outcome) {
    recipient.settled = true;
    note(recipient, outcome);
}

void Origin::let_go(Message& message) {
    PH_ASSERT(message.open_recipients > 0);
    if (--message.open_recipients == 0) return free_message(message);
    if (message.open_recipients == 1) reports_.message_ends(message);
}

// While the spool is copying it forward it stays, and free_moved() comes.
void Origin::free_message(Message& message) {
    auto owned = store_.take_out(message);
    if (owned == nullptr) return;
    held_.gone(*owned);
    store_.free(std::move(owned));
}

void Origin::start_closing() {
    closing_ = true;
    held_.stop();
    router_.stop_waiting();
}

core::Task<bool> Origin::settled(core::Instant deadline) {
    while (on_the_way_ > 0) {
        if (!co_await came_to_rest_.wait(deadline) && on_the_way_ > 0) co_return false;
    }
    co_return true;
}

core::Task<void> Origin::end_reports() {
    draining_ = closing_ = true;
    co_await reports_.close();
}

core::Task<std::size_t> Origin::close() {
    PH_ASSERT(closing_);
    held_.stop();
    co_await trials_.close();
    held_.forget_all();
    co_await preparing_.close();
    co_await walks_.close();
    co_await router_.close();
    co_await suspended_.clear();  // whom it frees goes to the schedule
    co_await schedule_.clear();
    std::size_t left = 0;
    core::Slices slices(shard_.reactor());
    while (Message* message = store_.any()) {
        left += message->open_recipients;
        for (const auto& recipient : message->recipients) {
            router_.release(*recipient);
            replies_.release(std::exchange(recipient->last_reply, nullptr));
            co_await slices.next();
        }
        auto owned = store_.take_out(*message);
        if (owned != nullptr) co_await store_.free_in_slices(std::move(owned));
        co_await slices.next();
    }
    co_await store_.close();
    co_return left;
}

}  // namespace relay
