// Path: what its connections teach the window. A home that shares nothing asks and tells its window
// itself; one that shares, and a lane, keep to their places and count for the next report.
#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "relay/path/path.h"

namespace relay {

namespace {

// The time of a longer one is that of its content.
constexpr std::size_t kTimedContent = 64 * 1024;

}  // namespace

bool Path::may_widen(core::Instant now) {
    if (shares() || pool_.size() < window_.most(now, pool_.size())) return true;
    const core::Instant when = window_.wider_at(now);
    if (when != core::kNever) wake_at(when);
    return false;
}

std::size_t Path::open_connections_of_all() const {
    return ledger_ != nullptr ? ledger_->open() : pool_.size() - pool_.opening();
}

void Path::note_opened() {
    refused_ = 0;
    if (shares()) {
        ++seen_.opened;
    } else {
        window_.opened(context_.shard.now(), open_connections_of_all());
        show_window();
    }
}

// By a connection that is still among those that are opening.
void Path::note_refused() {
    if (!shares()) {
        window_.refused(context_.shard.now(), open_connections_of_all(), pool_.opening() - 1);
        return show_window();
    }
    ++seen_.refused;
    // Its place goes back, unless it was one that others had before it, and chance.
    if (trial_ || ++refused_ > 1) places_ = std::min(places_, pool_.size() - 1);
}

void Path::note_ended(bool fruitless) {
    if (shares()) {
        ++(fruitless ? seen_.fruitless : seen_.served);
    } else {
        window_.ended(context_.shard.now(), fruitless, open_connections_of_all());
        show_window();
    }
}

// A home's transactions are a sample of all.
void Path::note_completed(const Delivery& delivery) {
    if (role_ == Role::lane) return;
    const Content& content = delivery.recipients.front()->message->content;
    if (content.size() > kTimedContent) return;
    const core::Instant now = context_.shard.now();
    window_.completed(now, now - delivery.begun, open_connections_of_all());
    show_window();
}

// ---- over a restart

// Two paths of one name would learn the same.
std::string Path::learned_name() const {
    return std::string(site_.scope().source) + " " + site_.name;
}

void Path::add_learned(Learned& learned) const {
    if (role_ == Role::lane) return;
    const LearnedWindow window = window_.learned(context_.shard.now());
    if (window.cap == 0 && window.proven <= Window::kStart) return;  // as one that begins
    learned.add(learned_name(), window, context_.shard.wall());
}

void Path::restore_window() {
    if (context_.learned == nullptr || role_ == Role::lane) return;
    window_.restore(context_.learned->window(learned_name(), context_.shard.wall()),
                    context_.shard.now());
}

void Path::show_window() {
    if (role_ == Role::lane || window_.size() == shown_window_) return;
    const std::size_t before = std::exchange(shown_window_, window_.size());
    context_.metrics.window(site_.destination, static_cast<std::int64_t>(shown_window_) -
                                                   static_cast<std::int64_t>(before));
    if (before == 0) return;
    context_.log->note(core::LogLevel::kInfo, "a site showed how many connections it takes",
                       site_.name,
                       fmt::format("{} of {}", shown_window_, site_.limits.connection_limit));
}

}  // namespace relay
