#include "relay/spool/journal_files.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace relay {

namespace {

constexpr std::string_view kSegmentSuffix = ".seg";
constexpr std::size_t kDigits = 16;
constexpr std::string_view kJournalPrefix = "journal-";
constexpr std::string_view kChainSuffix = ".chain";
constexpr int kMostTries = 10;

template <typename Number>
std::optional<Number> number_of(std::string_view digits) {
    Number number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return number;
}

class Look {
  public:
    Look(core::Disk& disk, const std::string& spool, std::uint32_t journal)
        : disk_(disk),
          journal_(journal),
          directory_(journal_directory(spool, journal)),
          chain_(chain_path(spool, journal)) {}

    core::Result<JournalFiles> run() {
        if (auto read = read_chain_file(); !read) return std::unexpected(std::move(read.error()));
        auto names = disk_.list(directory_);
        if (!names && names.error() == std::errc::no_such_file_or_directory) names.emplace();
        if (!names) return core::failure(directory_ + ": " + names.error().message());
        std::ranges::sort(*names);
        for (const std::string& name : *names) {
            if (auto sorted = sort(name); !sorted) return std::unexpected(sorted.error());
        }
        std::ranges::sort(candidates_, {}, &JournalFiles::File::sequence);
        choose();
        if (!files_.chain && files_.complaint.empty()) complain_without_chain();
        return std::move(files_);
    }

  private:
    core::Result<void> read_chain_file() {
        const auto octets = disk_.read_start(chain_, 2 * Chain::kSlot);
        if (octets) {
            files_.chain = read_chain(*octets, journal_);
            if (!files_.chain)
                files_.complaint = "cannot be read: which segments are missing is not known";
        } else if (octets.error() != std::errc::no_such_file_or_directory) {
            if (octets.error() != std::errc::is_a_directory &&
                octets.error() != std::errc::invalid_argument) {
                return core::failure(chain_ + ": " + octets.error().message());
            }
            return core::failure(chain_ + " is no file: move it away");
        }
        return {};
    }

    core::Result<void> sort(const std::string& name) {
        const auto facts = disk_.facts(directory_ + "/" + name);
        const bool to_nothing =
            !facts && (facts.error() == std::errc::no_such_file_or_directory ||
                       facts.error() == std::errc::too_many_symbolic_link_levels);
        if (!facts && !to_nothing) {
            return core::failure(directory_ + "/" + name + ": " + facts.error().message());
        }
        const bool regular = facts && facts->kind == core::FileKind::regular;
        if (name.ends_with(kStrangerSuffix)) {
            if (regular) files_.kept_octets += facts->octets;
        } else if (const auto sequence = sequence_of(name)) {
            if (regular) {
                candidates_.push_back({*sequence, facts->octets});
            } else {
                files_.strangers.push_back({name, "is no file", true});
            }
        } else if (const auto kept = kept_sequence(name)) {
            files_.kept.push_back(*kept);
            if (regular) files_.kept_octets += facts->octets;
        } else if (regular && name.ends_with(kSpareSuffix)) {
            files_.spares.push_back(name);
        } else {
            files_.strangers.push_back({name, "has no name that this program gives", false});
        }
        return {};
    }

    static std::optional<std::uint64_t> kept_sequence(std::string_view name) {
        if (!name.ends_with(kDamagedSuffix)) return std::nullopt;
        return sequence_of(name.substr(0, name.size() - kDamagedSuffix.size()));
    }

    // Nothing: it is that segment of this journal, whatever stands after its header.
    std::optional<std::string> complaint_of(std::uint64_t sequence) {
        const auto octets =
            disk_.read_start(directory_ + "/" + segment_file_name(sequence), kSegmentBlock);
        if (!octets) return octets.error().message();
        const auto header = read_segment_header(*octets, {journal_, sequence});
        if (header) {
            version_3_ |= header->version > 2;
            return std::nullopt;
        }
        return header.error();
    }

