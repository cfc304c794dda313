#include "relay/node/delivery_side.h"

#include <utility>

namespace relay {

namespace {

const core::TlsRoots* roots_of(const CheckedConfig& checked) {
    return checked.tls_roots ? &*checked.tls_roots : nullptr;
}

}  // namespace

DeliverySide::DeliverySide(core::Shard& shard, metrics::ShardMetrics& metrics, DeliveryParts parts)
    : stop_(shard.reactor()),
      tasks_(shard.reactor()),
      tls_(shard, roots_of(*parts.checked)),
      hosts_(parts.options.pauses()),
      sessions_(parts.counted_by == nullptr
                    ? nullptr
                    : std::make_unique<SessionCounts>(shard, *parts.counted_by)),
      keeper_(parts.automation && shard.id() == 0
                  ? std::make_unique<ActionKeeper>(shard, metrics, *parts.automation)
                  : nullptr),
      reactions_(parts.automation ? std::make_unique<Reactions>(shard, parts.automation->shards,
                                                                parts.checked->automation)
                                  : nullptr),
      dispatcher_(EgressContext{.shard = shard,
                                .options = parts.options,
                                .resolver = parts.resolver,
                                .rules = parts.rules,
                                .route_rules = parts.route_rules,
                                .exchange = parts.exchange,
                                .metrics = metrics,
                                .tls = tls_,
                                .hosts = hosts_,
                                .sessions = sessions_.get(),
                                .in_hand = parts.in_hand,
                                .largest = parts.largest,
                                .tenants = parts.checked->tenants,
                                .reactions = reactions_.get(),
                                .learned = parts.learned ? &parts.learned->first : nullptr}) {
    dispatcher_.begin_with(parts.checked);
    if (!parts.learned) return;
    parts.learned->shards.dispatchers[shard.id()] = &dispatcher_;
    parts.learned->first.each_cap(shard.wall(),
                                  [&](const std::string& host, const LearnedCap& cap) {
                                      hosts_.habits(host).cap.restore(cap, shard.now());
                                  });
    if (shard.id() == 0 && parts.learned->disk != nullptr)
        learned_ = std::make_unique<LearnedKeeper>(shard, *parts.learned);
}

void DeliverySide::start() {
    if (keeper_ != nullptr) keeper_->start();
    if (learned_ != nullptr) tasks_.spawn(learned_->keep(&stop_));
    if (sessions_ == nullptr || reporter_ == nullptr) return;
    tasks_.spawn(sessions_->keep_handing_over(0, reporter_, &stop_));
}

void DeliverySide::use(std::shared_ptr<const CheckedConfig> checked) {
    // The contexts first: paths may open connections at once.
    tls_.use(roots_of(*checked));
    if (reactions_ != nullptr) reactions_->use(checked->automation);
    dispatcher_.use(std::move(checked));
}

core::Task<void> DeliverySide::stop(StopPhase phase, core::Instant until) {
    switch (phase) {
        case StopPhase::drain:
            stop_.set();
            if (reactions_ != nullptr) reactions_->close();
            if (keeper_ != nullptr) keeper_->stop();
            break;
        case StopPhase::cut_off:
            co_await dispatcher_.close(until);
            break;
        case StopPhase::home:
            // Before the shards meet, so that the reporter's shard receives it before it ends.
            if (sessions_ != nullptr && reporter_ != nullptr) {
                sessions_->hand_over(0, *reporter_, true);
            }
            break;
        case StopPhase::end:
            co_await tasks_.close();
            if (keeper_ != nullptr) co_await keeper_->close();
            break;
        case StopPhase::leave:
        case StopPhase::close:
        case StopPhase::settle:
            break;
    }
}

}  // namespace relay
