#include "relay/security/sts_store.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace relay {

namespace {

constexpr std::string_view kHeader = "posthaste mta-sts 1";

bool counts(const StsKnown& known, core::WallTime now) {
    return known.policy != nullptr && now - known.fetched < known.policy->max_age;
}

std::size_t weight(const std::string& domain, const StsKnown& known) {
    std::size_t octets = 256 + 2 * domain.size() + known.id.size() + known.failed_id.size();
    if (known.policy != nullptr) {
        for (const std::string& pattern : known.policy->mx)
            octets += sizeof(std::string) + pattern.size();
    }
    return octets;
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t end = std::min(line.find(' '), line.size());
        words.push_back(line.substr(0, end));
        if (end == line.size()) return words;
        line.remove_prefix(end + 1);
    }
}

std::int64_t seconds_of(core::WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

struct Line {
    std::string domain;
    std::string id;
    core::WallTime fetched;
    StsPolicy policy;
};

// domain, id, fetched, then the policy in its own words, separated by "|".
std::optional<Line> line_of(std::string_view text) {
    const std::vector<std::string_view> words = words_of(text);
    if (words.size() != 4 || words[0].empty()) return std::nullopt;
    std::int64_t fetched = 0;
    const char* const end = words[2].data() + words[2].size();
    if (std::from_chars(words[2].data(), end, fetched).ptr != end) return std::nullopt;
    std::string policy(words[3]);
    std::ranges::replace(policy, '|', '\n');
    auto parsed = parse_sts_policy(policy);
    if (!parsed) return std::nullopt;
    return Line{std::string(words[0]), std::string(words[1]),
                core::WallTime{std::chrono::seconds{fetched}}, std::move(*parsed)};
}

std::string text_of(const std::string& domain, const StsKnown& known) {
    const StsPolicy& policy = *known.policy;
    std::string line = domain + ' ' + known.id + ' ' + std::to_string(seconds_of(known.fetched)) +
                       " version:STSv1|mode:" + std::string(to_string(policy.mode)) +
                       "|max_age:" + std::to_string(policy.max_age.count());
    for (const std::string& pattern : policy.mx)
        line += "|mx:" + pattern;
    return line + '\n';
}

}  // namespace

StsKnown& StsStore::touch(const std::string& domain) {
    const Entry found = entries_.entry_of(domain);
    if (found != entries_.end() && found != entries_.begin()) walk_past(found);
    return entries_.touch(domain)->value.known;
}

// The front entry changed. What is over the limit goes, but never the front.
void StsStore::weigh() {
    const Entry entry = entries_.begin();
    octets_ -= entry->value.octets;
    entry->value.octets = weight(entry->name, entry->value.known);
    octets_ += entry->value.octets;
    while (octets_ > most_octets_ && entries_.size() > 1)
        erase(entries_.oldest());
}

void StsStore::erase(Entry entry) {
    walk_past(entry);
    octets_ -= entry->value.octets;
    entries_.erase(entry);
}

// The walk goes from the back to the front, where it finds what was used meanwhile.
void StsStore::walk_past(Entry entry) {
    if (walked_to_ != entry) return;
    walked_to_ = entry == entries_.begin() ? entries_.end() : std::prev(entry);
}

StsKnown StsStore::find(const std::string& domain, core::WallTime now) {
    const std::lock_guard lock(mutex_);
    if (entries_.find(domain) == nullptr) return {};
    StsKnown& known = touch(domain);
    if (!counts(known, now)) known.policy = nullptr;
    return known;
}

void StsStore::keep(const std::string& domain, std::shared_ptr<const StsPolicy> policy,
                    std::string id, core::WallTime now) {
    const std::lock_guard lock(mutex_);
    touch(domain) = {.policy = std::move(policy), .id = std::move(id), .fetched = now};
    entries_.begin()->value.written = 0;
    weigh();
    ++changes_;
}

void StsStore::note_failure(const std::string& domain, std::string id, TlsFailureType why,
                            core::WallTime retry_at) {
    const std::lock_guard lock(mutex_);
    StsKnown& known = touch(domain);
    known.failed_id = std::move(id);
    known.failed_why = why;
    known.retry_at = retry_at;
    weigh();
}

std::string StsStore::text(core::WallTime now) {
    std::string text;
    begin_text(text);
    while (add_text(text, now, size()))
        continue;
    return text;
}

void StsStore::begin_text(std::string& text) {
    const std::lock_guard lock(mutex_);
    text = std::string(kHeader) + '\n';
    ++walk_;
    walked_to_ = entries_.empty() ? entries_.end() : entries_.oldest();
}

// Read again in this order, so that the one used last is in front again.
bool StsStore::add_text(std::string& text, core::WallTime now, std::size_t most) {
    const std::lock_guard lock(mutex_);
    for (; most > 0 && walked_to_ != entries_.end(); --most) {
        auto& [domain, kept] = *walked_to_;
        const bool again = std::exchange(kept.written, walk_) == walk_;
        if (!again && counts(kept.known, now)) text += text_of(domain, kept.known);
        walk_past(walked_to_);
    }
    return walked_to_ != entries_.end();
}

std::size_t StsStore::read(std::string_view text, core::WallTime now) {
    const std::lock_guard lock(mutex_);
    bool first = true;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) break;  // cut off
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (std::exchange(first, false)) {
            if (line != kHeader) break;
            continue;
        }
        auto read = line_of(line);
        if (!read) continue;
        StsKnown known{.policy = std::make_shared<const StsPolicy>(std::move(read->policy)),
                       .id = std::move(read->id),
                       .fetched = read->fetched};
        // A clock that was wrong must not make a policy last for ever.
        if (!counts(known, now) || known.fetched > now) continue;
        touch(read->domain) = std::move(known);
        weigh();
    }
    return entries_.size();
}

std::uint64_t StsStore::changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
}

std::size_t StsStore::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace relay
