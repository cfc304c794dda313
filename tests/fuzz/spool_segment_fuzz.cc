// Segments and records that anybody may have written. What must hold for any octets:
//   - decoding and scanning read only what is there (the sanitizers watch a copy of exactly that
//     size) and end;
//   - a record that a scan finds lies inside the segment, behind the one before it, and its content
//     has the checksum that the record names; damage lies inside too, and never over a record;
//   - what was written by the journal's functions is found, and when its octets are changed nothing
//     is found that was not written;
//   - a record that decodes gives the same record again when it is written and read.
// The first octet chooses: octets as a segment, as a record, or as a script that writes a segment
// and then damages it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/message/message.h"
#include "relay/spool/record.h"
#include "relay/spool/segment_format.h"
#include "tests/unit/spool/segment_builder.h"

namespace {

using relay::BuiltRecord;

constexpr relay::SegmentName kName{.journal = 1, .sequence = 5};

void require(bool holds) {
    if (!holds) std::abort();
}

relay::SegmentScan checked_scan(std::string_view octets) {
    relay::SegmentScan scan = relay::scan_segment(octets, kName);
    std::size_t end = 0;
    for (const relay::RecordView& one : scan.records) {
        require(one.offset >= end && one.offset >= relay::kSegmentBlock);
        end = one.content_offset + one.content_octets;
        require(end <= octets.size() && one.content_octets <= octets.size());
        require(one.body.data() >= octets.data() &&
                one.body.data() + one.body.size() <= octets.data() + octets.size());
        const auto content = octets.substr(one.content_offset, one.content_octets);
        require(relay::crc32c(scan.seed, content) == one.content_checksum);
    }
    std::vector<relay::Damage> damages = scan.damages;
    damages.insert(damages.end(), scan.interrupted.begin(), scan.interrupted.end());
    for (const relay::Damage& damage : damages) {
        require(damage.offset <= octets.size());
        require(damage.octets <= octets.size() + relay::kSegmentBlock - damage.offset);
    }
    const std::size_t rounded =
        (octets.size() + relay::kSegmentBlock - 1) / relay::kSegmentBlock * relay::kSegmentBlock;
    require(scan.seal.end <= std::max(rounded, relay::kSegmentBlock));
    return scan;
}

bool same(const relay::RecipientRecord& a, const relay::RecipientRecord& b) {
    return a.index == b.index && a.address == b.address && a.attempts == b.attempts &&
           a.next_attempt == b.next_attempt && a.has_reply == b.has_reply &&
           a.reply.code == b.reply.code && a.reply.enhanced == b.reply.enhanced &&
           b.reply.text == a.reply.text.substr(0, b.reply.text.size()) &&
           b.command == a.command.substr(0, b.command.size());
}

void check_message(std::string_view octets) {
    const auto record = relay::decode_message(octets);
    if (!record) return;
    const relay::Tenant tenant{relay::TenantId{1}, std::string(record->tenant)};
    relay::Message message;
    message.id = record->id;
    message.created = record->created;
    message.eight_bit = record->eight_bit;
    message.utf8 = record->utf8;
    message.sender = record->sender;
    message.priority = record->priority;
    if (!record->tenant.empty() || !record->campaign.empty()) {
        message.edit_labels() = {&tenant, std::string(record->campaign)};
    }
    message.content.declare(record->leading_dots, record->leading_dots);
    std::vector<relay::LastReply> replies(record->recipients.size());
    for (std::size_t i = 0; i < record->recipients.size(); ++i) {
        const relay::RecipientRecord& from = record->recipients[i];
        auto to = std::make_unique<relay::Recipient>(message, std::string(from.address));
        to->index = from.index;
        to->attempts = from.attempts;
        to->next_attempt = from.next_attempt;
        if (from.has_reply) {
            replies[i] = {copy_of(from.reply), std::string(from.command)};
            to->last_reply = &replies[i];
        }
        message.recipients.push_back(std::move(to));
    }
    std::string written;
    relay::encode_message(message, record->moved, written);
    const auto again = relay::decode_message(written);
    require(again.has_value());
    require(again->id == record->id && again->created == record->created &&
            again->eight_bit == record->eight_bit && again->utf8 == record->utf8 &&
            again->moved == record->moved && again->leading_dots == record->leading_dots &&
            again->sender == record->sender && again->tenant == record->tenant &&
            again->campaign == record->campaign);
    require(std::ranges::equal(record->recipients, again->recipients, same));
}

void check_outcome(std::string_view octets) {
    const auto record = relay::decode_outcome(octets);
    if (!record) return;
    std::string written;
    relay::encode_outcome(*record, written);
    const auto again = relay::decode_outcome(written);
    require(again && again->id == record->id && again->index == record->index &&
            again->outcome == record->outcome && again->attempts == record->attempts &&
            again->next_attempt == record->next_attempt && again->reply.code == record->reply.code);
}

// Takes numbers off the front of the script; zeros when it is over.
class Script {
  public:
    explicit Script(std::string_view octets) : octets_(octets) {}
    bool over() const { return octets_.empty(); }
    std::uint8_t octet() {
        if (octets_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(octets_.front());
        octets_.remove_prefix(1);
        return value;
    }
    std::size_t number() {
        const std::size_t low = octet();
        return low | std::size_t{octet()} << 8;
    }
    std::string_view text(std::size_t length) {
        const std::string_view taken = octets_.substr(0, length);
        octets_.remove_prefix(taken.size());
        return taken;
    }

  private:
    std::string_view octets_;
};

void write_and_damage(Script script) {
    relay::SegmentBuilder built(kName, 4 * relay::kSegmentBlock);
    std::vector<BuiltRecord> all;
    std::uint32_t written = 0;
    for (std::size_t batches = script.octet() % 5; batches > 0; --batches) {
        std::vector<BuiltRecord> batch;
        for (std::size_t records = script.octet() % 4; records > 0; --records) {
            BuiltRecord one;
            one.type =
                script.octet() % 2 == 0 ? relay::RecordType::message : relay::RecordType::outcome;
            one.body = script.text(script.octet());
            one.content = script.text(script.octet() % 32);
            one.content.resize(script.number() % 9000, '-');
            batch.push_back(one);
        }
        const std::uint32_t unfinished = script.octet() % 3;
        built.add_batch(batch, std::min(unfinished, written++));
        all.insert(all.end(), batch.begin(), batch.end());
    }
    std::string octets = built.octets();
    const auto whole = checked_scan(octets);
    require(relay::SegmentBuilder::found(octets, whole) == all);
    require(whole.damages.empty() && whole.interrupted.empty() && whole.seal == built.seal());

    octets.resize(octets.size() - script.number() % octets.size());
    while (!script.over() && !octets.empty()) {
        const std::size_t at = script.number() * 3 % octets.size();
        octets[at] = static_cast<char>(octets[at] ^ script.octet());
    }
    // Exactly sized: a copy on the heap shows reads after its end.
    const auto copy = std::make_unique<char[]>(octets.size());
    octets.copy(copy.get(), octets.size());
    const std::string_view damaged(copy.get(), octets.size());
    for (const BuiltRecord& one : relay::SegmentBuilder::found(damaged, checked_scan(damaged)))
        require(std::ranges::find(all, one) != all.end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto copy = std::make_unique<char[]>(size - 1);
    for (std::size_t i = 1; i < size; ++i)
        copy[i - 1] = static_cast<char>(data[i]);
    const std::string_view octets(copy.get(), size - 1);
    switch (data[0] % 4) {
        case 0:
            if (relay::read_segment_header(octets, kName)) PH_ASSERT(!octets.empty());
            checked_scan(octets);
            break;
        case 1:
            check_message(octets);
            break;
        case 2:
            check_outcome(octets);
            break;
        default:
            write_and_damage(Script(octets));
    }
    return 0;
}
