#include "relay/path/dispatcher.h"

#include <utility>
#include <vector>

#include "core/base/assert.h"
#include "core/runtime/slices.h"
#include "relay/path/largest_sites.h"

namespace relay {

Dispatcher::Dispatcher(EgressContext context) : context_(context) {
    context_.log = &log_.emplace(context_.shard.reactor());
    arm(sweep_, context_.shard.now() + kSweepEvery);
}

Dispatcher::~Dispatcher() {
    PH_ASSERT(!sweep_.armed() && !adoption_.armed());
}

void Dispatcher::arm(Walk& walk, core::Instant when) {
    core::TimerSet& timers = context_.shard.reactor().timers();
    if (walk.armed()) timers.disarm(walk);
    timers.arm(walk, when);
}

// False: it was on its way while the paths were closed, and goes home.
bool Dispatcher::accepts(Recipient& recipient) {
    PH_ASSERT(recipient.site != nullptr && recipient.site->home == context_.shard.id());
    if (!closed_) return true;
    context_.metrics.left(metrics::Queue::ready);
    recipient.clear_disposition();
    context_.exchange.to_origin(context_.shard, recipient);
    return false;
}

void Dispatcher::prepared(Recipient& recipient) {
    if (!accepts(recipient)) return;
    auto* const found = paths_.find(recipient.site->facts.path);
    PH_ASSERT(found != nullptr);  // a path is kept while it waits for one
    found->second->prepared(recipient);
}

void Dispatcher::take(Recipient& recipient) {
    if (!accepts(recipient)) return;
    const SiteFacts& site = recipient.site->facts;
    auto& path = paths_.add(site.path).first->second;
    if (path == nullptr) {
        path = std::make_unique<Path>(context_, site);
        const bool outdated = checked_ != nullptr && site.generation < checked_->generation;
        if (outdated) path->adopt(*checked_);
    }
    path->add(recipient);
}

// Another one may come in the middle: it begins with the first path again.
void Dispatcher::use(std::shared_ptr<const CheckedConfig> checked) {
    checked_ = std::move(checked);
    adoption_.stripe = 0;
    adopt(adoption_);
}

void Dispatcher::adopt(Walk& walk) {
    std::vector<Path*> some;  // what they send home may come back by a new path
    while (walk.stripe < Paths::kStripes && some.size() < kAdoptedAtOnce) {
        for (const auto& [key, path] : paths_.stripe(walk.stripe++))
            some.push_back(path.get());
    }
    if (walk.stripe < Paths::kStripes) arm(walk, core::kAtOnce);
    for (Path* path : some)
        path->adopt(*checked_);
}

void Dispatcher::sweep(Walk& walk) {
    const core::Instant now = context_.shard.now();
    const core::Duration keep =
        paths_.size() > context_.options.many_paths ? kForgetSoon : kForgetAfter;
    for (std::size_t seen = 0; walk.stripe < Paths::kStripes && seen < core::kSlice;) {
        seen += 1 + paths_.stripe(walk.stripe).size();
        for (auto& [key, path] : paths_.stripe(walk.stripe)) {
            path->expire_waiting();
            if (context_.largest == nullptr) continue;
            context_.largest->offer(path->site().name, path->take_backlog());
        }
        paths_.erase_if(walk.stripe++, [&](const auto& entry) {
            return entry.second->ready() == 0 && entry.second->unused_since(now - keep);
        });
    }
    if (walk.stripe < Paths::kStripes) return arm(walk, core::kAtOnce);
    walk.stripe = 0;
    if (context_.largest != nullptr) context_.largest->publish();
    arm(walk, now + kSweepEvery);
}

core::Task<void> Dispatcher::close(core::Instant deadline) {
    for (Walk* walk : {&sweep_, &adoption_}) {
        if (walk->armed()) context_.shard.reactor().timers().disarm(*walk);
    }
    closed_ = true;  // from now on: a path that is made while others close would not be closed
    // All paths at once: each has until the same deadline.
    core::TaskGroup closing(context_.shard.reactor());
    core::Slices slices(context_.shard.reactor());
    for (std::size_t i = 0; i < Paths::kStripes; ++i) {
        for (auto& [key, path] : paths_.stripe(i)) {
            if (!path->at_rest()) closing.spawn(path->close(deadline));
            co_await slices.next();
        }
    }
    co_await closing.close();
    for (std::size_t i = 0; i < Paths::kStripes; ++i) {
        paths_.erase_if(i, [](const auto&) { return true; });
        co_await slices.next();
    }
    log_.reset();
}

}  // namespace relay
