#include "relay/security/sts_policy.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/blanks.h"

namespace relay {

namespace {

constexpr std::string_view kRecordStart = "v=STSv1";
constexpr std::size_t kMostIdOctets = 32;
constexpr std::size_t kMostKeyOctets = 32;
constexpr std::size_t kMostNameOctets = 253;
constexpr std::size_t kMostLabelOctets = 63;

// sts-ext-name and sts-policy-ext-name: a letter or digit, then up to 31 of these.
bool is_key(std::string_view key) {
    if (key.empty() || key.size() > kMostKeyOctets || !core::is_alnum(key.front())) return false;
    return std::ranges::all_of(
        key, [](char c) { return core::is_alnum(c) || c == '_' || c == '-' || c == '.'; });
}

bool is_domain(std::string_view name) {
    if (name.empty() || name.size() > kMostNameOctets) return false;
    while (true) {
        const std::size_t dot = std::min(name.find('.'), name.size());
        const std::string_view label = name.substr(0, dot);
        const bool plain = std::ranges::all_of(
            label, [](char c) { return core::is_alnum(c) || c == '-' || c == '_'; });
        if (label.empty() || label.size() > kMostLabelOctets || !plain) return false;
        if (dot == name.size()) return true;
        name.remove_prefix(dot + 1);
    }
}

std::optional<std::string> pattern_of(std::string_view text) {
    if (text.ends_with('.')) text.remove_suffix(1);
    if (!is_domain(text.starts_with("*.") ? text.substr(2) : text)) return std::nullopt;
    return core::to_lower(text);
}

std::optional<std::chrono::seconds> seconds_of(std::string_view digits) {
    if (digits.empty() || digits.size() > 10 || !std::ranges::all_of(digits, core::is_digit)) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return std::min(std::chrono::seconds{value}, StsPolicy::kLongest);
}

std::optional<StsMode> mode_of(std::string_view word) {
    for (const StsMode mode : {StsMode::none, StsMode::testing, StsMode::enforce}) {
        if (word == to_string(mode)) return mode;
    }
    return std::nullopt;
}

class PolicyReader {
  public:
    core::Result<StsPolicy> read(std::string_view text) {
        while (!text.empty() && problem_.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            std::string_view line = text.substr(0, end);
            if (end < text.size() && line.ends_with('\r')) line.remove_suffix(1);
            text.remove_prefix(std::min(end + 1, text.size()));
            take(core::trim_blanks(line));
        }
        if (problem_.empty() && !version_) problem_ = "no version";
        if (problem_.empty() && !mode_) problem_ = "no mode";
        if (problem_.empty() && !max_age_) problem_ = "no max_age";
        if (problem_.empty() && policy_.mx.empty() && *mode_ != StsMode::none) problem_ = "no mx";
        if (!problem_.empty()) return core::failure(problem_);
        policy_.mode = *mode_;
        policy_.max_age = *max_age_;
        return std::move(policy_);
    }

  private:
    void take(std::string_view line) {
        if (line.empty()) return;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_key(line.substr(0, colon))) {
            problem_ = "a line that is not \"key: value\"";
            return;
        }
        const std::string_view key = line.substr(0, colon);
        const std::string_view value = core::trim_blanks(line.substr(colon + 1));
        if (key == "mx") return take_mx(value);
        if (key == "version" && !version_) {
            version_ = true;
            if (value != "STSv1") problem_ = "a version that is not STSv1";
        } else if (key == "mode" && !mode_) {
            mode_ = mode_of(value);
            if (!mode_) problem_ = "a mode that is none of enforce, testing, none";
        } else if (key == "max_age" && !max_age_) {
            max_age_ = seconds_of(value);
            if (!max_age_) problem_ = "a max_age that is no number of seconds";
        }
    }

    void take_mx(std::string_view value) {
        auto pattern = pattern_of(value);
        if (!pattern) {
            problem_ = "an mx that is no host name";
        } else if (policy_.mx.size() == StsPolicy::kMostPatterns) {
            problem_ = "too many mx";
        } else {
            policy_.mx.push_back(std::move(*pattern));
        }
    }

    StsPolicy policy_;
    bool version_ = false;
    std::optional<StsMode> mode_;
    std::optional<std::chrono::seconds> max_age_;
    std::string problem_;
};

// sts-ext-value: visible characters but "=" and ";".
bool is_value(std::string_view value) {
    return !value.empty() && std::ranges::all_of(value, [](char c) {
        return c > ' ' && c < '\x7f' && c != '=' && c != ';';
    });
}

bool is_id(std::string_view value) {
    return !value.empty() && value.size() <= kMostIdOctets &&
           std::ranges::all_of(value, core::is_alnum);
}

// "v=STSv1" and a delimiter come first, in this case; everything else is no record of ours.
bool is_record(std::string_view record) {
    if (!record.starts_with(kRecordStart)) return false;
    record = core::trim_blanks(record.substr(kRecordStart.size()));
    return record.starts_with(';');
}

std::optional<std::string> id_of(std::string_view record) {
    std::optional<std::string> id;
    record.remove_prefix(record.find(';') + 1);
    while (true) {
        const std::size_t end = std::min(record.find(';'), record.size());
        const std::string_view field = core::trim_blanks(record.substr(0, end));
        const bool last = end == record.size();
        if (field.empty()) return last ? id : std::nullopt;
        const std::size_t equals = std::min(field.find('='), field.size());
        const std::string_view key = field.substr(0, equals);
        const std::string_view value = field.substr(std::min(equals + 1, field.size()));
        if (!is_key(key) || !is_value(value)) return std::nullopt;
        if (key == "id" && !id) {
            if (!is_id(value)) return std::nullopt;
            id = value;
        }
        if (last) return id;
        record.remove_prefix(end + 1);
    }
}

}  // namespace

std::string_view to_string(StsMode mode) {
    switch (mode) {
        case StsMode::testing:
            return "testing";
        case StsMode::enforce:
            return "enforce";
        case StsMode::none:
            break;
    }
    return "none";
}

bool StsPolicy::allows(std::string_view host) const {
    const std::size_t dot = host.find('.');
    return std::ranges::any_of(mx, [&](std::string_view pattern) {
        if (!pattern.starts_with("*.")) return core::equals_ignoring_case(pattern, host);
        return dot != std::string_view::npos && dot > 0 &&
               core::equals_ignoring_case(pattern.substr(2), host.substr(dot + 1));
    });
}

core::Result<StsPolicy> parse_sts_policy(std::string_view text) {
    if (text.size() > StsPolicy::kMostOctets) return core::failure("the policy is too long");
    return PolicyReader().read(text);
}

std::optional<std::string> sts_id(std::span<const std::string> records) {
    const std::string* only = nullptr;
    for (const std::string& record : records) {
        if (!is_record(record)) continue;
        if (only != nullptr) return std::nullopt;
        only = &record;
    }
    if (only == nullptr) return std::nullopt;
    return id_of(*only);
}

}  // namespace relay
