// JournalFiles: sorts the files that stand on the disk for one journal, before anything is opened:
// by name, by the chain, and where those leave a doubt by the header of a segment. It changes
// nothing. A start and `posthaste spool dump` both begin with it. Blocks; of files that the chain
// does not know it reads one block, of the others only names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/file/disk.h"
#include "relay/spool/chain.h"

namespace relay {

inline constexpr std::string_view kSpareSuffix = ".free";
inline constexpr std::string_view kDamagedSuffix = ".damaged";
inline constexpr std::string_view kStrangerSuffix = ".foreign";

// Numbers of segments go on beyond 16 digits, and end here.
inline constexpr std::uint64_t kLastSequence = 1'000'000'000'000'000'000;

std::string segment_file_name(std::uint64_t sequence);  // "0000000000000012.seg"
// Nothing when it is no segment's name, as segment_file_name() writes it.
std::optional<std::uint64_t> sequence_of(std::string_view file_name);

std::string journal_directory(const std::string& spool, std::uint32_t journal);  // "…/journal-05"
std::string chain_path(const std::string& spool, std::uint32_t journal);  // "…/journal-05.chain"
// Whose directory or chain that name is, as they are written here: "journal-5" is nobody's.
std::optional<std::uint32_t> journal_of(std::string_view name);

struct JournalFiles {
    struct File {
        std::uint64_t sequence = 0;
        std::uint64_t octets = 0;
    };
    struct Stranger {
        std::string name;
        std::string what;         // "is a directory"
        bool in_the_way = false;  // it has the name of a segment, and is none of this journal
    };
    struct Gap {  // segments that must be there and are not
        std::uint64_t first = 0;
        std::uint64_t last = 0;
    };

    std::optional<Chain> chain;  // nothing: a journal of version 2, a new one, or a damaged chain
    std::string complaint;       // about the chain; empty: none
    std::uint64_t oldest = 1;    // of the segments that must be there; less than newest: none
    std::uint64_t newest = 0;
    // Ascending. Also some below the oldest: their removal was interrupted, or a person put one
    // back.
    std::vector<File> segments;
    std::vector<std::string> spares;
    std::vector<std::uint64_t> kept;  // damaged ones, renamed
    std::uint64_t kept_octets = 0;    // of those, and of strangers set aside
    std::vector<Stranger> strangers;

    std::vector<Gap> gaps() const;
};

// An error names the file. A directory that is not there holds nothing.
core::Result<JournalFiles> look_at_journal(core::Disk& disk, const std::string& spool,
                                           std::uint32_t journal);

}  // namespace relay
