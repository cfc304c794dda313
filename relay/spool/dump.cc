#include "relay/spool/dump.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/base/json_text.h"
#include "relay/spool/segment.h"

namespace relay {

namespace {

namespace fs = std::filesystem;

struct SegmentFile {
    SegmentName name;
    fs::path path;
};

std::vector<SegmentFile> segments_below(const fs::path& directory) {
    constexpr std::string_view kPrefix = "journal-";
    std::vector<SegmentFile> files;
    std::error_code error;
    for (const auto& journal : fs::directory_iterator(directory, error)) {
        const std::string name = journal.path().filename();
        if (!name.starts_with(kPrefix)) continue;
        std::uint32_t id = 0;
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), id);
        for (const auto& file : fs::directory_iterator(journal.path(), error)) {
            const auto sequence = sequence_of(file.path().filename().string());
            if (sequence) files.push_back({{id, *sequence}, file.path()});
        }
    }
    std::ranges::sort(files, [](const SegmentFile& one, const SegmentFile& other) {
        return std::pair(one.name.journal, one.name.sequence) <
               std::pair(other.name.journal, other.name.sequence);
    });
    return files;
}

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

std::string line_of(const SegmentName& name, const RecordView& view) {
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
                                record->code);
            line += text("reply", record->text);
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
    return line + "]}\n";
}

void print_damage(const SegmentName& name, const Damage& damage, std::FILE* out) {
    const std::string line =
        fmt::format("{{\"type\":\"damage\",{},\"octets\":{}{}}}\n", place(name, damage.offset),
                    damage.octets, text("what", damage.what));
    std::fputs(line.c_str(), out);
}

bool dump_segment(const SegmentFile& file, std::FILE* out) {
    std::ifstream in(file.path, std::ios::binary);
    const std::string octets((std::istreambuf_iterator<char>(in)), {});
    bool whole = in.good() || in.eof();
    if (const auto complaint = check_segment_header(octets, file.name)) {
        print_damage(file.name, {0, kSegmentBlock, *complaint}, out);
        whole = false;
    }
    const SegmentScan scan = scan_segment(octets, file.name);
    for (const RecordView& record : scan.records) {
        const std::string line = line_of(file.name, record);
        std::fputs(line.c_str(), out);
        if (line.empty()) {
            print_damage(file.name, {record.offset, record.body.size(), "not as specified"}, out);
            whole = false;
        }
    }
    for (const Damage& damage : scan.damages)
        print_damage(file.name, damage, out);
    for (const Damage& damage : scan.interrupted)
        print_damage(file.name, {damage.offset, damage.octets, damage.what + ", interrupted"}, out);
    return whole && scan.damages.empty();
}

}  // namespace

int dump_spool(const fs::path& directory, std::FILE* out) {
    std::error_code error;
    if (!fs::is_directory(directory, error)) {
        std::fprintf(stderr, "%s is no directory\n", directory.c_str());
        return 1;
    }
    bool whole = true;
    for (const SegmentFile& file : segments_below(directory))
        whole = dump_segment(file, out) && whole;
    return whole ? 0 : 1;
}

}  // namespace relay
