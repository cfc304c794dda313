#include "relay/egress/dispatcher.h"

#include <utility>
#include <vector>

#include "core/base/assert.h"

namespace relay {

Dispatcher::Dispatcher(EgressContext context) : context_(context), sweep_(*this) {
    context_.shard.reactor().timers().arm(sweep_, context_.shard.now() + kSweepEvery);
}

Dispatcher::~Dispatcher() {
    PH_ASSERT(!sweep_.armed());
}

void Dispatcher::take(Recipient& recipient) {
    PH_ASSERT(recipient.site != nullptr && recipient.site->home == context_.shard.id());
    if (closed_) {  // on its way while the paths were closed
        context_.metrics.left(metrics::Queue::ready);
        recipient.clear_disposition();
        return context_.exchange.to_origin(context_.shard, recipient);
    }
    const SiteFacts& site = recipient.site->facts;
    auto& path = paths_[site.name];
    if (path == nullptr) {
        path = std::make_unique<Path>(context_, site);
        const bool outdated = checked_ != nullptr && site.generation < checked_->generation;
        if (outdated) path->adopt(*checked_);
    }
    path->add(recipient);
}

void Dispatcher::use(std::shared_ptr<const CheckedConfig> checked) {
    checked_ = std::move(checked);
    std::vector<Path*> all;  // what they send home may come back by a new path
    all.reserve(paths_.size());
    for (const auto& [name, path] : paths_)
        all.push_back(path.get());
    for (Path* path : all)
        path->adopt(*checked_);
}

Path* Dispatcher::find(const std::string& site) {
    const auto found = paths_.find(site);
    return found == paths_.end() ? nullptr : found->second.get();
}

void Dispatcher::sweep() {
    const core::Instant now = context_.shard.now();
    const core::Duration keep =
        paths_.size() > context_.options.many_paths ? kForgetSoon : kForgetAfter;
    std::erase_if(paths_, [&](const auto& entry) {
        return entry.second->ready() == 0 && entry.second->unused_since(now - keep);
    });
    context_.shard.reactor().timers().arm(sweep_, now + kSweepEvery);
}

core::Task<void> Dispatcher::close(core::Instant deadline) {
    if (sweep_.armed()) context_.shard.reactor().timers().disarm(sweep_);
    closed_ = true;  // from now on: a path that is made while others close would not be closed
    // All paths at once: each has until the same deadline.
    core::TaskGroup closing(context_.shard.reactor());
    for (auto& [name, path] : paths_)
        closing.spawn(path->close(deadline));
    co_await closing.close();
    paths_.clear();
}

}  // namespace relay
