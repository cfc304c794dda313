#include "relay/path/ready_queue.h"

#include "core/base/ascii.h"

namespace relay {

void ReadyQueue::take_transaction(std::vector<Recipient*>& taken, std::size_t most) {
    Recipient& first = pop_front();
    taken.push_back(&first);
    if (first.message->verp) return;  // its sender is for it alone
    while (!empty() && taken.size() < most) {
        Recipient& next = front();
        if (next.message != first.message ||
            !core::equals_ignoring_case(next.domain(), first.domain())) {
            return;
        }
        taken.push_back(&pop_front());
    }
}

}  // namespace relay
