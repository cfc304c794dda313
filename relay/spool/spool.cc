#include "relay/spool/spool.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/log.h"
#include "relay/spool/held_back.h"

namespace relay {

namespace {

// A person put it there, or another program: named, since there may be mail in it.
void name_strangers(core::Disk& disk, const std::string& directory) {
    const auto names = disk.list(directory);
    if (!names) return;
    for (const std::string& name : *names) {
        const bool ours = name == "lock" || name == "probe" || name.ends_with(".chain.new") ||
                          name == kInHandFile || name == kSetAsideFolder;
        const auto facts = disk.facts(directory + "/" + name);
        const bool is_directory = facts && facts->kind == core::FileKind::directory;
        const bool is_chain = name.ends_with(".chain");
        if (ours || (journal_of(name) && is_directory != is_chain)) continue;
        core::log_error("{}/{} is nothing of the spool's: what is in it is not read", directory,
                        core::escaped(name));
    }
}

}  // namespace

Spool::Spool(core::Shard& shard, core::Disk& disk, SpoolSpace& space,
             metrics::ShardMetrics& metrics, SpoolOptions options)
    : shard_(shard), disk_(disk), space_(space), metrics_(metrics), options_(std::move(options)) {}

core::Result<void> Spool::open() {
    const auto names = disk_.list(options_.directory);
    if (!names) return core::failure(options_.directory + ": " + names.error().message());
    std::vector<std::uint32_t> ids{static_cast<std::uint32_t>(shard_.id())};
    for (const std::string& name : *names) {
        const auto id = journal_of(name);
        if (!id || *id < shard_.count() || *id % shard_.count() != shard_.id()) continue;
        const auto facts = disk_.facts(options_.directory + "/" + name);
        const bool is_directory = facts && facts->kind == core::FileKind::directory;
        // By its chain too: the directory may be what is missing.
        if (is_directory || name.ends_with(".chain")) ids.push_back(*id);
    }
    std::ranges::sort(std::next(ids.begin()), ids.end());
    const auto twice = std::ranges::unique(ids);
    ids.erase(twice.begin(), twice.end());
    for (const std::uint32_t id : ids) {
        JournalOptions options;
        options.spool = options_.directory;
        options.directory = journal_directory(options_.directory, id);
        options.id = id;
        options.segment_size = options_.segment_size;
        options.direct = options_.direct;
        options.adopted = id != shard_.id();
        options.salt = options_.salt;
        auto journal = std::make_unique<Journal>(shard_, disk_, space_, metrics_, options);
        if (auto opened = journal->open(); !opened) return opened;
        journals_.push_back(std::move(journal));
    }
    return {};
}

void Spool::start(MessageKeeper& keeper) {
    for (const auto& journal : journals_)
        journal->start(keeper);
}

core::Task<RecoveryReport> Spool::recover(RecoveredMail& mail) {
    RecoveryReport total;
    for (const auto& journal : journals_) {
        Recovery recovery(shard_, *journal, mail);
        const RecoveryReport report = co_await recovery.run(stop_recovery_);
        total.segments += report.segments;
        total.messages += report.messages;
        total.recipients += report.recipients;
        total.damaged += report.damaged;
        total.steps += report.steps;
        if (stop_recovery_) break;
        journal->recovered();
    }
    co_return total;
}

core::Task<void> Spool::close() {
    for (const auto& journal : journals_)
        co_await journal->close();
}

void Spool::note(const Recipient& recipient, Outcome outcome) {
    const Message& message = *recipient.message;
    OutcomeRecord record;
    record.id = message.id;
    record.index = recipient.index;
    record.outcome = outcome;
    record.attempts = recipient.attempts;
    record.next_attempt = recipient.next_attempt;
    record.delay_told = recipient.delay_told;
    if (recipient.last_reply != nullptr) {
        record.reply = view_of(recipient.last_reply->reply);
        record.command = recipient.last_reply->command;
        record.local = recipient.last_reply->local;
    }
    message.place.segment->journal->note(record);
}

bool Spool::forget(Message& message) {
    return message.place.segment->journal->forget(message);
}

core::Task<std::unique_ptr<char[]>> Spool::read_content(Message& message) {
    return message.place.segment->journal->read_content(message);
}

Message* Spool::any_message() {
    for (const auto& journal : journals_) {
        for (const auto& segment : journal->store().segments()) {
            if (!segment->live.empty()) return &segment->live.front();
        }
    }
    return nullptr;
}

std::size_t Spool::segments() const {
    std::size_t all = 0;
    for (const auto& journal : journals_)
        all += journal->store().segments().size();
    return all;
}

void Spool::look_at_segment(std::size_t number, const std::function<bool(Message&)>& look) {
    for (const auto& journal : journals_) {
        const auto& segments = journal->store().segments();
        if (number < segments.size()) return segments[number]->live.for_each_while(look);
        number -= segments.size();
    }
}

core::WallTime Spool::oldest() {
    core::WallTime oldest{};
    for (const auto& journal : journals_) {
        for (const auto& segment : journal->store().segments()) {
            if (segment->live.empty()) continue;
            const core::WallTime created = segment->live.front().created;
            if (oldest == core::WallTime{} || created < oldest) oldest = created;
        }
    }
    return oldest;
}

JournalStats Spool::stats() const {
    JournalStats total;
    for (const auto& journal : journals_) {
        const JournalStats& one = journal->stats();
        total.batches += one.batches;
        total.octets += one.octets;
        total.messages += one.messages;
        total.outcomes += one.outcomes;
        total.outcomes_dropped += one.outcomes_dropped;
        total.moved += one.moved;
    }
    return total;
}

core::Result<SpoolPlaceOnDisk> prepare_spool(core::Disk& disk, const std::string& directory) {
    if (const auto made = disk.make_directory(directory); !made) {
        return core::failure("cannot make the spool " + directory + ": " + made.error().message());
    }
    // Its name must be durable before anything in it is: also when an earlier run made it and ended
    // before this.
    const auto slash = directory.rfind('/');
    const std::string above = slash == std::string::npos ? "." : directory.substr(0, slash + 1);
    if (const auto synced = disk.sync_directory(above); !synced) {
        return core::failure("cannot sync " + above + ": " + synced.error().message());
    }
    SpoolPlaceOnDisk place;
    const auto lock = disk.lock(directory + "/lock");
    if (!lock && lock.error() == std::errc::operation_would_block) {
        return core::failure("the spool " + directory + " is in use by another process");
    }
    if (!lock) return core::failure("cannot lock " + directory + ": " + lock.error().message());
    place.lock = *lock;
    name_strangers(disk, directory);
    const std::string probe = directory + "/probe";
    if (const auto file = disk.open(probe, core::Access::direct)) {
        place.direct = true;
        disk.close(*file);
    }
    // A file system that refuses O_DIRECT may have made the file all the same.
    const auto removed = disk.remove(probe);
    if (!removed && removed.error() != std::errc::no_such_file_or_directory) {
        return core::failure("cannot remove " + probe + ": " + removed.error().message());
    }
    return place;
}

}  // namespace relay
