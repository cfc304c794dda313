#include "relay/node/reload.h"

#include <chrono>
#include <exception>
#include <expected>
#include <filesystem>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

#include "core/base/log.h"
#include "core/runtime/event.h"
#include "relay/config/check.h"
#include "relay/node/shard_services.h"

namespace relay {

namespace {

using Checked = std::shared_ptr<const CheckedConfig>;

constexpr core::Duration kPoll = std::chrono::milliseconds{10};

using Checking = std::future<std::expected<Checked, Problems>>;

// What libraries throw when memory is out ends this reload, not the process.
std::expected<Checked, Problems> recheck(const std::filesystem::path& file,
                                         const CheckedConfig& in_force) {
    try {
        return recheck_config(file, in_force);
    } catch (const std::exception& error) {
        return std::unexpected(Problems{{file.string(), 0, error.what()}});
    }
}

// Not valid: there is no thread for it.
Checking begin(std::filesystem::path file, Checked in_force) {
    try {
        return std::async(std::launch::async,
                          [file = std::move(file), in_force] { return recheck(file, *in_force); });
    } catch (const std::system_error&) {
        return {};
    }
}

void use(void* services, void* checked) {
    const std::unique_ptr<Checked> ours(static_cast<Checked*>(checked));
    static_cast<ShardServices*>(services)->use(std::move(*ours));
}

}  // namespace

core::Task<void> reload(Node* node, core::Shard* shard, std::filesystem::path config_file) {
    auto checking = begin(std::move(config_file), node->latest);
    if (!checking.valid()) {
        core::log_error("reload: no thread to read the configuration; what is in force stays");
        co_return;
    }
    core::Event never(shard->reactor());
    const auto checked_it = [&checking] {
        return checking.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
    };
    co_await node->until_serving(*shard);
    while (!checked_it())
        co_await never.wait(shard->now() + kPoll);
    const auto checked = checking.get();
    if (!checked) {
        for (const Problem& problem : checked.error())
            core::log_error("reload: {}", problem.to_string());
        core::log_error("reload: refused; what is in force stays");
        co_return;
    }
    for (const Problem& warning : (*checked)->warnings)
        core::log_warning("reload: {}", warning.to_string());
    if (node->draining() || node->failed()) co_return;
    node->latest = *checked;
    for (std::size_t i = 0; i < node->shard_count; ++i) {
        // The letter owns the copy until the shard has taken it.
        shard->send(i, {use, node->services[i], std::make_unique<Checked>(*checked).release()});
    }
    core::log_info(
        "reloaded: bounce rules, shaping, routes and TLS files; other keys are as of the start");
}

}  // namespace relay
