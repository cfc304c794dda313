#include "relay/config/check.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "core/base/result.h"
#include "core/base/text_file.h"
#include "relay/config/parse.h"

namespace relay {

std::string directory_complaint(const std::filesystem::path& directory) {
    std::error_code error;
    std::filesystem::path nearest = directory;
    while (!std::filesystem::exists(std::filesystem::symlink_status(nearest, error))) {
        const bool absent = !error || error == std::errc::no_such_file_or_directory ||
                            error == std::errc::not_a_directory;
        if (!absent) break;
        const std::filesystem::path parent = nearest.parent_path();
        if (parent == nearest || parent.empty()) break;
        nearest = parent;
    }
    if (!std::filesystem::is_directory(nearest, error)) {
        return nearest.string() + (error ? ": " + error.message() : " is not a directory");
    }
    if (access(nearest.c_str(), W_OK | X_OK) == 0) return "";
    const std::string reason = core::error_from_errno(errno).message();
    return nearest == directory ? "cannot be written into: " + reason
                                : "cannot be made in " + nearest.string() + ": " + reason;
}

std::expected<std::shared_ptr<const BounceRules>, Problems> load_bounce_rules(
    const std::vector<std::filesystem::path>& files) {
    std::vector<BounceText> texts;
    Problems problems;
    for (const auto& file : files) {
        if (auto text = core::read_text_file(file, core::kMostTomlOctets); text) {
            texts.push_back({file.string(), std::move(*text)});
        } else {
            problems.push_back({file.string(), 0, text.error()});
        }
    }
    if (files.empty()) return BounceRules::built_in();
    auto rules = BounceRules::parse(texts);
    if (problems.empty()) return rules;
    if (!rules) std::ranges::move(rules.error(), std::back_inserter(problems));
    return std::unexpected(std::move(problems));
}

namespace {

// Without a bundle nothing is ever verified, which only a policy that asks for it minds.
core::Result<void> load_roots(const DeliveryConfig& delivery,
                              std::optional<core::TlsRoots>& roots) {
    const std::string file = delivery.tls_ca_file.empty() ? core::TlsRoots::system_bundle()
                                                          : delivery.tls_ca_file.string();
    if (file.empty()) return {};
    auto loaded = core::TlsRoots::load(file);
    if (!loaded) return core::failure("[delivery] tls_ca_file: " + loaded.error());
    roots = std::move(*loaded);
    return {};
}

}  // namespace

std::expected<CheckedConfig, Problems> check_config(const std::filesystem::path& file) {
    auto config = load_config(file);
    if (!config) return std::unexpected(std::move(config.error()));

    Problems problems;
    const auto check_directory = [&](const char* key, const std::filesystem::path& directory) {
        const std::string complaint = directory_complaint(directory);
        if (complaint.empty()) return;
        problems.push_back({file.string(), 0,
                            std::string(key) + " = \"" + directory.string() + "\": " + complaint});
    };
    check_directory("[node] data_dir", config->node.data_dir);
    check_directory("[events] log_dir", config->events.log_dir);

    std::optional<core::TlsRoots> roots;
    const auto complain = [&](const core::Result<void>& done) {
        if (!done) problems.push_back({file.string(), 0, done.error()});
    };
    complain(load_roots(config->delivery, roots));
    for (RouteConfig& route : config->routes) {
        if (route.smarthost == nullptr) continue;
        Smarthost loaded = *route.smarthost;
        complain(load_smarthost(loaded));
        route.smarthost = std::make_shared<const Smarthost>(std::move(loaded));
    }

    auto shaping = ShapingPolicy::load(config->shaping.files, config->shaping.defaults);
    if (!shaping) std::ranges::move(shaping.error(), std::back_inserter(problems));
    auto bounce = load_bounce_rules(config->bounce.files);
    if (!bounce) std::ranges::move(bounce.error(), std::back_inserter(problems));
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return CheckedConfig{std::move(*config), std::move(shaping->policy), std::move(*bounce),
                         std::move(shaping->warnings), std::move(roots)};
}

TlsPolicy CheckedConfig::tls_of(const ShapingLimits& limits, const RouteConfig* route) const {
    if (route != nullptr && route->tls) return *route->tls;
    return limits.tls.value_or(config.delivery.tls);
}

std::expected<std::shared_ptr<const CheckedConfig>, Problems> recheck_config(
    const std::filesystem::path& file, const CheckedConfig& in_force) {
    auto checked = check_config(file);
    if (!checked) return std::unexpected(std::move(checked.error()));
    checked->generation = in_force.generation + 1;
    checked->shaping.keep_numbers(in_force.shaping.provider_names());
    if (!checked->tls_roots && in_force.tls_roots) {
        checked->warnings.push_back(
            {file.string(), 0, "no bundle of trusted certificates is left; the old one stays"});
        checked->tls_roots = in_force.tls_roots;
    }
    return std::make_shared<const CheckedConfig>(std::move(*checked));
}

}  // namespace relay
