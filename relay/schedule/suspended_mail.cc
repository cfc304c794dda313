#include "relay/schedule/suspended_mail.h"

#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/runtime/slices.h"

namespace relay {

SuspendedMail::SuspendedMail(core::Reactor& reactor, metrics::ShardMetrics& metrics,
                             std::function<void(Recipient&)> freed)
    : reactor_(reactor), metrics_(metrics), freed_(std::move(freed)) {}

SuspendedMail::~SuspendedMail() {
    PH_ASSERT(size_ == 0 && !alarm_.armed());
}

void SuspendedMail::add(const Order& order, Recipient& recipient) {
    Waiting& waiting = waiting_[order.id];
    waiting.recipients.push_back(recipient);
    ++waiting.size;
    ++size_;
    metrics_.entered(metrics::Queue::scheduled);
    metrics_.orders().suspended.add(1);
}

Recipient& SuspendedMail::take_from(List& list) {
    --size_;
    metrics_.left(metrics::Queue::scheduled);
    metrics_.orders().suspended.subtract(1);
    return list.pop_front();
}

void SuspendedMail::release_all_but(const OrderSet* orders) {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        if (orders != nullptr && orders->contains(at->first)) {
            ++at;
            continue;
        }
        leaving_.splice_back(at->second.recipients);
        at = waiting_.erase(at);
    }
    if (!leaving_.empty() && !alarm_.armed()) reactor_.timers().arm(alarm_, core::kAtOnce);
}

// Whoever is freed may be suspended again, by another order.
void SuspendedMail::free_some() {
    core::SliceCount slice;
    while (!leaving_.empty()) {
        freed_(take_from(leaving_));
        if (slice.full()) break;
    }
    if (!leaving_.empty() && !alarm_.armed()) reactor_.timers().arm(alarm_, core::kAtOnce);
}

std::size_t SuspendedMail::size_of(const std::string& order) const {
    const auto found = waiting_.find(order);
    return found == waiting_.end() ? 0 : found->second.size;
}

// Each goes once from the front to the back of its list, which is in its order again afterwards.
core::Task<void> SuspendedMail::visit_all(
    std::function<void(const std::string&, Recipient&)> visit) {
    std::vector<std::string> ids;
    for (const auto& [id, waiting] : waiting_)
        ids.push_back(id);
    core::Slices slices(reactor_);
    for (const std::string& id : ids) {
        auto found = waiting_.find(id);
        std::size_t left = found == waiting_.end() ? 0 : found->second.size;
        for (; left > 0 && found != waiting_.end(); --left) {
            Recipient& recipient = found->second.recipients.pop_front();
            found->second.recipients.push_back(recipient);
            visit(id, recipient);
            co_await slices.next();
            found = waiting_.find(id);
        }
    }
}

core::Task<void> SuspendedMail::clear() {
    for (auto& [id, waiting] : waiting_)
        leaving_.splice_back(waiting.recipients);
    waiting_.clear();
    if (alarm_.armed()) reactor_.timers().disarm(alarm_);
    core::Slices slices(reactor_);
    while (!leaving_.empty()) {
        take_from(leaving_);
        co_await slices.next();
    }
}

}  // namespace relay