    // A number that the chain does not know is believed when the header says the same; the one
    // after the newest too, since its header may be what is damaged.
    void choose() {
        if (files_.chain) {
            files_.oldest = files_.chain->oldest;
            files_.newest = files_.chain->newest;
        }
        bool first = !files_.chain;
        for (const JournalFiles::File& file : candidates_) {
            const std::uint64_t sequence = file.sequence;
            const bool known = sequence >= files_.oldest && sequence <= files_.newest;
            const auto complaint = known ? std::nullopt : complaint_of(sequence);
            if (complaint && sequence != files_.newest + 1 && !first) {
                stranger(sequence, *complaint);
            } else {
                if (std::exchange(first, false)) files_.oldest = sequence;
                files_.newest = std::max(files_.newest, sequence);
                files_.segments.push_back(file);
            }
        }
        // Without a chain, names that nothing stands for are all there is to number the next by.
        if (files_.chain || !files_.segments.empty()) return;
        for (const std::uint64_t kept : files_.kept)
            files_.newest = std::max(files_.newest, kept);
        files_.oldest = files_.newest + 1;
    }

    void stranger(std::uint64_t sequence, const std::string& complaint) {
        files_.strangers.push_back({segment_file_name(sequence), complaint, true});
    }

    void complain_without_chain() {
        if (version_3_) {
            files_.complaint = "is missing: which segments are missing at either end is not known";
        }
    }

    core::Disk& disk_;
    std::uint32_t journal_;
    std::string directory_;
    std::string chain_;
    JournalFiles files_;
    std::vector<JournalFiles::File> candidates_;
    bool version_3_ = false;  // a segment that was made together with a chain
};

}  // namespace

std::string segment_file_name(std::uint64_t sequence) {
    return fmt::format("{:016}{}", sequence, kSegmentSuffix);
}

std::optional<std::uint64_t> sequence_of(std::string_view file_name) {
    if (!file_name.ends_with(kSegmentSuffix)) return std::nullopt;
    const std::string_view digits = file_name.substr(0, file_name.size() - kSegmentSuffix.size());
    if (digits.size() < kDigits) return std::nullopt;
    const auto sequence = number_of<std::uint64_t>(digits);
    if (!sequence || *sequence == 0 || *sequence > kLastSequence) return std::nullopt;
    if (segment_file_name(*sequence) != file_name) return std::nullopt;
    return sequence;
}

std::string journal_directory(const std::string& spool, std::uint32_t journal) {
    return fmt::format("{}/{}{:02}", spool, kJournalPrefix, journal);
}

std::string chain_path(const std::string& spool, std::uint32_t journal) {
    return journal_directory(spool, journal) + std::string(kChainSuffix);
}

std::optional<std::uint32_t> journal_of(std::string_view name) {
    std::string_view digits = name;
    if (!digits.starts_with(kJournalPrefix)) return std::nullopt;
    digits.remove_prefix(kJournalPrefix.size());
    if (digits.ends_with(kChainSuffix)) digits.remove_suffix(kChainSuffix.size());
    const auto journal = number_of<std::uint32_t>(digits);
    if (!journal || fmt::format("{:02}", *journal) != digits) return std::nullopt;
    return journal;
}

std::vector<JournalFiles::Gap> JournalFiles::gaps() const {
    std::vector<std::uint64_t> there = kept;
    for (const File& file : segments)
        there.push_back(file.sequence);
    std::ranges::sort(there);
    std::vector<Gap> found;
    std::uint64_t expected = oldest;
    for (const std::uint64_t sequence : there) {
        if (sequence < expected) continue;
        if (sequence > newest) break;
        if (sequence > expected) found.push_back({expected, sequence - 1});
        expected = sequence + 1;
    }
    if (expected <= newest) found.push_back({expected, newest});
    return found;
}

// A journal in use gives up segments meanwhile, and says so in its chain first.
core::Result<JournalFiles> look_at_journal(core::Disk& disk, const std::string& spool,
                                           std::uint32_t journal) {
    for (int tries = 1;; ++tries) {
        auto files = Look(disk, spool, journal).run();
        if (!files || !files->chain || tries == kMostTries) return files;
        const auto octets = disk.read_start(chain_path(spool, journal), 2 * Chain::kSlot);
        if (!octets || read_chain(*octets, journal) == files->chain) return files;
    }
}

}  // namespace relay
