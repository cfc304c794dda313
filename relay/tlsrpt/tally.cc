#include "relay/tlsrpt/tally.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/assert.h"
#include "relay/dsn/dsn_text.h"

namespace relay {

namespace {

constexpr std::string_view kHeader = "posthaste tls-report 1";
constexpr std::size_t kMostText = 4096;  // of a policy's line, a name
constexpr UtcDay kLastDay = 100'000;     // 2243; WallTime goes a little further

std::string cleaned(std::string_view text, std::size_t most = kMostText) {
    return clean_line(text, false, most);
}

ReportedPolicy cleaned(const ReportedPolicy& policy) {
    ReportedPolicy clean;
    clean.kind = policy.kind;
    clean.domain = cleaned(policy.domain);
    for (const std::string& line : policy.lines)
        clean.lines.push_back(cleaned(line));
    for (const std::string& host : policy.hosts)
        clean.hosts.push_back(cleaned(host));
    return clean;
}

TlsFailure cleaned(const TlsFailure& failure) {
    return {failure.type, cleaned(failure.sending_ip), cleaned(failure.host),
            cleaned(failure.receiving_ip), cleaned(failure.reason, TlsTally::kMostReason)};
}

std::size_t weight(std::string_view text) {
    return sizeof(std::string) + text.size();
}

std::size_t weight(const TlsFailure& failure) {
    return 64 + weight(failure.sending_ip) + weight(failure.host) + weight(failure.receiving_ip) +
           weight(failure.reason);
}

std::size_t weight(const ReportedPolicy& policy) {
    std::size_t octets = sizeof(PolicyCounts) + policy.domain.size();
    for (const std::string& line : policy.lines)
        octets += weight(line);
    for (const std::string& host : policy.hosts)
        octets += weight(host);
    return octets;
}

std::size_t weight(const TlsTally::Key& key) {
    return 128 + key.second.size();
}

FailureCount* find(PolicyCounts& counts, const TlsFailure& failure) {
    const auto found = std::ranges::find(counts.failed, failure, &FailureCount::failure);
    return found == counts.failed.end() ? nullptr : &*found;
}

std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    while (true) {
        const std::size_t end = std::min(line.find('\t'), line.size());
        fields.push_back(line.substr(0, end));
        if (end == line.size()) return fields;
        line.remove_prefix(end + 1);
    }
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    return read.ec == std::errc{} && read.ptr == end;
}

template <typename Enum, std::size_t count>
bool read_word(std::string_view text, const std::array<std::string_view, count>& words,
               Enum& value) {
    const auto found = std::ranges::find(words, text);
    if (found == words.end()) return false;
    value = static_cast<Enum>(found - words.begin());
    return true;
}

void append_line(std::string& text, std::initializer_list<std::string_view> fields) {
    for (const std::string_view field : fields)
        text.append(field).push_back('\t');
    text.back() = '\n';
}

void add_lines(std::string& text, const TlsTally::Key& key,
               const std::vector<PolicyCounts>& policies) {
    for (const PolicyCounts& each : policies) {
        append_line(text, {"policy", std::to_string(key.first), key.second,
                           to_string(each.policy.kind), each.policy.domain});
        for (const std::string& line : each.policy.lines)
            append_line(text, {"line", line});
        for (const std::string& host : each.policy.hosts)
            append_line(text, {"host", host});
        if (each.successes > 0) {
            append_line(text, {"succeeded", std::to_string(each.successes)});
        }
        for (const auto& [failure, sessions] : each.failed) {
            append_line(text,
                        {"failed", std::to_string(sessions), to_string(failure.type),
                         failure.sending_ip, failure.host, failure.receiving_ip, failure.reason});
        }
    }
}

}  // namespace

