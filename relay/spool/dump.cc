#include "relay/spool/dump.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/json_text.h"
#include "core/file/posix_disk.h"
#include "relay/spool/held_back.h"
#include "relay/spool/journal_files.h"
#include "relay/spool/segment_format.h"

namespace relay {

namespace {

std::string text(std::string_view key, std::string_view value) {
    std::string out = fmt::format(",\"{}\":", key);
    core::append_json_string(out, value);
    return out;
}

std::int64_t seconds(core::WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string place(const SegmentName& name, std::size_t offset) {
    return fmt::format("\"journal\":{},\"segment\":{},\"offset\":{}", name.journal, name.sequence,
                       offset);
}

std::string line_of(const SegmentName& name, const RecordView& view,
                    const std::set<MessageId>& set_aside) {
    std::string line;
    if (view.type == RecordType::outcome) {
        const auto record = decode_outcome(view.body);
        if (!record) return {};
        line = fmt::format("{{\"type\":\"outcome\",{},\"id\":\"{}\",\"recipient\":{}",
                           place(name, view.offset), record->id.to_string(), record->index);
        line += text("outcome", to_string(record->outcome));
        line += fmt::format(",\"attempts\":{}", record->attempts);
        if (record->outcome == Outcome::deferred) {
            line += fmt::format(",\"next_attempt\":{},\"code\":{}", seconds(record->next_attempt),
                                record->reply.code);
            line += text("reply", record->reply.text);
        }
        return line + "}\n";
    }
    const auto record = decode_message(view.body);
    if (!record) return {};
    line = fmt::format("{{\"type\":\"message\",{},\"id\":\"{}\",\"created\":{},\"moved\":{}",
                       place(name, view.offset), record->id.to_string(), seconds(record->created),
                       record->moved);
    line += text("sender", record->sender);
    line += fmt::format(",\"content_offset\":{},\"content_octets\":{},\"recipients\":[",
                        view.content_offset, view.content_octets);
    for (const RecipientRecord& recipient : record->recipients) {
        if (line.back() == '}') line += ',';
        std::string address;
        core::append_json_string(address, recipient.address);
        line += fmt::format(
            "{{\"recipient\":{},\"address\":{},\"attempts\":{},\"next_attempt\":{}}}",
            recipient.index, address, recipient.attempts, seconds(recipient.next_attempt));
    }
    line += ']';
    if (set_aside.contains(record->id)) line += ",\"set_aside\":true";
    return line + "}\n";
}

class Dump {
  public:
    Dump(std::string spool, std::FILE* out) : spool_(std::move(spool)), out_(out) {
        const auto held = set_aside_in(disk_, spool_);
        if (held) set_aside_.insert(held->begin(), held->end());
        if (!held) stranger(spool_ + "/" + std::string(kSetAsideFolder), held.error().message());
    }

    // False: something is damaged, or could not be read.
    bool run(const std::vector<std::uint32_t>& journals) {
        for (const std::uint32_t journal : journals)
            dump_journal(journal);
        return whole_;
    }

    void stranger(const std::string& path, const std::string& what) {
        whole_ = false;
        print(fmt::format("{{\"type\":\"damage\"{}{}}}\n", text("file", path), text("what", what)));
    }

  private:
    void print(const std::string& line) { std::fputs(line.c_str(), out_); }

    void damage(const SegmentName& name, const Damage& damage) {
        whole_ = false;
        print(fmt::format("{{\"type\":\"damage\",{},\"octets\":{}{}}}\n",
                          place(name, damage.offset), damage.octets, text("what", damage.what)));
    }

    void dump_journal(std::uint32_t journal) {
        const auto files = look_at_journal(disk_, spool_, journal);
        const std::string directory = journal_directory(spool_, journal);
        if (!files) return stranger(directory, files.error());
        if (!files->complaint.empty()) stranger(chain_path(spool_, journal), files->complaint);
        for (const JournalFiles::Stranger& one : files->strangers)
            stranger(directory + "/" + one.name, one.what);
        collect_headers(journal, *files);
        for (const JournalFiles::Gap& gap : files->gaps())
            missing(journal, gap);
        for (const JournalFiles::File& file : files->segments)
            dump_segment({journal, file.sequence}, file.octets, *files);
    }

    // A segment is held to what the one after it says.
    void collect_headers(std::uint32_t journal, const JournalFiles& files) {
        seals_.clear();
        runs_.clear();
        for (const JournalFiles::File& file : files.segments) {
            const SegmentName name{journal, file.sequence};
            const auto octets = disk_.read_start(path_of(name), kSegmentBlock);
            const auto header = octets ? read_segment_header(*octets, name)
                                       : core::failure(octets.error().message());
            if (!header || header->begins_run) runs_.insert(file.sequence);
            if (header && header->before) seals_[file.sequence - 1] = *header->before;
        }
        newest_ = files.segments.empty() ? 0 : files.segments.back().sequence;
    }

    void missing(std::uint32_t journal, const JournalFiles::Gap& gap) {
        for (std::uint64_t sequence = gap.first; sequence <= gap.last; ++sequence) {
            const auto seal = seals_.find(sequence);
            std::string what = "the segment is missing";
            if (sequence - gap.first == kMostNamed) {
                what += fmt::format(", and so are those up to {}", gap.last);
                sequence = gap.last;
            } else if (seal != seals_.end()) {
                what += fmt::format("; it held {} batches with {} records", seal->second.batches,
                                    seal->second.records);
            }
            damage({journal, sequence}, {0, 0, what});
        }
    }

    void dump_segment(const SegmentName& name, std::uint64_t size, const JournalFiles& files) {
        const auto octets = disk_.read_start(path_of(name), size);
        if (!octets && given_up(name)) return;
        if (!octets) return damage(name, {0, size, octets.error().message()});
        const auto header = read_segment_header(*octets, name);
        if (!header && given_up(name)) return;  // and its file is being used again
        if (!header) damage(name, {0, kSegmentBlock, header.error()});
        if (header && header->size > octets->size()) {
            damage(name, {octets->size(), header->size - octets->size(), "the file is cut short"});
        }
        SegmentScan scan = scan_segment(*octets, name);
        verify(name, files, scan);
        print_records(name, scan);
        for (const Damage& one : scan.damages)
            damage(name, one);
        for (const Damage& one : scan.interrupted) {
            print(fmt::format("{{\"type\":\"interrupted\",{},\"octets\":{}{}}}\n",
                              place(name, one.offset), one.octets, text("what", one.what)));
        }
    }

    // Meanwhile, by the process that uses the spool.
    bool given_up(const SegmentName& name) {
        const auto files = look_at_journal(disk_, spool_, name.journal);
        return files && files->chain && name.sequence < files->oldest;
    }

    void verify(const SegmentName& name, const JournalFiles& files, SegmentScan& scan) const {
        const auto in_next = seals_.find(name.sequence);
        const Seal* const in_chain = files.chain ? files.chain->seal_of(name.sequence) : nullptr;
        if (in_next != seals_.end()) {
            hold_to_seal(scan, in_next->second);
        } else if (in_chain != nullptr) {
            hold_to_seal(scan, *in_chain);
        } else if (name.sequence != newest_ && !runs_.contains(name.sequence + 1)) {
            take_as_left_in_order(scan);
        }
    }

    void print_records(const SegmentName& name, const SegmentScan& scan) {
        for (const RecordView& record : scan.records) {
            const std::string line = line_of(name, record, set_aside_);
            print(line);
            if (line.empty()) damage(name, {record.offset, record.body.size(), "not as specified"});
        }
    }

    std::string path_of(const SegmentName& name) const {
        return journal_directory(spool_, name.journal) + "/" + segment_file_name(name.sequence);
    }

    static constexpr std::uint64_t kMostNamed = 1000;  // of the segments that are missing

    core::PosixDisk disk_;
    std::string spool_;
    std::FILE* out_;
    std::set<MessageId> set_aside_;
    bool whole_ = true;
    std::map<std::uint64_t, Seal> seals_;
    std::set<std::uint64_t> runs_;  // begin with these segments, or may
    std::uint64_t newest_ = 0;
};

struct Contents {
    std::vector<std::uint32_t> journals;
    std::vector<std::string> strangers;  // that look as if there was mail in them
    bool lock = false;
};

core::IoResult<Contents> look_at_spool(core::Disk& disk, const std::string& directory) {
    const auto names = disk.list(directory);
    if (!names) return std::unexpected(names.error());
    Contents contents;
    for (const std::string& name : *names) {
        contents.lock |= name == "lock";
        const auto facts = disk.facts(directory + "/" + name);
        const bool is_directory = facts && facts->kind == core::FileKind::directory;
        const auto journal = journal_of(name);
        if (journal && is_directory != name.ends_with(".chain")) {
            contents.journals.push_back(*journal);
        } else if (name.starts_with("journal-") && !name.ends_with(".chain.new")) {
            contents.strangers.push_back(name);
        }
    }
    std::ranges::sort(contents.journals);
    const auto twice = std::ranges::unique(contents.journals);
    contents.journals.erase(twice.begin(), twice.end());
    return contents;
}

int refuse(const std::string& directory, const std::string& what) {
    std::fprintf(stderr, "%s %s\n", directory.c_str(), what.c_str());
    return 1;
}

}  // namespace

int dump_spool(const std::string& directory, std::FILE* out) {
    core::PosixDisk disk;
    std::string spool = directory;
    const auto in_data_dir = disk.facts(directory + "/spool");
    if (in_data_dir && in_data_dir->kind == core::FileKind::directory) spool += "/spool";
    const auto contents = look_at_spool(disk, spool);
    if (!contents) return refuse(spool, "cannot be read: " + contents.error().message());
    const bool empty = contents->journals.empty() && contents->strangers.empty();
    if (empty && !contents->lock) {
        return refuse(directory,
                      "is no spool: it has no journals; give DATA_DIR or DATA_DIR/spool");
    }
    Dump dump(spool, out);
    for (const std::string& name : contents->strangers)
        dump.stranger(spool + "/" + name, "is no name of a journal: what is in it is not read");
    const bool whole = dump.run(contents->journals) && contents->strangers.empty();
    if (std::fflush(out) != 0 || std::ferror(out) != 0)
        return refuse(spool, "was not printed whole");
    return whole ? 0 : 1;
}

}  // namespace relay
