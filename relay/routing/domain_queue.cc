#include "relay/routing/domain_queue.h"

#include "core/base/assert.h"

namespace relay {

DomainQueue::~DomainQueue() {
    PH_ASSERT(size_ == 0);
}

DomainQueue::Flows& DomainQueue::flows_of(const Message& message) {
    const auto number = reinterpret_cast<std::uintptr_t>(&message);
    return flows_[(number * 0x9e3779b97f4a7c15U >> 48) % kStripes];
}

void DomainQueue::append(Domain& domain, DomainFlow& flow) {
    domain.flow = &flow;
    flow.domains.push_back(domain);
    ++flow.size;
    ++size_;
}

// One domain of it left.
void DomainQueue::take_from(DomainFlow& flow) {
    --size_;
    if (--flow.size > 0) return;
    core::IntrusiveList<DomainFlow, DomainFlowTag>::remove(flow);
    flows_of(*flow.message).erase(flow.message);
}

void DomainQueue::push(Domain& domain, const Message& message) {
    domain.state = DomainState::queued;
    DomainFlow& flow = flows_of(message)[&message];
    if (flow.size == 0) {
        flow.message = &message;
        turns_.push_back(flow);
    }
    append(domain, flow);
}

void DomainQueue::also_for(Domain& domain, const Message& message) {
    PH_ASSERT(domain.state == DomainState::queued);
    DomainFlow& before = *domain.flow;
    const Flows& flows = flows_of(message);
    const auto found = flows.find(&message);
    const std::size_t ahead = found == flows.end() ? 0 : found->second.size;
    if (before.message == &message || ahead + 1 >= before.size) return;
    core::IntrusiveList<Domain, DomainTag>::remove(domain);
    take_from(before);
    push(domain, message);
}

Domain& DomainQueue::pop() {
    DomainFlow& flow = turns_.pop_front();
    turns_.push_back(flow);  // its turn is over
    Domain& domain = flow.domains.pop_front();
    domain.flow = nullptr;
    take_from(flow);
    return domain;
}

}  // namespace relay
