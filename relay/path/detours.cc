#include "relay/path/detours.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/log.h"
#include "relay/delivery/delivery.h"
#include "relay/smtp/client_envelope.h"

namespace relay {

namespace {

// Where a refusal by policy may not hold; none for the other kind, that of a missing extension.
std::optional<dns::AddressFamilies> other_family(const Disposition& refusal) {
    if (refusal.host_lacks) return std::nullopt;
    const bool v6 = refusal.peer_address.contains(':');
    return v6 ? dns::AddressFamilies::v4_only : dns::AddressFamilies::v6_only;
}

}  // namespace

void Detours::note_offer(const std::string& endpoint, const Extensions& offered,
                         core::Instant now) {
    std::erase_if(offers_, [&](const Offer& one) { return one.endpoint == endpoint; });
    if (offers_.size() >= dns::kMaxMxHosts) offers_.erase(offers_.begin());
    offers_.push_back({endpoint, offered, now});
}

bool Detours::may_help(Recipient& recipient, const Disposition& refusal, const Detour* made,
                       Moment moment) {
    const bool elsewhere = refusal.host_lacks ? another_host_may(recipient, moment)
                                              : another_family_may(refusal, made, moment.now);
    return elsewhere && recipient.detours < kMaxDetours;
}

std::vector<std::string> Detours::endpoints() const {
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

std::vector<std::string> Detours::unfit_hosts(Recipient& recipient, Moment moment) const {
    Delivery probe;
    probe.recipients.push_back(&recipient);
    probe.fill_transaction(moment.wall);
    std::vector<std::string> unfit;
    for (const Offer& offer : offers_) {
        if (moment.now - offer.when > kBelieveOffersFor) continue;
        if (!adapt(probe.transaction, offer.extensions)) unfit.push_back(offer.endpoint);
    }
    return unfit;
}

bool Detours::another_host_may(Recipient& recipient, Moment moment) const {
    const std::vector<std::string> all = endpoints();
    const std::vector<std::string> unfit = unfit_hosts(recipient, moment);
    return std::ranges::any_of(all, [&](const std::string& endpoint) {
        return std::ranges::find(unfit, endpoint) == unfit.end();
    });
}

// SPF, reverse DNS and reputation are those of an address: one family may be refused where the
// other is welcome. Asked once: what the other one says counts, and for a while nobody asks it
// again.
bool Detours::another_family_may(const Disposition& refusal, const Detour* made,
                                 core::Instant now) {
    const bool by_policy = refusal.outcome == Outcome::bounced && refusal.command == "MAIL" &&
                           !refusal.local && refusal.reply.enhanced.subject == 7;
    if (!by_policy) return false;
    if (made != nullptr && made->family) {
        keep_to_one_family(kBelieveOffersFor, refusal, now);
        return false;
    }
    const IpLookup lookup = site_.limits.ip_lookup;
    return lookup != IpLookup::v4_only && lookup != IpLookup::v6_only && now >= one_family_until_;
}

void Detours::keep_to_one_family(core::Duration span, const Disposition& why, core::Instant now) {
    if (one_family_until_ <= now) {
        core::log_info(
            "site {}: mail that policy refuses is not tried over the other family of "
            "addresses for {} min: {} {}",
            site_.name, std::chrono::duration_cast<std::chrono::minutes>(span).count(),
            why.reply.code, core::escaped(why.reply.text));
    }
    one_family_until_ = now + span;
}

void Detours::add(Recipient& recipient, Disposition refusal) {
    PH_ASSERT(recipient.content_held);
    ++recipient.detours;
    recipient.set_disposition(std::move(refusal));
    waiting_.push_back(recipient);
}

Detour Detours::begin(Moment moment) {
    PH_ASSERT(wants_connection());
    connection_ = Connection::there;
    Recipient& first = waiting_.front();
    const auto family = other_family(first.disposition());
    return family ? Detour{.family = family} : Detour{.avoided = unfit_hosts(first, moment)};
}

bool Detours::suits(const Detour& detour, const Recipient& recipient) {
    return detour.family == other_family(recipient.disposition());
}

bool Detours::take(const Detour& detour, std::vector<Recipient*>& taken, std::size_t most) {
    if (waiting_.empty() || !suits(detour, waiting_.front())) return false;
    waiting_.take_transaction(taken, most);
    for (Recipient* recipient : taken)
        recipient->clear_disposition();
    return true;
}

// What may pass defers them: a host that would take them may be back. A refusal by policy stands:
// that we cannot speak the other family is no reason to wait.
bool Detours::failed(const Detour& detour, const Disposition& why, bool no_route,
                     core::Instant now) {
    if (!detour.family) return why.outcome == Outcome::deferred;
    // One that cannot be reached now may be there in a minute; a missing route stays missing.
    keep_to_one_family(no_route ? kBelieveOffersFor : kAskFamilyAgain, why, now);
    return false;
}

}  // namespace relay
