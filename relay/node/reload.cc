#include "relay/node/reload.h"

#include <chrono>
#include <exception>
#include <expected>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/runtime/event.h"
#include "relay/config/changes.h"
#include "relay/config/check.h"
#include "relay/node/relay_shard.h"

namespace relay {

namespace {

using Checked = std::shared_ptr<const CheckedConfig>;

constexpr core::Duration kPoll = std::chrono::milliseconds{10};

constexpr std::size_t kMaxChangesLogged = 100;  // of a kind, by one reload

// What a reload brings, made on its own thread: comparing many domains takes longer than a turn.
struct Reloaded {
    Checked checked;
    std::vector<std::string> in_force;  // changes since the last reload that it puts in force
    std::vector<std::string> waiting;   // changes since the start that need a restart
};

using Checking = std::future<std::expected<Reloaded, Problems>>;

std::vector<std::string> changes_of(const CheckedConfig& before, const CheckedConfig& after,
                                    InForce kind) {
    std::vector<std::string> lines;
    std::size_t more = 0;
    each_change(before, after, [&](const Change& change) {
        if (change.in_force != kind) return;
        if (lines.size() < kMaxChangesLogged) {
            lines.push_back(change.to_string());
        } else {
            ++more;
        }
    });
    if (more > 0) lines.push_back(std::to_string(more) + " more changes");
    return lines;
}

// What libraries throw when memory is out ends this reload, not the process.
std::expected<Reloaded, Problems> recheck(const std::filesystem::path& file,
                                          const CheckedConfig& first,
                                          const CheckedConfig& in_force) {
    try {
        auto checked = recheck_config(file, in_force);
        if (!checked) return std::unexpected(std::move(checked.error()));
        return Reloaded{*checked, changes_of(in_force, **checked, InForce::reload),
                        changes_of(first, **checked, InForce::restart)};
    } catch (const std::exception& error) {
        return std::unexpected(Problems{{file.string(), 0, error.what()}});
    }
}

// Not valid: there is no thread for it.
Checking begin(std::filesystem::path file, Checked first, Checked in_force) {
    try {
        return std::async(std::launch::async, [file = std::move(file), first, in_force] {
            return recheck(file, *first, *in_force);
        });
    } catch (const std::system_error&) {
        return {};
    }
}

core::Task<ReloadOutcome> reload_now(Node* node, core::Shard* shard,
                                     std::filesystem::path config_file) {
    auto checking = begin(std::move(config_file), node->first, node->latest);
    if (!checking.valid()) {
        const std::string sentence = "no thread to read the configuration; what is in force stays";
        core::log_error("reload: {}", sentence);
        co_return ReloadOutcome{.problems = {sentence}};
    }
    core::Event never(shard->reactor());
    const auto checked_it = [&checking] {
        return checking.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
    };
    co_await node->until_serving(*shard);
    while (!checked_it())
        co_await never.wait(shard->now() + kPoll);
    const auto reloaded = checking.get();
    if (!reloaded) {
        ReloadOutcome refused;
        for (const Problem& problem : reloaded.error()) {
            core::log_error("reload: {}", problem.to_string());
            if (refused.problems.size() < kMaxChangesLogged) {
                refused.problems.push_back(problem.to_string());
            }
        }
        core::log_error("reload: refused; what is in force stays");
        co_return refused;
    }
    const Checked& checked = reloaded->checked;
    for (const Problem& warning : checked->warnings)
        core::log_warning("reload: {}", warning.to_string());
    if (node->draining() || node->failed()) co_return ReloadOutcome{.problems = {"shutting down"}};
    for (const std::string& change : reloaded->in_force)
        core::log_info("reload: {}", change);
    for (const std::string& change : reloaded->waiting)
        core::log_warning("reload: {}; a restart puts it in force", change);
    node->latest = checked;
    node->use(*checked);
    for (std::size_t i = 0; i < node->shard_count; ++i) {
        shard->tell_owning(i, [relay = node->relay_shards[i], checked] { relay->use(checked); });
    }
    core::log_info(
        "reloaded: bounce rules, shaping, routes and TLS files; other keys are as of the start");
    co_return ReloadOutcome{.changes = reloaded->in_force};
}

}  // namespace

core::Task<ReloadOutcome> reload(Node* node, core::Shard* shard,
                                 std::filesystem::path config_file) {
    core::Event never(shard->reactor());
    // A signal and an operator's command may come together.
    while (node->reloading)
        co_await never.wait(shard->now() + kPoll);
    node->reloading = true;
    ReloadOutcome outcome = co_await reload_now(node, shard, std::move(config_file));
    node->reloading = false;
    co_return outcome;
}

}  // namespace relay
