// Path: what waits for the rates of tenants.
#include <algorithm>

#include "relay/path/path.h"

namespace relay {

namespace {

const Tenant& tenant_of(const Recipient& recipient) {
    return *recipient.message->labels().tenant;
}

}  // namespace

// False: all that waits is of tenants that have used up their rates. What was prepared for one of
// them goes back into the queue, so that it keeps nobody's place.
bool Path::finds_tenant() {
    if (!tenant_rates_.any()) return true;
    for (std::size_t i = 0; i < FairQueue::kMaxPassed; ++i) {
        ReadyQueue* const held = preparation_.first();
        if (held != nullptr && !tenant_rates_.may_go(tenant_of(held->front()))) {
            Recipient& recipient = held->pop_front();
            Preparation::let_go(recipient);
            waiting_.put_back(recipient);
            rest(tenant_of(recipient));
            continue;
        }
        if (waiting_.empty()) return held != nullptr;
        const Tenant& next = tenant_of(waiting_.front());
        if (tenant_rates_.may_go(next)) return true;
        rest(next);
    }
    wake_at(core::kAtOnce);
    return false;
}

// A detour is the same transaction again, and needs none.
void Path::take_permit(const Delivery& delivery) {
    if (tenant_rates_.any()) tenant_rates_.take(tenant_of(*delivery.recipients.front()));
}

void Path::return_unused_permit(const Delivery& delivery) {
    if (!tenant_rates_.any()) return;
    const bool unused = std::ranges::all_of(
        delivery.transaction.results,
        [](const Disposition& result) { return result.outcome == Outcome::none; });
    if (unused) tenant_rates_.put_back(tenant_of(*delivery.recipients.front()));
}

void Path::rest(const Tenant& tenant) {
    waiting_.rest(tenant.id, core::kNever);
    context_.metrics.throttled(metrics::Throttle::tenant_message_rate);
}

std::uint64_t Path::waiting_of(TenantId tenant) {
    return waiting_.waiting_of(tenant);
}

void Path::may_go_again(TenantId tenant) {
    const core::Instant now = context_.shard.now();
    waiting_.rest(tenant, now);
    waiting_.wake(now);
    maintain();
}

}  // namespace relay
