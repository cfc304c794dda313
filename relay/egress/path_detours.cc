// The detours of a Path: mail that one host, or one family of addresses, does not take goes once
// more where it may be taken. Everything else of a path is in path.cc.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/log.h"
#include "relay/egress/connection.h"
#include "relay/egress/path.h"
#include "relay/smtp/client_envelope.h"

namespace relay {

namespace {

// Where a refusal by policy may not hold; none for the other kind, that of a missing extension.
std::optional<dns::AddressFamilies> other_family(const Disposition& refusal) {
    if (refusal.host_lacks) return std::nullopt;
    const bool v6 = refusal.peer_address.contains(':');
    return v6 ? dns::AddressFamilies::v4_only : dns::AddressFamilies::v6_only;
}

bool suits(const Detour& detour, const Recipient& recipient) {
    return detour.family == other_family(recipient.disposition());
}

}  // namespace

std::vector<std::string> Path::endpoints() const {
    std::vector<std::string> all;
    for (const NextHop& hop : site_.hops) {
        // Which hosts a service has, the detour finds out.
        all.push_back(hop.service ? hop.host : hop.host + ":" + std::to_string(hop.port));
    }
    for (const dns::MxGroup& group : site_.plan.groups) {
        for (const std::string& host : group.hosts)
            all.push_back(host + ":" + std::to_string(site_.port));
    }
    return all;
}

std::vector<std::string> Path::unfit_hosts(Recipient& recipient) const {
    Delivery probe;
    probe.recipients.push_back(&recipient);
    probe.fill_transaction(context_.shard.wall());
    std::vector<std::string> unfit;
    for (const Offer& offer : offers_) {
        if (context_.shard.now() - offer.when > kBelieveOffersFor) continue;
        if (!adapt(probe.transaction, offer.extensions)) unfit.push_back(offer.endpoint);
    }
    return unfit;
}

bool Path::another_host_may(Recipient& recipient) const {
    const std::vector<std::string> all = endpoints();
    const std::vector<std::string> unfit = unfit_hosts(recipient);
    return std::ranges::any_of(all, [&](const std::string& endpoint) {
        return std::ranges::find(unfit, endpoint) == unfit.end();
    });
}

// SPF, reverse DNS and reputation are those of an address: one family may be refused where the
// other is welcome. Asked once: what the other one says counts, and for a while nobody asks it
// again.
bool Path::another_family_may(const Disposition& refusal, const Connection& connection) {
    const bool by_policy = refusal.outcome == Outcome::bounced && refusal.command == "MAIL" &&
                           !refusal.local && refusal.reply.enhanced.subject == 7;
    if (!by_policy) return false;
    const core::Instant now = context_.shard.now();
    const Detour* made = connection.detour();
    if (made != nullptr && made->family) {
        keep_to_one_family(kBelieveOffersFor, refusal);
        return false;
    }
    const IpLookup lookup = site_.limits.ip_lookup;
    return lookup != IpLookup::v4_only && lookup != IpLookup::v6_only && now >= one_family_until_;
}

void Path::keep_to_one_family(core::Duration span, const Disposition& why) {
    const core::Instant now = context_.shard.now();
    if (one_family_until_ <= now) {
        core::log_info(
            "site {}: mail that policy refuses is not tried over the other family of "
            "addresses for {} min: {} {}",
            site_.name, std::chrono::duration_cast<std::chrono::minutes>(span).count(),
            why.reply.code, core::escaped(why.reply.text));
    }
    one_family_until_ = now + span;
}

Detour Path::detour_of(Recipient& recipient) const {
    const auto family = other_family(recipient.disposition());
    return family ? Detour{.family = family} : Detour{.avoided = unfit_hosts(recipient)};
}

// The refusal stays with it, for the case that nobody else takes it either.
void Path::make_detour(Recipient& recipient, Disposition refusal) {
    recipient.move_to(RecipientState::ready);
    context_.metrics.entered(metrics::Queue::ready);
    recipient.content_held = recipient.content_held || recipient.message->place.holders.try_hold();
    if (!recipient.content_held) return ready_.push_back(recipient);  // it left memory meanwhile
    ++recipient.detours;
    recipient.set_disposition(std::move(refusal));
    detours_.push_back(recipient);
}

// One at a time, within the limits of the path.
void Path::open_detour() {
    if (detouring_ || closing_) return;
    if (connections_.size() >= site_.limits.connection_limit) {
        if (idle_.empty()) return;  // ended() comes
        idle_.back()->retire();
        idle_.pop_back();
        ++woken_;
        return;
    }
    if (!connection_rate_.try_take(context_.shard.now())) {
        context_.metrics.throttled(metrics::Throttle::connection_rate);
        return wake_at(connection_rate_.next_at());
    }
    detouring_ = true;
    auto connection = std::make_unique<Connection>(context_, *this, detour_of(detours_.front()));
    connections_.push_back(connection.get());
    tasks_.spawn(run(std::move(connection)));
}

Path::Taken Path::take_detour(Delivery& delivery, const Allowance& allowance,
                              const Detour& detour) {
    expire_old();
    if (expiring_) return wait_for_expiry();
    if (closing_ || detours_.empty() || !suits(detour, detours_.front())) return Taken::nothing;
    detours_.take_transaction(delivery.recipients, allowance.recipients);
    const auto count = static_cast<std::int64_t>(delivery.recipients.size());
    context_.metrics.left(metrics::Queue::ready, count);
    context_.metrics.entered(metrics::Queue::in_flight, count);
    for (Recipient* recipient : delivery.recipients) {
        recipient->clear_disposition();
        recipient->move_to(RecipientState::in_flight);
    }
    delivery.note = context_.take_in_hand(*delivery.recipients.front()->message);
    return Taken::taken;
}

// What may pass defers them: a host that would take them may be back. A refusal by policy stands:
// that we cannot speak the other family is no reason to wait.
void Path::detour_failed(const Connection& connection, const Disposition& why) {
    const Detour& detour = *connection.detour();
    if (detour.family) {
        // One that cannot be reached now may be there in a minute; a missing route stays missing.
        keep_to_one_family(connection.has_no_route() ? kBelieveOffersFor : kAskFamilyAgain, why);
    }
    const bool defers = !detour.family && why.outcome == Outcome::deferred;
    leaving_.add(detours_, [this, detour, why, defers](Recipient& recipient) {
        if (!suits(detour, recipient)) return detours_.push_back(recipient);
        if (defers) recipient.set_disposition(why);
        send_home(recipient);
    });
}

}  // namespace relay