UtcDay utc_day(core::WallTime time) {
    return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

core::WallTime begin_of(UtcDay day) {
    return core::WallTime{std::chrono::days{day}};
}

PolicyCounts* TlsTally::counts_of(const Key& key, const ReportedPolicy& policy) {
    auto place = domains_.find(key);
    if (place != domains_.end()) {
        const auto found = std::ranges::find(place->second, policy, &PolicyCounts::policy);
        if (found != place->second.end()) return &*found;
        if (place->second.size() >= kMostPolicies) return nullptr;
    }
    const std::size_t more = weight(policy) + (place == domains_.end() ? weight(key) : 0);
    if (octets_ + more > most_octets_) return nullptr;
    octets_ += more;
    if (place == domains_.end()) place = domains_.try_emplace(key).first;
    return &place->second.emplace_back(PolicyCounts{.policy = policy});
}

void TlsTally::count(const Key& key, const ReportedPolicy& policy,
                     const std::optional<TlsFailure>& failure, std::uint64_t sessions) {
    PolicyCounts* const counts = counts_of(key, cleaned(policy));
    if (counts == nullptr) {
        dropped_ += sessions;
        return;
    }
    if (!failure) {
        counts->successes += sessions;
        return;
    }
    counts->failures += sessions;
    TlsFailure wanted = cleaned(*failure);
    FailureCount* place = find(*counts, wanted);
    const bool room =
        counts->failed.size() < kMostFailures && octets_ + weight(wanted) <= most_octets_;
    if (place == nullptr && !room) {
        wanted = TlsFailure{.type = wanted.type};
        place = find(*counts, wanted);  // there are few types: these always find room
    }
    if (place == nullptr) {
        octets_ += weight(wanted);
        place = &counts->failed.emplace_back(FailureCount{std::move(wanted), 0});
    }
    place->sessions += sessions;
}

void TlsTally::merge(TlsTally other) {
    while (merge_some(other, kMostFailures))
        continue;
}

bool TlsTally::merge_some(TlsTally& other, std::size_t most) {
    dropped_ += std::exchange(other.dropped_, 0);
    while (most > 0 && !other.domains_.empty()) {
        const auto entry = other.domains_.begin();
        std::vector<PolicyCounts>& policies = entry->second;
        if (policies.empty()) {
            other.erase(Key(entry->first));
            continue;
        }
        PolicyCounts& first = policies.front();
        if (first.successes > 0) {
            count(entry->first, first.policy, std::nullopt, std::exchange(first.successes, 0));
            --most;
        } else if (!first.failed.empty()) {
            const FailureCount& failed = first.failed.front();
            count(entry->first, first.policy, failed.failure, failed.sessions);
            other.octets_ -= weight(failed.failure);
            first.failed.erase(first.failed.begin());
            --most;
        } else {
            other.octets_ -= weight(first.policy);
            policies.erase(policies.begin());
        }
    }
    return !other.domains_.empty();
}

void TlsTally::erase(const Key& key) {
    const auto found = domains_.find(key);
    if (found == domains_.end()) return;
    std::size_t octets = weight(key);
    for (const PolicyCounts& each : found->second) {
        octets += weight(each.policy);
        for (const FailureCount& failed : each.failed)
            octets += weight(failed.failure);
    }
    PH_ASSERT(octets <= octets_);
    octets_ -= octets;
    domains_.erase(found);
}

std::string TlsTally::text() const {
    std::string text;
    std::optional<Key> last;
    while (add_text(text, last, domains_.size()))
        continue;
    return text;
}

bool TlsTally::add_text(std::string& text, std::optional<Key>& last, std::size_t most) const {
    if (!last) text = std::string(kHeader) + '\n';
    auto next = last ? domains_.upper_bound(*last) : domains_.begin();
    for (; most > 0 && next != domains_.end(); ++next, --most) {
        add_lines(text, next->first, next->second);
        last = next->first;
    }
    return next != domains_.end();
}

void TlsTally::read(std::string_view text) {
    TlsTallyReader reader(*this, text);
    while (reader.advance(kMostFailures))
        continue;
}

// A line of kind P, its lines S and H, its counts O and F, for each policy.
TlsTallyReader::TlsTallyReader(TlsTally& tally, std::string_view text)
    : tally_(tally), rest_(text) {
    if (next_line() != kHeader) rest_ = {};
}

bool TlsTallyReader::advance(std::size_t lines) {
    for (; lines > 0; --lines) {
        const auto line = next_line();
        if (!line) return false;
        take(*line);
    }
    return !rest_.empty();
}

// None: that was all, or the last one is cut off.
std::optional<std::string_view> TlsTallyReader::next_line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
}

void TlsTallyReader::take(std::string_view line) {
    const std::vector<std::string_view> all = fields_of(line);
    const std::span<const std::string_view> fields = std::span(all).subspan(1);
    if (all[0] == "policy") {
        known_ = begin(fields);
    } else if (known_ && all[0] == "line" && fields.size() == 1) {
        policy_.lines.emplace_back(fields[0]);
    } else if (known_ && all[0] == "host" && fields.size() == 1) {
        policy_.hosts.emplace_back(fields[0]);
    } else if (known_ && all[0] == "succeeded" && fields.size() == 1) {
        std::uint64_t sessions = 0;
        if (read_number(fields[0], sessions)) count(std::nullopt, sessions);
    } else if (known_ && all[0] == "failed") {
        take_failure(fields);
    }
}

bool TlsTallyReader::begin(std::span<const std::string_view> fields) {
    policy_ = {};
    if (fields.size() != 4 || !read_number(fields[0], key_.first) ||
        !read_word(fields[2], kTlsPolicyKindWords, policy_.kind)) {
        return false;
    }
    key_.second = cleaned(fields[1], 255);
    policy_.domain = fields[3];
    return key_.first >= 0 && key_.first <= kLastDay && !key_.second.empty();
}

void TlsTallyReader::take_failure(std::span<const std::string_view> fields) {
    TlsFailure failure;
    std::uint64_t sessions = 0;
    if (fields.size() != 6 || !read_number(fields[0], sessions) ||
        !read_word(fields[1], kTlsFailureWords, failure.type)) {
        return;
    }
    failure.sending_ip = fields[2];
    failure.host = fields[3];
    failure.receiving_ip = fields[4];
    failure.reason = fields[5];
    count(failure, sessions);
}

void TlsTallyReader::count(const std::optional<TlsFailure>& failure, std::uint64_t sessions) {
    constexpr std::uint64_t kMostSessions = 1ULL << 50;  // sums of these do not overflow
    if (sessions > 0 && sessions <= kMostSessions) tally_.count(key_, policy_, failure, sessions);
}

}  // namespace relay
