#include "core/base/sparse_log.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace core {

SparseLog::Reason& SparseLog::reason_for(std::string_view& name) {
    constexpr std::string_view kOther = "other events";
    auto found = reasons_.find(name);
    if (found == reasons_.end()) {
        if (reasons_.size() >= kMaxReasons) name = kOther;
        found = reasons_.try_emplace(std::string(name)).first;
    }
    return found->second;
}

void SparseLog::note(Instant now, LogLevel level, std::string_view reason, std::string_view subject,
                     std::string_view detail) {
    if (reasons_.empty()) {
        began_ = now;
    } else {
        sweep(now);
    }
    subject = subject.substr(0, kMaxSubjectOctets);
    detail = detail.substr(0, kMaxDetailOctets);
    Reason& into = reason_for(reason);
    into.level = level;
    auto known = into.subjects.find(subject);
    if (known == into.subjects.end() && subjects_ < options_.max_subjects) {
        known = into.subjects.try_emplace(std::string(subject)).first;
        ++subjects_;
        if (into.first_lines < options_.max_first_lines) {
            ++into.first_lines;
            return write_first(reason, into, subject, detail);
        }
    }
    ++into.more;
    into.detail.assign(detail);
    if (known == into.subjects.end()) {
        ++into.others;
        return;
    }
    ++known->second.more;
    known->second.seen = true;
}

void SparseLog::sweep(Instant now) {
    if (now < due()) return;
    const Duration passed = now - began_;
    began_ = now;
    for (auto at = reasons_.begin(); at != reasons_.end();) {
        Reason& reason = at->second;
        if (reason.more > 0) write_sum(at->first, reason, passed);
        // One that is silent for longer than an interval is new when it comes again.
        const bool all_silent = passed >= 2 * options_.interval;
        subjects_ -= std::erase_if(reason.subjects, [all_silent](const auto& each) {
            return all_silent || !each.second.seen;
        });
        for (auto& [name, subject] : reason.subjects)
            subject = {.more = 0, .seen = false};
        reason.more = reason.others = reason.first_lines = 0;
        at = reason.subjects.empty() ? reasons_.erase(at) : std::next(at);
    }
}

void SparseLog::close(Instant now) {
    for (const auto& [name, reason] : reasons_) {
        if (reason.more > 0) write_sum(name, reason, now - began_);
    }
    reasons_.clear();
    subjects_ = 0;
}

void SparseLog::write_first(std::string_view name, const Reason& reason, std::string_view subject,
                            std::string_view detail) const {
    std::string line(name);
    for (const std::string_view part : {subject, detail}) {
        if (!part.empty()) line.append(": ").append(escaped(part));
    }
    sink_(reason.level, line);
}

// "client refused: 1234 more in 60 s: 192.0.2.1 (1200), 192.0.2.7 (33), others (1); last: …"
void SparseLog::write_sum(std::string_view name, const Reason& reason, Duration passed) const {
    using Entry = Subjects::const_pointer;
    std::array<Entry, kNamedSubjects> most{};
    for (const auto& each : reason.subjects) {
        Entry entry = &each;
        for (Entry& place : most) {
            if (entry != nullptr && entry->second.more > 0 &&
                (place == nullptr || entry->second.more > place->second.more ||
                 (entry->second.more == place->second.more && entry->first < place->first))) {
                std::swap(entry, place);
            }
        }
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(passed).count();
    std::string line =
        fmt::format("{}: {} more in {} s", name, reason.more, std::max<std::int64_t>(seconds, 1));
    std::uint64_t rest = reason.more;
    std::string_view before = ": ";
    for (const Entry entry : most) {
        if (entry == nullptr || entry->first.empty()) continue;
        line += fmt::format("{}{} ({})", before, escaped(entry->first), entry->second.more);
        rest -= entry->second.more;
        before = ", ";
    }
    if (rest > 0 && rest < reason.more) line += fmt::format(", others ({})", rest);
    if (!reason.detail.empty()) line += "; last: " + escaped(reason.detail);
    sink_(reason.level, line);
}

}  // namespace core
