// DomainQueue: the domains that wait to be resolved, in a fair order: messages take turns, and the
// domains of one message keep their order. So a message for one domain waits for one domain of each
// other message, and not for the two hundred thousand of a single one. Owned by the Router, on its
// shard, beside the DomainTable, which owns the domains. Cost per call flat. Limit: the domains of
// the table that are not idle.
#pragma once

#include <array>
#include <cstddef>
#include <unordered_map>

#include "core/base/intrusive_list.h"
#include "relay/routing/domain_table.h"

namespace relay {

struct DomainFlowTag;

// The waiting domains of one message.
struct DomainFlow final : core::ListLink<DomainFlowTag> {
    const Message* message = nullptr;
    core::IntrusiveList<Domain, DomainTag> domains;
    std::size_t size = 0;
};

class DomainQueue {
  public:
    ~DomainQueue();

    // Its state becomes queued.
    void push(Domain& domain, const Message& message);
    // A recipient of this message waits for the queued domain too: it may get an earlier turn.
    void also_for(Domain& domain, const Message& message);
    // The queue must not be empty. The caller sets its state.
    Domain& pop();

    bool empty() { return turns_.empty(); }
    std::size_t size() const { return size_; }

  private:
    // Many small tables, so that none is rehashed at once for millions of messages.
    static constexpr std::size_t kStripes = 256;
    using Flows = std::unordered_map<const Message*, DomainFlow>;

    Flows& flows_of(const Message& message);
    void append(Domain& domain, DomainFlow& flow);
    void take_from(DomainFlow& flow);

    std::array<Flows, kStripes> flows_;
    core::IntrusiveList<DomainFlow, DomainFlowTag> turns_;
    std::size_t size_ = 0;
};

}  // namespace relay
