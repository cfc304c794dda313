// SparseLog: log lines about what repeats: clients that are refused, sites that defer mail, name
// servers that are silent. note() writes a line at once when a subject is new for its reason;
// further occurrences are counted, and sweep() writes one line for each reason and interval with
// their sum and the subjects that caused most. A subject that was silent for a whole interval is
// new again. Owned by one shard, or one thread; no locks, no clock: the caller passes the time and
// calls sweep() at due(), or uses ShardLog (core/runtime/shard_log.h), which does. Text from
// outside is escaped and cut here. No allocation for an occurrence that is only counted. Limits:
// max_subjects over all reasons: occurrences of further ones are counted as "others".
// max_first_lines for each reason and interval: further new subjects show in the sum only.
// kMaxReasons: further ones are counted as "other events".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/log.h"
#include "core/base/time.h"

namespace core {

struct SparseLogOptions {
    Duration interval = std::chrono::minutes(1);
    std::size_t max_subjects = 1000;
    std::size_t max_first_lines = 10;
};

class SparseLog {
  public:
    using Sink = std::function<void(LogLevel, std::string_view)>;
    static constexpr std::size_t kMaxReasons = 64;
    static constexpr std::size_t kMaxSubjectOctets = 128;
    static constexpr std::size_t kMaxDetailOctets = 256;
    static constexpr std::size_t kNamedSubjects = 3;  // in the line of a sum

    explicit SparseLog(SparseLogOptions options = {}, Sink sink = log_write)
        : options_(options), sink_(std::move(sink)) {}

    // reason: words of ours, "client refused"; subject: an address, a site; detail: why.
    void note(Instant now, LogLevel level, std::string_view reason, std::string_view subject,
              std::string_view detail = {});
    // Writes the sums once the interval is over.
    void sweep(Instant now);
    // When sweep() has something to do; kNever while nothing is remembered.
    Instant due() const { return reasons_.empty() ? kNever : began_ + options_.interval; }
    // Writes the sums of an interval that is not over, and forgets everything: at the end.
    void close(Instant now);

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    struct Subject {
        std::uint64_t more = 0;  // occurrences of this interval that had no line of their own
        bool seen = true;        // in this interval
    };
    using Subjects = std::unordered_map<std::string, Subject, Hash, std::equal_to<>>;
    struct Reason {
        LogLevel level = LogLevel::kWarning;  // of the latest occurrence
        Subjects subjects;
        std::uint64_t more = 0;    // of all subjects
        std::uint64_t others = 0;  // those of more that belong to no subject that is remembered
        std::size_t first_lines = 0;
        std::string detail;  // the latest of those that were only counted
    };

    Reason& reason_for(std::string_view& name);
    void write_first(std::string_view name, const Reason& reason, std::string_view subject,
                     std::string_view detail) const;
    void write_sum(std::string_view name, const Reason& reason, Duration passed) const;

    SparseLogOptions options_;
    Sink sink_;
    std::map<std::string, Reason, std::less<>> reasons_;
    std::size_t subjects_ = 0;  // of all reasons
    Instant began_{};           // the interval
};

}  // namespace core
