#include "relay/limits/learned.h"

#include <charconv>
#include <chrono>
#include <system_error>
#include <utility>

namespace relay {

namespace {

// The number before the next space.
template <typename Number>
bool take_number(std::string_view& line, Number& number) {
    const std::size_t end = line.find(' ');
    if (end == std::string_view::npos) return false;
    const auto [stop, error] = std::from_chars(line.data(), line.data() + end, number);
    if (error != std::errc{} || stop != line.data() + end) return false;
    line.remove_prefix(end + 1);
    return true;
}

std::int64_t ns(core::WallTime when) {
    return when.time_since_epoch().count();
}

core::Duration left(core::WallTime until, core::WallTime now) {
    return until > now ? until - now : core::Duration{};
}

}  // namespace

// "w 11 3 10 UNTIL ASK path": names may have spaces, and nothing comes after them.
void Learned::add_line(char kind, std::string_view key, const Kept& kept) {
    if (is_full() || key.empty() || key.size() > kMostKeyOctets ||
        key.find('\n') != std::string_view::npos) {
        return;
    }
    ++lines_;
    text_.push_back(kind);
    for (const std::int64_t number :
         {static_cast<std::int64_t>(kept.count), static_cast<std::int64_t>(kept.refusals),
          static_cast<std::int64_t>(kept.proven), ns(kept.until), ns(kept.ask_at)}) {
        text_.append(" ").append(std::to_string(number));
    }
    text_.append(" ").append(key).append("\n");
}

void Learned::add(std::string_view path, const LearnedWindow& window, core::WallTime now) {
    if (!window.worth_keeping()) return;
    // By the minute, so that the text stays the same while nothing is learned.
    const core::WallTime until = std::chrono::ceil<std::chrono::minutes>(now + window.left);
    const core::WallTime ask_at = window.cap == 0 ? core::WallTime{} : now + window.ask_in;
    add_line('w', path, {window.cap, window.refusals, window.proven, until, ask_at});
}

void Learned::add(std::string_view host, const LearnedCap& cap, core::WallTime now) {
    if (cap.messages == 0 || cap.left <= core::Duration{}) return;
    add_line('c', host, {.count = cap.messages, .until = now + cap.left});
}

bool Learned::read(std::string_view text) {
    bool sound = true;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (size() >= kMostLearned) return false;
        Kept kept;
        std::int64_t until = 0;
        std::int64_t ask = 0;
        const char kind = line.empty() ? ' ' : line.front();
        const bool known = (kind == 'w' || kind == 'c') && line.size() > 2 && line[1] == ' ';
        if (known) line.remove_prefix(2);
        if (!known || !take_number(line, kept.count) || !take_number(line, kept.refusals) ||
            !take_number(line, kept.proven) || !take_number(line, until) ||
            !take_number(line, ask) || line.empty()) {
            sound = false;
            continue;
        }
        kept.until = core::WallTime(core::Duration(until));
        kept.ask_at = core::WallTime(core::Duration(ask));
        (kind == 'w' ? windows_ : caps_).insert_or_assign(std::string(line), kept);
    }
    return sound;
}

LearnedWindow Learned::window(std::string_view path, core::WallTime now) const {
    if (windows_.empty()) return {};
    const auto found = windows_.find(std::string(path));
    if (found == windows_.end() || found->second.until <= now) return {};
    const Kept& kept = found->second;
    return {kept.count, kept.refusals, kept.proven, left(kept.until, now), left(kept.ask_at, now)};
}

LearnedCap Learned::cap(std::string_view host, core::WallTime now) const {
    if (caps_.empty()) return {};
    const auto found = caps_.find(std::string(host));
    if (found == caps_.end() || found->second.until <= now) return {};
    return {found->second.count, left(found->second.until, now)};
}

}  // namespace relay
