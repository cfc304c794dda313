#include "relay/automation/action_keeper.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/log.h"
#include "core/base/text_file.h"
#include "core/file/replace_file.h"

namespace relay {

namespace {

std::string described(const RunningAction& action) {
    std::string what(to_string(action.verb));
    if (!action.option.empty()) what += " " + action.option + " = " + action.value;
    if (action.verb == AutomationVerb::reduce)
        what += " to " + std::to_string(static_cast<int>(action.level * 100 + 0.5)) + " %";
    if (!action.tenant.empty()) what += " tenant " + action.tenant;
    if (!action.campaign.empty()) what += " campaign " + action.campaign;
    if (!action.is_of_path()) what += " to " + action.domain;
    return what;
}

}  // namespace

ActionKeeper::ActionKeeper(core::Shard& shard, metrics::ShardMetrics& metrics,
                           AutomationParts parts)
    : shard_(shard),
      metrics_(metrics),
      parts_(std::move(parts)),
      log_(shard.reactor()),
      stop_(shard.reactor()),
      tasks_(shard.reactor()) {
    parts_.shards.keeper = this;
    if (parts_.disk != nullptr) load();
    parts_.shards.first = running_.snapshot();
    metrics_.automation().suspended_paths.set(
        static_cast<std::int64_t>(running_.suspended_paths()));
}

ActionKeeper::~ActionKeeper() {
    stop();
}

void ActionKeeper::load() {
    std::error_code error;
    if (!std::filesystem::exists(parts_.file, error)) return;
    const auto text = core::read_text_file(parts_.file, kMostFileOctets);
    if (!text) return core::log_warning("{} {}", parts_.file, text.error());
    const std::string wrong = running_.read(*text, shard_.wall());
    if (!wrong.empty()) core::log_warning("{}: {}", parts_.file, wrong);
    if (running_.size() == 0) return;
    core::log_info("{} actions of automation go on, from {}", running_.size(), parts_.file);
}

void ActionKeeper::start() {
    arm();
}

void ActionKeeper::stop() {
    stop_.set();
    if (timer_.armed()) shard_.reactor().timers().disarm(timer_);
}

core::Task<void> ActionKeeper::close() {
    co_await tasks_.close();
}

// ---- what happens

void ActionKeeper::triggered(const RuleHit& hit) {
    if (stop_.is_set()) return;
    bool any = false;
    for (std::size_t i = 0; i < hit.rule->actions.size(); ++i) {
        const RunningAction* action = nullptr;
        const RunningActions::Taken taken = running_.take(hit, i, shard_.wall(), &action);
        if (taken == RunningActions::Taken::nothing) continue;
        log(hit, i, taken, action);
        if (taken == RunningActions::Taken::unfit) continue;
        any = true;
        metrics_.automation().actions[static_cast<std::size_t>(action->verb)].add();
        if (!action->is_of_path() && parts_.sink != nullptr) parts_.sink->order(*action);
    }
    if (any) changed();
}

void ActionKeeper::log(const RuleHit& hit, std::size_t place, RunningActions::Taken taken,
                       const RunningAction* action) {
    const std::string because = hit.rule->place + ", as the reply was: " + hit.reply;
    if (action == nullptr) {
        return log_.note(core::LogLevel::kWarning,
                         "automation: the reply names no mail to act on for " +
                             std::string(to_string(hit.rule->actions[place].verb)),
                         hit.scope.key(), because);
    }
    const bool began = taken == RunningActions::Taken::began;
    const auto minutes =
        std::chrono::duration_cast<std::chrono::seconds>(action->until - shard_.wall()).count();
    log_.note(core::LogLevel::kWarning,
              began ? "automation: an action begins" : "automation: an action goes on",
              hit.scope.key(),
              described(*action) + " for " + std::to_string(minutes) + " s by " + because);
}

bool ActionKeeper::end(std::uint64_t number) {
    if (!running_.end(number)) return false;
    changed();
    return true;
}

void ActionKeeper::changed() {
    note_change();
    arm();
}

void ActionKeeper::note_change() {
    ++changes_;
    unpublished_ = true;
    metrics_.automation().suspended_paths.set(
        static_cast<std::int64_t>(running_.suspended_paths()));
    if (parts_.disk == nullptr || keeping_) return;
    keeping_ = true;
    tasks_.spawn(keep());
}

void ActionKeeper::advance() {
    if (running_.advance(shard_.wall())) note_change();
    if (unpublished_ && shard_.now() >= published_ + kPublishApart) publish();
    arm();
}

void ActionKeeper::publish() {
    unpublished_ = false;
    published_ = shard_.now();
    const auto set = running_.snapshot();
    for (std::size_t i = 0; i < parts_.shards.reactions.size(); ++i) {
        shard_.tell_owning(i, [to = parts_.shards.reactions[i], set] { to->take(set); });
    }
}

void ActionKeeper::arm() {
    if (stop_.is_set()) return;
    core::TimerSet& timers = shard_.reactor().timers();
    if (timer_.armed()) timers.disarm(timer_);
    const core::WallTime next = running_.next_change();
    core::Instant when = core::kNever;
    if (next != core::WallTime::max()) {
        when = shard_.now() +
               std::max<core::Duration>(next - shard_.wall(), std::chrono::milliseconds{1});
    }
    if (unpublished_) when = std::min(when, std::max(published_ + kPublishApart, shard_.now()));
    if (when != core::kNever) timers.arm(timer_, when);
}

// ---- the file

core::Task<void> ActionKeeper::keep() {
    for (bool last = false; kept_ != changes_;) {
        const std::uint64_t changes = changes_;
        const auto saved =
            co_await core::replace_file(shard_, *parts_.disk, parts_.file, running_.text());
        if (saved) {
            kept_ = changes;
        } else {
            log_.note(core::LogLevel::kWarning, "automation: actions cannot be kept", parts_.file,
                      saved.error().message());
        }
        if (last) break;
        last = co_await stop_.wait(shard_.now() + kKeptApart);  // what came meanwhile is kept too
    }
    keeping_ = false;
}

}  // namespace relay
