#include "relay/limits/window.h"

#include <algorithm>

#include "core/base/assert.h"

namespace relay {

// ---- how many

std::size_t Window::size() const {
    std::size_t all = limit_;
    if (cap_.there()) all = std::min(all, cap_.level - 1);
    if (braked_ > 0) all = std::min(all, braked_);
    return std::max<std::size_t>(all, 1);
}

std::size_t Window::sure() const {
    return doubt_.refusals > 1 ? std::min(size(), std::max<std::size_t>(doubt_.level - 1, 1))
                               : size();
}

bool Window::is_due(core::Instant now) const {
    return now >= cap_.latest || (now >= cap_.ask_at && cap_.openings >= openings_before_trial());
}

// Trials are few among what opens, however fast that is.
std::size_t Window::openings_before_trial() const {
    return kOpenings << std::min(cap_.refusals - kEnough, kMostDoublings);
}

std::size_t Window::bound(core::Instant now) const {
    std::size_t all = limit_;
    if (cap_.there()) all = std::min(all, is_due(now) ? cap_.level : cap_.level - 1);
    if (doubt_.there()) all = std::min(all, now >= doubt_.ask_at ? doubt_.level : doubt_.level - 1);
    if (braked_ > 0) all = std::min(all, braked_);
    return std::max<std::size_t>(all, 1);
}

std::size_t Window::most(core::Instant now, std::size_t taken) {
    if (taken < reach_) {
        step_at_ = core::kNever;
    } else if (step_at_ == core::kNever) {
        step_at_ = now + kPatience;
    } else if (now >= step_at_) {
        reach_ = std::min(reach_ + std::max<std::size_t>(1, reach_ / 4), limit_);
        step_at_ = now + kPatience;
    }
    return std::min(bound(now), std::max<std::size_t>(reach_, 1));
}

core::Instant Window::wider_at(core::Instant now) const {
    core::Instant next = core::kNever;
    const auto consider = [&next, now](core::Instant when) {
        if (when > now) next = std::min(next, when);
    };
    if (reach_ < limit_) consider(step_at_);
    if (doubt_.there()) consider(doubt_.ask_at);
    if (cap_.there()) {
        if (cap_.openings >= openings_before_trial()) consider(cap_.ask_at);
        consider(cap_.latest);
    }
    return next;
}

// ---- connections

void Window::opened(core::Instant now, std::size_t open, std::size_t several) {
    stale_ -= std::min(stale_, several);
    row_ = 0;
    if (doubt_.there() && open >= doubt_.level) doubt_ = {};
    if (!doubt_.there() || open >= beneath_.level) beneath_ = {};
    if (cap_.there() && open >= cap_.level) {
        cap_ = {};
    } else {
        cap_.openings += several;
    }
    if (open <= proven_) return;
    proven_ = open;
    reach_ = std::max(reach_, proven_ + std::max<std::size_t>(1, proven_ / 4));
    step_at_ = now + kPatience;
}

void Window::refused(core::Instant now, std::size_t open, std::size_t opening) {
    const bool same = stale_ > 0 && now - refused_at_ < kTogether;
    if (same) --stale_;
    if (open == 0) {
        // Nothing works: then what was learned since anything opened is no cap.
        if (cap_.openings == 0) cap_ = {};
        doubt_ = beneath_ = {};
        return;
    }
    const std::size_t level = open + opening + 1;
    if (same) {  // others that began with it were refused too: it is about a smaller count
        if (doubt_.there()) doubt_.level = std::min(doubt_.level, level);
        if (cap_.there() && cap_.openings == 0) cap_.level = std::min(cap_.level, level);
        return;
    }
    stale_ = opening;
    refused_at_ = now;
    ++row_;
    if (cap_.there() && level >= cap_.level) return confirm_cap(now);
    if (cap_.there() && row_ > kEnough) return learn_cap(now, level);
    doubt(now, level);
}

void Window::doubt(core::Instant now, std::size_t level) {
    const bool is_new = level > proven_;
    if (doubt_.there() && level < doubt_.level) {
        // At a count below the one in doubt: one is chance, as long as that count opens again.
        beneath_.level = beneath_.there() ? std::min(beneath_.level, level) : level;
        if (++beneath_.refusals < kEnough && row_ == 1) return;
        doubt_ = {.level = beneath_.level,
                  .refusals = std::max(row_, std::min(beneath_.refusals, kEnough)) - 1};
        beneath_ = {};
    }
    if (!doubt_.there()) doubt_.level = level;
    ++doubt_.refusals;
    if (doubt_.refusals > kEnough || (is_new && doubt_.refusals == kEnough)) {
        return learn_cap(now, doubt_.level);
    }
    if (is_new) {
        doubt_.ask_at = now + (doubt_.refusals == 1 ? kFirstWait : kSecondWait);
    } else if (doubt_.refusals > 1) {
        doubt_.ask_at = now + (doubt_.refusals == 2 ? kBrief : kFirstWait);
    }
}

void Window::learn_cap(core::Instant now, std::size_t level) {
    PH_ASSERT(level > 1);
    cap_ = {.level = level, .refusals = kEnough};
    cap_.ask_at = now + kRetest;
    cap_.latest = now + kLongest;
    doubt_ = beneath_ = {};
    proven_ = std::min(proven_, level - 1);
    reach_ = level;
}

void Window::confirm_cap(core::Instant now) {
    ++cap_.refusals;
    cap_.openings = 0;
    const unsigned doublings = std::min(cap_.refusals - kEnough, kMostDoublings);
    cap_.ask_at = now + std::min<core::Duration>(kRetest * (1U << doublings), kLongest);
    cap_.latest = now + kLongest;
}

void Window::restart() {
    cap_ = doubt_ = beneath_ = {};
    proven_ = stale_ = braked_ = 0;
    row_ = fruitless_ = 0;
    reach_ = kStart;
    step_at_ = core::kNever;
    pace_ = Pace::usual;
}

// ---- over a restart

LearnedWindow Window::learned(core::Instant now) const {
    const auto left = [now](core::Instant when) {
        return when > now ? when - now : core::Duration{};
    };
    LearnedWindow learned{.proven = proven_, .left = kLongest};
    if (!cap_.there()) return learned;
    learned.cap = cap_.level;
    learned.refusals = cap_.refusals;
    learned.left += left(cap_.latest);
    learned.ask_in = left(cap_.ask_at);
    return learned;
}

void Window::restore(const LearnedWindow& learned, core::Instant now) {
    if (learned.left <= core::Duration{}) return;
    if (learned.cap > 1) {
        cap_ = {.level = learned.cap, .refusals = std::max(learned.refusals, kEnough)};
        cap_.ask_at = now + learned.ask_in;
        cap_.latest = now + std::min<core::Duration>(learned.left, kLongest);
        proven_ = std::min(learned.proven, learned.cap - 1);
        reach_ = learned.cap;
    } else {
        reach_ = std::max(reach_, std::min(learned.proven, limit_));
    }
}

// ---- the brake

void Window::brake(core::Instant now, std::size_t open) {
    if (now < cut_at_ + kCutApart && braked_ > 0) return;
    const std::size_t all = std::min(braked_ > 0 ? braked_ : open, std::max<std::size_t>(open, 1));
    const std::size_t least = std::min(kLeastBraked, limit_);
    braked_ = std::max(all - (all + 3) / 4, least);
    cut_at_ = stepped_ = now;
    credit_ = 0;
}

void Window::ended(core::Instant now, bool fruitless, std::size_t open) {
    if (!fruitless) {
        fruitless_ = 0;
    } else if (++fruitless_ >= kEnough) {
        fruitless_ = 0;
        brake(now, open);
    }
}

void Window::completed(core::Instant now, core::Duration took, std::size_t open) {
    watch(now, took, open);
    if (braked_ == 0 || pace_ == Pace::cut) return;
    if (++credit_ < kPerStep * braked_ && now - stepped_ < kStepAtLatest) return;
    credit_ = 0;
    stepped_ = now;
    if (++braked_ >= std::min(limit_, std::max(proven_, kStart))) braked_ = 0;
}

// Whether replies get slow, and whether fewer connections help.
void Window::watch(core::Instant now, core::Duration took, std::size_t open) {
    if (now >= usual_until_) {
        before_ = usual_;
        usual_ = took;
        usual_until_ = now + kUsualFor;
    }
    usual_ = std::min(usual_, took);
    smooth_ += (took - smooth_) / 8;
    if (now < look_at_) return;
    const core::Duration usual = std::min(usual_, before_);
    if (smooth_ < kSlow || smooth_ / 4 < usual) {
        pace_ = Pace::usual;
        return;
    }
    look_at_ = now + std::max<core::Duration>(kLookAgain, 3 * smooth_);
    if (pace_ == Pace::usual) {
        pace_ = Pace::slow;  // as slow as it gets is known the next time
    } else if (pace_ == Pace::cut && smooth_ > at_cut_ - at_cut_ / 8) {
        pace_ = Pace::usual;
        braked_ = 0;
        look_at_ = now + kVain;
    } else {
        pace_ = Pace::cut;
        at_cut_ = smooth_;
        brake(now, open);
    }
}

}  // namespace relay
