#include "relay/node/control_side.h"

#include <filesystem>
#include <utility>

#include "core/base/log.h"
#include "core/base/text_file.h"
#include "core/file/replace_file.h"
#include "core/runtime/next_turn.h"
#include "core/runtime/slices.h"
#include "relay/admin/queue_report.h"
#include "relay/security/policy_file.h"

namespace relay {

namespace {

constexpr std::size_t kMostWarmupOctets = 16U << 20;  // of the file; above it nothing is read

}  // namespace

ControlSide::ControlSide(core::Shard& shard, metrics::ShardMetrics& metrics, ControlParts parts)
    : shard_(shard),
      metrics_(metrics),
      parts_(std::move(parts)),
      stop_(shard.reactor()),
      tasks_(shard.reactor()) {}

void ControlSide::open() {
    if (parts_.policies) {
        load_policies(parts_.policies->file, parts_.policies->store, shard_.wall());
    }
    if (parts_.warmup) {
        std::error_code error;
        if (std::filesystem::exists(parts_.warmup->file, error)) {
            const auto text = core::read_text_file(parts_.warmup->file, kMostWarmupOctets);
            if (!parts_.warmup->ledger.read(text ? *text : "", day_of(shard_.wall()))) {
                core::log_warning("{} {}; sources in warm-up send nothing more today (UTC)",
                                  parts_.warmup->file,
                                  text ? "is not as it was written" : text.error());
            }
        }
        parts_.warmup->ledger.keep();
    }
    // /healthz may be asked as soon as one shard listens.
    if (parts_.probes) parts_.probes->liveness.stamp(shard_.id(), shard_.now());
}

void ControlSide::report_tls(std::unique_ptr<ReportDoor> web, TlsReporterParts parts,
                             TlsReportSender sender) {
    report_door_ = std::move(web);
    reporter_ = std::make_unique<TlsReporter>(std::move(parts), std::move(sender));
}

void ControlSide::start() {
    if (parts_.probes) {
        tasks_.spawn(keep_publishing());
        tasks_.spawn(parts_.probes->liveness.keep_stamping(&shard_, &stop_));
        if (first()) {
            tasks_.spawn(
                report_queue(parts_.probes->metrics, parts_.probes->largest, &shard_, &stop_));
        }
    }
    if (parts_.policies) tasks_.spawn(keep_policies());
    if (parts_.warmup) tasks_.spawn(keep_warmup());
    if (first() && parts_.space != nullptr) tasks_.spawn(watch_space());
    if (first() && parts_.back != nullptr) tasks_.spawn(watch_life());
    if (reporter_ != nullptr) reporter_->start();
}

core::Task<void> ControlSide::stop(StopPhase phase) {
    if (phase == StopPhase::drain) stop_.set();
    if (phase != StopPhase::end) co_return;
    if (reporter_ != nullptr) co_await reporter_->close(shard_.count());
    co_await tasks_.close();
    if (parts_.warmup && parts_.warmup->ledger.was_used()) co_await write_warmup(true);
}

Probes ControlSide::probes(bool with_metrics) {
    PH_ASSERT(parts_.probes);
    Probes probes;
    probes.unhealthy = [this] { return parts_.probes->liveness.complaint(shard_.now()); };
    probes.unready = [this] { return unready(); };
    if (!with_metrics) return probes;
    // A plain function that makes the task: the lambda itself is no coroutine.
    probes.metrics = [this] {
        publish();
        return [](std::string text) -> core::Task<std::string> {
            co_return text;
        }(parts_.probes->exposition());
    };
    return probes;
}

std::string ControlSide::unready() const {
    if (parts_.probes->draining()) return "draining";
    const auto refusal = parts_.origin.origin().check(0);
    if (!refusal) return {};
    switch (*refusal) {
        case Refusal::spool_failed:
            return parts_.space->failure() + "; restart when the disk is well";
        case Refusal::spool_full:
            return std::string(parts_.space->shortage());
        case Refusal::memory_full:
            return "memory.limit is reached";
        case Refusal::draining:
            break;
    }
    return {};
}

void ControlSide::publish() {
    const core::ReactorStats& loop = shard_.reactor().stats();
    const core::IoStats& io = shard_.io().stats();
    metrics_.publish(metrics::EngineTotals{.turns = loop.turns,
                                           .enters = io.enters,
                                           .submitted = io.submitted,
                                           .completed = io.completed,
                                           .sends = io.sends,
                                           .receives = io.receives,
                                           .buffers_exhausted = io.buffers_exhausted,
                                           .overflows = io.overflows,
                                           .busy_ns = loop.busy_ns,
                                           .idle_ns = loop.idle_ns,
                                           .longest_turn_ns = loop.longest_turn_ns,
                                           .letters = shard_.letters_sent(),
                                           .copied = io.copied,
                                           .held_input = shard_.held_input().total(),
                                           .turns_by_length = loop.turns_by_length});
    const dns::DnsCounters& dns = parts_.probes->resolver.counters();
    metrics_.publish(metrics::DnsTotals{.lookups = dns.lookups,
                                        .cache_hits = dns.cache_hits,
                                        .cache_misses = dns.cache_misses,
                                        .cache_entries = dns.entries,
                                        .shed = dns.shed});
    metrics_.oldest(parts_.origin.origin().oldest());
    if (parts_.origin.spool() == nullptr) return;
    const JournalStats spool = parts_.origin.spool()->stats();
    const std::uint64_t unnoted =
        parts_.back == nullptr ? 0 : parts_.back->in_hand(shard_.id()).unnoted();
    metrics_.spool().publish(metrics::SpoolTotals{.batches = spool.batches,
                                                  .octets = spool.octets,
                                                  .outcomes = spool.outcomes,
                                                  .outcomes_dropped = spool.outcomes_dropped,
                                                  .moved_octets = spool.moved,
                                                  .unnoted = unnoted});
}

core::Task<void> ControlSide::keep_publishing() {
    do {
        publish();
    } while (!co_await stop_.wait(shard_.now() + kPublishEvery));
}

core::Task<void> ControlSide::watch_space() {
    do {
        parts_.space->refresh();
    } while (!co_await stop_.wait(shard_.now() + std::chrono::seconds{1}));
}

// What died young is looked at by the next start (docs/decisions/0022).
core::Task<void> ControlSide::watch_life() {
    if (co_await stop_.wait(shard_.now() + HeldBack::kYouth)) co_return;
    parts_.back->has_lived();
    const core::MappedFile* const file = parts_.in_hand_file;
    while (file != nullptr && !file->lost()) {
        if (co_await stop_.wait(shard_.now() + HeldBack::kYouth)) co_return;
    }
    if (file == nullptr) co_return;
    core::log_error(
        "the disk took the file {} away: a message that kills this process will not be "
        "noticed",
        kInHandFile);
}

core::Task<void> ControlSide::keep_policies() {
    KeptPolicies& policies = *parts_.policies;
    std::uint64_t kept = policies.store.changes();
    bool stopping = false;
    while (!stopping) {
        stopping = co_await stop_.wait(shard_.now() + kKeepPoliciesEvery);
        const std::uint64_t changes = policies.store.changes();
        if (changes == kept) continue;
        std::string text;
        policies.store.begin_text(text);
        while (policies.store.add_text(text, shard_.wall(), core::kSlice))
            co_await core::NextTurn{shard_.reactor()};
        const auto saved =
            co_await core::replace_file(shard_, policies.disk, policies.file, std::move(text));
        if (saved) {
            kept = changes;
        } else {
            core::log_warning("cannot keep MTA-STS policies in {}: {}", policies.file,
                              saved.error().message());
        }
    }
}

core::Task<void> ControlSide::keep_warmup() {
    bool stopping = false;
    core::Duration pause = kKeepWarmupEvery;
    while (!stopping) {
        stopping = co_await stop_.wait(shard_.now() + pause);
        if (!parts_.warmup->ledger.is_changed()) continue;
        pause = co_await write_warmup(false) ? kKeepWarmupEvery : kKeepWarmupAfterFailure;
    }
}

core::Task<bool> ControlSide::write_warmup(bool clean) {
    KeptWarmup& warmup = *parts_.warmup;
    const auto saved =
        co_await core::replace_file(shard_, warmup.disk, warmup.file, warmup.ledger.text(clean));
    if (saved) {
        warmup.ledger.written();
    } else {
        core::log_warning(
            "cannot keep in {} what sources in warm-up sent, so they send no more: {}", warmup.file,
            saved.error().message());
    }
    co_return saved.has_value();
}

}  // namespace relay
