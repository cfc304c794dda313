#include "relay/node/reload.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "core/base/log.h"
#include "core/runtime/event.h"
#include "relay/config/check.h"
#include "relay/events/event_writer.h"

namespace relay {

namespace {

using Rules = std::shared_ptr<const BounceRules>;
using Checked = std::expected<CheckedConfig, Problems>;

constexpr core::Duration kPoll = std::chrono::milliseconds{10};

void use_rules(void* writer, void* rules) {
    const std::unique_ptr<Rules> ours(static_cast<Rules*>(rules));
    static_cast<EventWriter*>(writer)->use(std::move(*ours));
}

}  // namespace

core::Task<void> reload(Node* node, core::Shard* shard, std::filesystem::path config_file) {
    auto checking = std::async(std::launch::async,
                               [file = std::move(config_file)] { return check_config(file); });
    core::Event never(shard->reactor());
    while (checking.wait_for(std::chrono::seconds{0}) != std::future_status::ready)
        co_await never.wait(shard->now() + kPoll);
    Checked checked = checking.get();
    if (!checked) {
        for (const Problem& problem : checked.error())
            core::log_error("reload: {}", problem.to_string());
        core::log_error("reload: refused; what is in force stays");
        co_return;
    }
    for (const Problem& warning : checked->warnings)
        core::log_warning("reload: {}", warning.to_string());
    if (node->draining()) co_return;
    for (std::size_t i = 0; i < node->shard_count; ++i) {
        // The letter owns the copy until the shard has taken it.
        auto copy = std::make_unique<Rules>(checked->bounce);
        shard->send(i, {use_rules, node->event_writers[i], copy.release()});
    }
    core::log_info("reloaded: bounce rules; other keys are as of the start");
}

}  // namespace relay
