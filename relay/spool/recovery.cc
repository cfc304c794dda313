#include "relay/spool/recovery.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include <fmt/format.h>

#include "core/base/log.h"
#include "core/file/file.h"
#include "core/runtime/event.h"
#include "core/runtime/next_turn.h"
#include "core/runtime/slices.h"

namespace relay {

namespace {

constexpr core::Duration kPatience = std::chrono::seconds{1};
constexpr std::uint64_t kLargestSegment = 1ULL << 32;  // offsets in it are of 32 bits

// Of the record of an outcome, or of a recipient.
template <typename Record>
LastReply reply_of(const Record& record) {
    return {.reply = copy_of(record.reply),
            .command = std::string(record.command),
            .local = record.local};
}

}  // namespace

Recovery::~Recovery() {
    for (auto& [which, known] : outcomes_)
        mail_.replies().release(known.reply);
}

core::Task<RecoveryReport> Recovery::run(const bool& stop) {
    report_.damaged += journal_.store().damages_at_open();
    std::vector<Segment*> segments;
    for (const auto& segment : journal_.store().segments()) {
        if (!segment->scanned) segments.push_back(segment.get());
    }
    for (Segment* segment : segments | std::views::reverse) {
        if (stop) co_return report_;
        co_await recover(*segment, stop);
    }
    if (stop) co_return report_;
    report_missing();
    for (Segment* segment : segments)
        journal_.store().seal(*segment);
    co_return report_;
}

void Recovery::report_missing() {
    const SegmentStore& store = journal_.store();
    for (const JournalFiles::Gap& gap : store.found().gaps()) {
        report_.damaged += gap.last - gap.first + 1;
        const auto seal = seals_.find(gap.last);
        const std::string lost =
            seal == seals_.end() ? std::string("how much mail was in them is not known")
                                 : fmt::format("the last of them held {} batches with {} records",
                                               seal->second.batches, seal->second.records);
        core::log_error("spool {} {} to {}: {} segments are missing; {}", store.options().directory,
                        segment_file_name(gap.first), segment_file_name(gap.last),
                        gap.last - gap.first + 1, lost);
    }
}

core::Task<void> Recovery::recover(Segment& segment, const bool& stop) {
    if (segment.size > kLargestSegment) {
        damaged(segment, 0, "is larger than any segment");
        segment.scanned = true;
        co_return;
    }
    core::AlignedBuffer buffer(segment.size);
    const std::span<char> octets = buffer.first(segment.size);
    if (!co_await read(segment, octets, stop)) co_return;
    const std::string_view text(octets.data(), octets.size());
    SegmentScanner scanner(text, segment.name);
    while (!take_step(scanner)) {
        if (stop) co_return;
        co_await core::NextTurn{shard_.reactor()};
    }
    SegmentScan scan = scanner.take();
    segment.used = scan.seal.end;
    segment.seed = scan.seed;
    segment.seal = scan.seal;
    verify(segment, text, scan);
    co_await report(segment, scan);
    std::size_t turn = 0;
    for (const RecordView& record : scan.records | std::views::reverse) {
        if (record.type == RecordType::outcome) {
            take_outcome(record, segment);
        } else {
            co_await take_message(record, segment);
        }
        if (++turn % kRecordsATurn != 0) continue;
        if (stop) co_return;
        co_await core::NextTurn{shard_.reactor()};
    }
    ++report_.segments;
    segment.scanned = true;
    journal_.store().readers().close(segment);
}

bool Recovery::take_step(SegmentScanner& scanner) {
    ++report_.steps;
    return scanner.step(kScanStep, kPiecesATurn);
}

// False: it was stopped. What cannot be read for good is zeros; what cannot be opened because there
// is no descriptor or no memory is waited for.
core::Task<bool> Recovery::read(Segment& segment, std::span<char> octets, const bool& stop) {
    for (std::size_t at = 0; at < octets.size(); at += kReadStep) {
        const auto part = octets.subspan(at, std::min(kReadStep, octets.size() - at));
        auto read = co_await journal_.store().readers().read(segment, part, at);
        while (!read && passes(read.error())) {
            if (stop) co_return false;
            core::log_warning("spool {} {} waits: {}", journal_.store().options().directory,
                              segment_file_name(segment.name.sequence), read.error().message());
            core::Event never(shard_.reactor());
            co_await never.wait(shard_.now() + kPatience);
            read = co_await journal_.store().readers().read(segment, part, at);
        }
        if (read) continue;
        damaged(segment, at, "cannot be read: " + read.error().message());
        std::ranges::fill(part, '\0');
    }
    co_return true;
}

// Holds the segment to what the next one and the chain say of it, and keeps what it says of the one
// before.
void Recovery::verify(Segment& segment, std::string_view octets, SegmentScan& scan) {
    const auto header = read_segment_header(octets, segment.name);
    if (!header) damaged(segment, 0, header.error());
    if (header && header->size > segment.size) {
        damaged(segment, segment.size, fmt::format("is cut short: it had {} octets", header->size));
    }
    const auto& chain = journal_.store().found().chain;
    const Seal* const in_chain = chain ? chain->seal_of(segment.name.sequence) : nullptr;
    const auto in_next = seals_.find(segment.name.sequence);
    if (in_next != seals_.end()) {
        segment.sealed = true;
        hold_to_seal(scan, in_next->second);
    } else if (in_chain != nullptr) {
        hold_to_seal(scan, *in_chain);
    } else if (!may_be_torn_) {
        take_as_left_in_order(scan);
    }
    if (header && header->before) seals_[segment.name.sequence - 1] = *header->before;
    may_be_torn_ = !header || header->begins_run;
}

core::Task<void> Recovery::report(Segment& segment, const SegmentScan& scan) {
    core::Slices slices(shard_.reactor(), kLinesATurn);
    for (const Damage& damage : scan.damages) {
        damaged(segment, damage.offset, damage.what);
        co_await slices.next();
    }
    for (const Damage& one : scan.interrupted) {
        core::log_warning(
            "spool {} {} at octet {}: {}; the write was interrupted, nobody was promised it",
            journal_.store().options().directory, segment_file_name(segment.name.sequence),
            one.offset, one.what);
        co_await slices.next();
    }
}

void Recovery::damaged(Segment& segment, std::size_t offset, std::string_view what) {
    ++report_.damaged;
    segment.damaged = true;
    core::log_error("spool {} {} at octet {}: {}; skipped", journal_.store().options().directory,
                    segment_file_name(segment.name.sequence), offset, what);
}

void Recovery::take_outcome(const RecordView& record, Segment& segment) {
    const auto outcome = decode_outcome(record.body);
    if (!outcome) return damaged(segment, record.offset, outcome.error());
    if (moved_.contains(outcome->id)) return;  // of the recipients as they were before the move
    const auto [place, first] = outcomes_.try_emplace({outcome->id, outcome->index});
    if (!first) return;  // a later one is known
    place->second = {.outcome = outcome->outcome,
                     .attempts = outcome->attempts,
                     .next_attempt = outcome->next_attempt,
                     .delay_told = outcome->delay_told};
    if (outcome->outcome == Outcome::deferred) {
        place->second.reply = mail_.replies().keep(reply_of(*outcome));
    }
}

core::Task<void> Recovery::take_message(const RecordView& view, Segment& segment) {
    const auto record = decode_message(view.body);
    if (!record) {
        damaged(segment, view.offset, record.error());
        co_return;
    }
    if (view.content_octets > Content::kMost) {
        damaged(segment, view.offset, "a content larger than any that is taken");
        co_return;
    }
    const bool superseded = moved_.contains(record->id);
    if (superseded && !record->moved) moved_.erase(record->id);
    if (superseded) co_return;
    if (record->moved) moved_.insert(record->id);

    auto message = rebuild(*record);
    co_await add_recipients(*message, *record);
    if (message->recipients.empty()) co_return;
    message->content.declare(view.content_octets, record->leading_dots);
    message->place.holders.evicted_from_the_start();
    message->place.content_offset = static_cast<std::uint32_t>(view.content_offset);
    message->place.content_checksum = view.content_checksum;
    message->place.octets =
        static_cast<std::uint32_t>(kRecordHeader + view.body.size() + view.content_octets);
    segment.keep(*message);
    ++report_.messages;
    report_.recipients += message->recipients.size();
    mail_.recovered(std::move(message));
}

std::unique_ptr<Message> Recovery::rebuild(const MessageRecord& record) {
    auto message = std::make_unique<Message>();
    message->id = record.id;
    message->created = record.created;
    message->eight_bit = record.eight_bit;
    message->utf8 = record.utf8;
    message->sender = record.sender;
    message->verp = record.verp;
    message->tls = record.tls;
    message->priority = record.priority;
    message->ours = record.ours;
    message->bounces = record.bounces;
    if (record.returned != ReturnContent::unsaid || !record.envelope_id.empty()) {
        message->set_dsn({record.returned, std::string(record.envelope_id)});
    }
    if (record.by.asked()) message->set_deliver_by(record.by);
    if (record.expires != core::WallTime{}) message->set_expires(record.expires);
    if (!record.tenant.empty() || !record.campaign.empty()) {
        message->edit_labels() = {&mail_.tenant(record.tenant), std::string(record.campaign)};
    }
    return message;
}

core::Task<void> Recovery::add_recipients(Message& message, const MessageRecord& record) {
    core::Slices slices(shard_.reactor());
    for (const RecipientRecord& written : record.recipients) {
        const auto later = outcomes_.extract({record.id, written.index});
        const Known* const known = later.empty() ? nullptr : &later.mapped();
        if (known == nullptr || known->outcome == Outcome::deferred) {
            add_recipient(message, written, known);
        }
        if (known != nullptr) mail_.replies().release(known->reply);
        co_await slices.next();
    }
}

// later: what became of it after the record; null: nothing.
void Recovery::add_recipient(Message& message, const RecipientRecord& written, const Known* later) {
    auto recipient = std::make_unique<Recipient>(message, std::string(written.address));
    recipient->index = written.index;
    recipient->notify = written.notify;
    recipient->delay_told = later != nullptr ? later->delay_told : written.delay_told;
    if (!written.original.empty()) recipient->set_original(std::string(written.original));
    recipient->attempts = later != nullptr ? later->attempts : written.attempts;
    recipient->next_attempt = later != nullptr ? later->next_attempt : written.next_attempt;
    if (later != nullptr) {
        recipient->last_reply = mail_.replies().keep(*later->reply);
    } else if (written.has_reply) {
        recipient->last_reply = mail_.replies().keep(reply_of(written));
    }
    message.recipients.push_back(std::move(recipient));
}

}  // namespace relay
