#include "relay/path/ready_walk.h"

#include <utility>

#include "core/base/assert.h"
#include "core/runtime/slices.h"

namespace relay {

ReadyWalk::~ReadyWalk() {
    PH_ASSERT(size_ == 0);
}

void ReadyWalk::add(ReadyQueue& queue, Each each) {
    if (queue.size() <= core::kSlice && empty()) {
        // Only these: what `each` puts back is not met again.
        for (std::size_t left = queue.size(); left > 0; --left)
            each(queue.pop_front());
        return;
    }
    if (queue.empty()) return;
    Batch& batch = batches_.emplace_back();
    batch.each = std::move(each);
    batch.queue.splice_back(queue);
    size_ += batch.queue.size();
    if (!armed()) reactor_.timers().arm(*this, core::kAtOnce);
}

void ReadyWalk::handle_all(const Each& each) {
    for (Batch& batch : batches_)
        batch.each = each;
}

void ReadyWalk::expire() {
    core::SliceCount slice;
    while (!batches_.empty()) {
        Batch& batch = batches_.front();
        if (batch.queue.empty()) {
            batches_.pop_front();
            continue;
        }
        --size_;
        batch.each(batch.queue.pop_front());
        if (slice.full()) break;
    }
    if (!empty()) return reactor_.timers().arm(*this, core::kAtOnce);
    batches_.clear();
    done_();
}

core::Task<void> ReadyWalk::finish() {
    if (armed()) reactor_.timers().disarm(*this);
    core::Slices slices(reactor_);
    while (!batches_.empty()) {
        Batch& batch = batches_.front();
        while (!batch.queue.empty()) {
            --size_;
            batch.each(batch.queue.pop_front());
            co_await slices.next();
        }
        batches_.pop_front();
    }
}

}  // namespace relay
