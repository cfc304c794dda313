// Window: how many connections a receiver takes, as far as its answers show. Below the limit it
// grows as connections open, and learns from those that are refused:
// - A refusal is judged beside what opened: one that opens at the same count or above it shows that
//   the refusal was chance. kEnough in a row that nothing refutes are a cap, and connections stay
//   below it. One or two refusals only wait, where the count is new: kFirstWait, kSecondWait.
// - A cap is tried again by one connection, after kRetest and kOpenings that opened, or kLongest at
//   the latest; each refusal doubles both, the time up to kLongest; one that opens lifts the cap.
// - New counts are reached step by step, a quarter at a time, as connections open or kPatience
//   passes; kStart at first.
// - Sessions in a row that complete nothing, and replies that get slow, take a quarter of the
//   connections away; transactions that complete give them back one by one. Where fewer
//   connections make replies no faster, they all come back, and that is not tried for kVain.
// While nothing is open, refusals teach nothing about counts: that is an outage. Pure; the path's
// home owns it. Holds after each call: 1 <= most() <= limit, and it grows back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/time.h"
#include "relay/limits/learned.h"

namespace relay {

class Window {
  public:
    static constexpr std::size_t kStart = 4;
    static constexpr core::Duration kPatience = std::chrono::milliseconds{250};
    static constexpr unsigned kEnough = 3;
    static constexpr core::Duration kFirstWait = std::chrono::seconds{1};
    static constexpr core::Duration kSecondWait = std::chrono::seconds{20};
    static constexpr core::Duration kTogether = std::chrono::seconds{1};      // refusals: one fact
    static constexpr core::Duration kBrief = std::chrono::milliseconds{100};  // a count that worked
    static constexpr core::Duration kRetest = std::chrono::seconds{5};        // doubles
    static constexpr core::Duration kLongest = std::chrono::minutes{10};
    static constexpr std::size_t kOpenings = 40;  // doubles
    static constexpr unsigned kMostDoublings = 7;
    static constexpr std::size_t kLeastBraked = 2;
    static constexpr core::Duration kCutApart = std::chrono::seconds{1};
    static constexpr std::size_t kPerStep = 8;  // transactions of each connection
    static constexpr core::Duration kStepAtLatest = std::chrono::seconds{15};
    static constexpr core::Duration kSlow = std::chrono::seconds{1};
    static constexpr core::Duration kUsualFor = std::chrono::minutes{5};
    static constexpr core::Duration kLookAgain = std::chrono::seconds{10};
    static constexpr core::Duration kVain = std::chrono::minutes{10};

    explicit Window(std::size_t limit) : limit_(limit) {}

    // How many there may be now, while so many are open or opening. The next one may be a trial.
    std::size_t most(core::Instant now, std::size_t taken);
    // When most() may be larger though nothing happens; kNever: it is the limit.
    core::Instant wider_at(core::Instant now) const;
    // What was learned: without trials and steps on the way.
    std::size_t size() const;
    // The same, without counts that two refusals in a row speak against.
    std::size_t sure() const;
    // A refusal now is about the count: more connections are there than were before.
    bool is_trying(std::size_t taken) const { return taken > proven_; }

    // ---- what happened
    // One opened; so many are open with it. several: others that opened with it.
    void opened(core::Instant now, std::size_t open, std::size_t several = 1);
    // One could not be opened: it was refused or failed. So many others are open, or opening.
    void refused(core::Instant now, std::size_t open, std::size_t opening);
    // A session ended that completed nothing, or something.
    void ended(core::Instant now, bool fruitless, std::size_t open);
    // A transaction completed, after such a time.
    void completed(core::Instant now, core::Duration took, std::size_t open);
    // Nothing works any more: what was learned is forgotten.
    void restart();
    void limit_by(std::size_t limit) { limit_ = limit; }
    // What outlives the process, and what an earlier one learned. A cap stays so long beyond its
    // time; a count that was open once is reached at once, but proves nothing.
    LearnedWindow learned(core::Instant now) const;
    void restore(const LearnedWindow& learned, core::Instant now);
    // So many at once from the start, as several shards serve it.
    void reach(std::size_t count) { reach_ = reach_ < count ? count : reach_; }

  private:
    struct Bound {
        std::size_t level = 0;  // the count that was refused; 0: there is none
        unsigned refusals = 0;  // in a row
        core::Instant ask_at{};
        core::Instant latest{};
        std::size_t openings = 0;  // below it, since the last refusal
        bool there() const { return level > 0; }
    };

    std::size_t bound(core::Instant now) const;
    bool is_due(core::Instant now) const;
    std::size_t openings_before_trial() const;
    void doubt(core::Instant now, std::size_t level);
    void learn_cap(core::Instant now, std::size_t level);
    void confirm_cap(core::Instant now);
    void brake(core::Instant now, std::size_t open);
    void watch(core::Instant now, core::Duration took, std::size_t open);

    std::size_t limit_;
    std::size_t proven_ = 0;  // so many were open
    std::size_t reach_ = kStart;
    core::Instant step_at_ = core::kNever;  // reach_ grows though nothing opened
    Bound cap_;
    Bound doubt_;            // below the cap
    Bound beneath_;          // refusals below the doubt, which nothing refutes either
    unsigned row_ = 0;       // refusals since anything opened
    std::size_t stale_ = 0;  // connections that were opening at the last refusal: the same fact
    core::Instant refused_at_{};
    // ---- the brake
    std::size_t braked_ = 0;  // 0: it is not
    core::Instant cut_at_{};
    std::size_t credit_ = 0;  // transactions
    core::Instant stepped_{};
    unsigned fruitless_ = 0;  // in a row
    // ---- how long transactions take
    core::Duration usual_ = core::Duration::max();   // the shortest of this time
    core::Duration before_ = core::Duration::max();  // and of the time before
    core::Instant usual_until_{};
    core::Duration smooth_{};
    enum class Pace : std::uint8_t {
        usual,
        slow,
        cut,  // slow, and there are fewer connections: whether that helps is looked at
    };
    Pace pace_ = Pace::usual;
    core::Duration at_cut_{};  // smooth_ then
    core::Instant look_at_{};
};

}  // namespace relay
