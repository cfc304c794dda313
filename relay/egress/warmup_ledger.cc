#include "relay/egress/warmup_ledger.h"

#include <algorithm>
#include <charconv>

namespace relay {

namespace {

constexpr std::string_view kFormat = "warmup 1";

template <typename Number>
bool number_of(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

std::string_view cut_off(std::string_view& rest, char at) {
    const std::size_t end = std::min(rest.find(at), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

}  // namespace

std::uint32_t WarmupLedger::reserve_of(std::uint32_t allowance) {
    return std::min(allowance, std::max(allowance / 4, kLeastReserve));
}

void WarmupLedger::begin_day(std::int64_t day) {
    if (day == day_) return;
    if (day_ != 0) unclean_ = false;
    day_ = day;
    keys_.clear();
    changed_ = true;
}

// "warmup 1", "DAY clean|open", then lines of count, source and provider with tabs between them.
bool WarmupLedger::read(std::string_view text, std::int64_t today) {
    const std::scoped_lock lock(mutex_);
    const bool ours = cut_off(text, '\n') == kFormat;
    std::string_view head = cut_off(text, '\n');
    std::int64_t day = 0;
    const bool dated = number_of(cut_off(head, ' '), day);
    if (!ours || !dated || day > today) unknown_day_ = today;
    if (unknown_day_ == today || day != today) return unknown_day_ != today;
    day_ = day;
    unclean_ = head != "clean";
    while (!text.empty() && keys_.size() < kMostKeys) {
        std::string_view line = cut_off(text, '\n');
        std::uint32_t taken = 0;
        if (!number_of(cut_off(line, '\t'), taken)) continue;
        const std::string source(cut_off(line, '\t'));
        Key& key = keys_[{source, std::string(line)}];
        key.taken = key.mark = taken;
    }
    return true;
}

std::uint32_t WarmupLedger::lease(const std::string& source, const std::string& provider,
                                  std::int64_t day, std::uint32_t allowance) {
    const std::scoped_lock lock(mutex_);
    if (day < day_ || day == unknown_day_) return 0;  // a clock that was set back
    begin_day(day);
    if (kept_ && open_day_ != day) {  // a kill now would be taken for a day without mail
        changed_ = true;
        return 0;
    }
    auto found = keys_.find({source, provider});
    if (found == keys_.end()) {
        if (keys_.size() >= kMostKeys) return 0;
        found = keys_.try_emplace({source, provider}).first;
        // A key that the file does not know may have had its reserve.
        found->second.mark = reserve_of(allowance);
        if (unclean_) found->second.taken = found->second.mark;
    }
    Key& key = found->second;
    key.reserve = reserve_of(allowance);
    const std::uint32_t most = kept_ ? std::min(allowance, key.mark) : allowance;
    changed_ = changed_ || key.taken < allowance;
    if (key.taken >= most) return 0;
    const auto share = static_cast<std::uint32_t>((allowance - key.taken) / (4 * shards_));
    const std::uint32_t given = std::min(std::clamp(share, 1U, kMostLease), most - key.taken);
    key.taken += given;
    return given;
}

bool WarmupLedger::was_used() const {
    const std::scoped_lock lock(mutex_);
    return day_ != 0;
}

bool WarmupLedger::is_changed() const {
    const std::scoped_lock lock(mutex_);
    return changed_;
}

std::string WarmupLedger::text(bool clean) {
    const std::scoped_lock lock(mutex_);
    changed_ = false;
    next_open_day_ = clean ? 0 : day_;
    std::string text(kFormat);
    text += "\n" + std::to_string(day_) + (clean ? " clean\n" : " open\n");
    for (auto& [name, key] : keys_) {
        key.next = clean ? key.taken : key.taken + key.reserve;
        text += std::to_string(key.next) + "\t" + name.first + "\t" + name.second + "\n";
    }
    return text;
}

void WarmupLedger::written() {
    const std::scoped_lock lock(mutex_);
    open_day_ = next_open_day_;
    for (auto& [name, key] : keys_)
        key.mark = std::max(key.mark, key.next);
}

std::vector<WarmupProgress> WarmupLedger::progress(std::int64_t day) const {
    const std::scoped_lock lock(mutex_);
    std::vector<WarmupProgress> all;
    if (day != day_) return all;
    for (const auto& [name, key] : keys_)
        all.push_back({name.first, name.second, key.taken});
    return all;
}

bool WarmupShare::take(const std::string& source, const std::string& provider, std::int64_t day,
                       std::uint32_t allowance) {
    if (day != day_) {
        day_ = day;
        left_.clear();
    }
    const auto found = left_.find({source, provider});
    std::uint32_t have = found == left_.end() ? 0 : found->second;
    if (have == 0) have = ledger_.lease(source, provider, day, allowance);
    if (have == 0) return false;
    left_[{source, provider}] = have - 1;
    return true;
}

}  // namespace relay
