#include "relay/path/learned_keeper.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "core/base/log.h"
#include "core/base/text_file.h"
#include "core/file/replace_file.h"
#include "relay/path/dispatcher.h"

namespace relay {

namespace {

constexpr std::size_t kMostFileOctets = Learned::kMostLearned * (Learned::kMostKeyOctets + 128);

}  // namespace

std::unique_ptr<const Learned> load_learned(const std::string& file) {
    auto learned = std::make_unique<Learned>();
    std::error_code error;
    if (!std::filesystem::exists(file, error)) return learned;
    const auto text = core::read_text_file(file, kMostFileOctets);
    if (!text) {
        core::log_warning("{} {}", file, text.error());
    } else if (!learned->read(*text)) {
        core::log_warning("{}: not all of it is understood; the rest is learned again", file);
    }
    return learned;
}

core::Task<void> LearnedKeeper::keep(core::Event* stop) {
    std::string kept;
    for (bool stopping = false; !stopping;) {
        stopping = co_await stop->wait(shard_.now() + kKeptEvery);
        std::string all;
        bool whole = true;
        for (Dispatcher* each : parts_.shards.dispatchers) {
            auto text = co_await shard_.ask(each->shard(), [each] { return each->learned(); });
            whole = whole && text.has_value() && text->has_value();
            if (whole) all += **text;
        }
        if (!whole || all == kept || parts_.disk == nullptr) continue;
        const auto saved = co_await core::replace_file(shard_, *parts_.disk, parts_.file, all);
        if (saved) {
            kept = std::move(all);
        } else {
            core::log_warning("what was learned of receivers cannot be kept in {}: {}", parts_.file,
                              saved.error().message());
        }
    }
}

}  // namespace relay
