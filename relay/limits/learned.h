// Learned: what receivers showed, as it outlives a process: of each path the window (the cap, how
// many connections were open) and of each host after how many messages it closes a session. Each
// has a time after which it counts for nothing. A text of lines, one for each; immutable once it is
// read. Pure values. Limit: kMostLearned lines, the first ones; further ones are learned again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/base/time.h"

namespace relay {

struct LearnedWindow {
    std::size_t cap = 0;      // the count that was refused; 0: none
    unsigned refusals = 0;    // of it
    std::size_t proven = 0;   // so many were open
    core::Duration left{};    // for so long
    core::Duration ask_in{};  // the cap is tried again after that
    bool worth_keeping() const { return left > core::Duration{} && (cap > 0 || proven > 0); }
    bool operator==(const LearnedWindow&) const = default;
};

struct LearnedCap {
    std::size_t messages = 0;  // of a session
    core::Duration left{};
    bool operator==(const LearnedCap&) const = default;
};

class Learned {
  public:
    static constexpr std::size_t kMostLearned = 10'000;
    static constexpr std::size_t kMostKeyOctets = 2000;

    explicit Learned(std::size_t most = kMostLearned) : most_(most) {}

    // ---- to write
    void add(std::string_view path, const LearnedWindow& window, core::WallTime now);
    void add(std::string_view host, const LearnedCap& cap, core::WallTime now);
    bool is_full() const { return lines_ >= most_; }
    std::size_t lines() const { return lines_; }
    // One after another of what was added.
    std::string take_text() { return std::move(text_); }

    // ---- to read. False: some of it is not understood, and left out.
    bool read(std::string_view text);
    LearnedWindow window(std::string_view path, core::WallTime now) const;
    LearnedCap cap(std::string_view host, core::WallTime now) const;
    template <typename Visit>
    void each_cap(core::WallTime now, const Visit& visit) const {
        for (const auto& [host, kept] : caps_)
            visit(host, cap(host, now));
    }
    std::size_t size() const { return windows_.size() + caps_.size(); }

  private:
    struct Kept {
        std::size_t count = 0;  // of connections, or messages
        unsigned refusals = 0;
        std::size_t proven = 0;
        core::WallTime until{};
        core::WallTime ask_at{};
    };
    using Kepts = std::unordered_map<std::string, Kept>;
    void add_line(char kind, std::string_view key, const Kept& kept);

    std::size_t most_;
    std::string text_;
    std::size_t lines_ = 0;
    Kepts windows_;
    Kepts caps_;
};

}  // namespace relay
