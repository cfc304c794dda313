#include "relay/node/origin_side.h"

#include <chrono>
#include <utility>

#include "core/base/log.h"

namespace relay {

namespace {

std::unique_ptr<Spool> spool_of(core::Shard& shard, metrics::ShardMetrics& metrics,
                                const std::optional<SpoolParts>& parts) {
    if (!parts) return nullptr;
    return std::make_unique<Spool>(shard, parts->disk, parts->space, metrics, parts->options);
}

}  // namespace

OriginSide::OriginSide(core::Shard& shard, metrics::ShardMetrics& metrics, OriginParts parts)
    : shard_(shard),
      metrics_(metrics),
      events_(parts.sink, shard.reactor(), {.shard = static_cast<std::uint32_t>(shard.id())}),
      spool_(spool_of(shard, metrics, parts.spool)),
      origin_(shard, parts.options, parts.intervals, parts.tenants, std::move(parts.router),
              parts.exchange, events_, metrics, spool_.get(),
              parts.spool ? parts.spool->back : nullptr),
      recovery_(shard.reactor()) {}

core::Result<void> OriginSide::open() {
    if (spool_ == nullptr) return {};
    if (auto opened = spool_->open(); !opened) return opened;
    spool_->start(origin_);
    return {};
}

void OriginSide::start() {
    if (spool_ != nullptr) recovery_.spawn(recover());
}

void OriginSide::use(std::shared_ptr<const CheckedConfig> checked) {
    origin_.use(std::move(checked));
}

core::Task<void> OriginSide::recover() {
    const core::Instant begun = shard_.now();
    report_ = co_await spool_->recover(origin_);
    metrics_.spool().recovered.add(report_.recipients);
    metrics_.spool().damaged.add(report_.damaged);
    if (report_.segments == 0) co_return;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(shard_.now() - begun);
    core::log_info(
        "shard {}: recovered {} messages for {} recipients from {} segments in {} ms; {} damaged",
        shard_.id(), report_.messages, report_.recipients, report_.segments, took.count(),
        report_.damaged);
}

core::Task<void> OriginSide::stop(StopPhase phase, core::Instant until) {
    switch (phase) {
        case StopPhase::drain:
            if (spool_ != nullptr) spool_->stop_recovery();
            co_await recovery_.close();
            origin_.start_draining();
            break;
        case StopPhase::settle:
            origin_.stop_accepting();
            if (until > shard_.now()) co_await origin_.settled(until);
            break;
        case StopPhase::cut_off:
            origin_.start_closing();
            break;
        case StopPhase::home:
            co_await origin_.settled(core::kNever);
            break;
        case StopPhase::end:
            co_await end();
            break;
        case StopPhase::leave:
        case StopPhase::close:
            break;
    }
}

core::Task<void> OriginSide::end() {
    co_await origin_.end_reports();
    if (spool_ != nullptr) co_await spool_->close();
    left_ = co_await origin_.close();
    events_.close();
    if (left_ > 0 && spool_ != nullptr) {
        core::log_info("shard {}: {} recipients stay in the spool", shard_.id(), left_);
    } else if (left_ > 0) {
        core::log_warning(
            "shard {}: {} recipients were still queued; with durability \"memory\" they are lost",
            shard_.id(), left_);
    }
}

}  // namespace relay
