#include "relay/spool/held_back.h"

#include <utility>

#include "core/base/log.h"

namespace relay {

namespace {

constexpr std::size_t kMostNamed = 10;  // in the log, at a start

std::string folder_of(const std::string& spool) {
    return spool + "/" + std::string(kSetAsideFolder);
}

bool is_missing(const std::error_code& error) {
    return error == std::errc::no_such_file_or_directory;
}

}  // namespace

std::string set_aside_path(const std::string& spool, const MessageId& id) {
    return folder_of(spool) + "/" + id.to_string();
}

core::IoResult<std::vector<MessageId>> set_aside_in(core::Disk& disk, const std::string& spool) {
    std::vector<MessageId> ids;
    const auto names = disk.list(folder_of(spool));
    if (!names && is_missing(names.error())) return ids;
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
        if (const auto id = MessageId::parse(name); id && id->to_string() == name) {
            ids.push_back(*id);
        }
    }
    return ids;
}

core::Result<void> HeldBack::open(std::string_view boot, std::size_t shards) {
    const auto before = set_aside_in(disk_, spool_);
    if (!before) {
        return core::failure(folder_of(spool_) + " cannot be read: " + before.error().message());
    }
    set_aside_.insert(before->begin(), before->end());
    const LastRun last = table_.last_run(boot);
    const Judgement judgement = judge(last);
    for (const MessageId& id : judgement.set_aside) {
        core::log_error(
            "message {} was tried alone and the process died, {} times: it is set aside and stays "
            "in the spool; remove {} to let it go again",
            id.to_string(), kDeaths, set_aside_path(spool_, id));
        set_aside_.insert(id);
    }
    std::vector<Known> known = judgement.known;
    for (const MessageId& id : judgement.set_aside) {
        if (!set_aside(id)) unwritten_.insert(id);
    }
    std::erase_if(known, [this](const Known& one) { return set_aside_.contains(one.id); });
    // What could not be written down the table remembers, for the next start to do so.
    for (const MessageId& id : unwritten_)
        known.insert(known.begin(), {.id = id, .ends = kRow, .deaths = kDeaths});
    for (std::size_t i = 0; i < known.size() && i < InHandTable::kSlots; ++i) {
        if (known[i].suspect()) suspects_.emplace(known[i].id, i);
    }
    table_.begin_anew(known, boot, shards);
    say();
    return {};
}

// A judgement stands when its file does: both are durable, or neither.
bool HeldBack::set_aside(const MessageId& id) {
    const std::string path = set_aside_path(spool_, id);
    const auto failed = [&](const std::error_code& error) {
        core::log_error("cannot make {}: {}", path, error.message());
        return false;
    };
    if (const auto made = disk_.make_directory(folder_of(spool_)); !made) {
        return failed(made.error());
    }
    if (const auto synced = disk_.sync_directory(spool_); !synced) return failed(synced.error());
    const auto file = disk_.open(path, core::Access::write);
    if (!file) return failed(file.error());
    disk_.close(*file);
    const auto synced = disk_.sync_directory(folder_of(spool_));
    return synced ? true : failed(synced.error());
}

void HeldBack::say() const {
    std::size_t named = 0;
    for (const auto& [id, place] : suspects_) {
        if (set_aside_.contains(id) || ++named > kMostNamed) continue;
        core::log_warning(
            "message {} was in hand at {} ends in a row, each within a minute of the start: it "
            "waits until the process has lived for a minute, and is then tried alone",
            id.to_string(), kRow);
    }
    if (named > kMostNamed) {
        core::log_warning("{} further messages wait for the same reason", named - kMostNamed);
    }
    if (set_aside_.empty()) return;
    core::log_warning(
        "{} messages are set aside: each stays in the spool until its file in {} is "
        "removed",
        set_aside_.size(), folder_of(spool_));
}

void HeldBack::has_lived() {
    table_.set_state(RunState::lived);
    lived_.store(true);
}

HeldBack::Why HeldBack::why(const MessageId& id) const {
    if (set_aside_.contains(id)) return Why::set_aside;
    return suspects_.contains(id) ? Why::suspect : Why::no;
}

void HeldBack::found(const MessageId& id) {
    if (const auto place = suspects_.find(id); place != suspects_.end()) {
        table_.mark_found(place->second);
    }
}

bool HeldBack::begin_trial(const MessageId& id) {
    Trial& trial = table_.trial();
    if (trial.begun.exchange(true)) return false;
    trial.taken.store(false);
    trial.high.store(id.high);
    trial.low.store(id.low);
    return true;
}

void HeldBack::end_trial(const MessageId& id, bool acquitted) {
    Trial& trial = table_.trial();
    trial.low.store(0);
    trial.high.store(0);
    const auto place = suspects_.find(id);
    if (acquitted && trial.taken.load() && place != suspects_.end()) {
        table_.acquit(place->second);
        core::log_info("message {} was tried and is no suspect any more", id.to_string());
    }
    trial.begun.store(false);
}

bool HeldBack::released(const MessageId& id) {
    if (unwritten_.contains(id)) return false;
    const auto facts = disk_.facts(set_aside_path(spool_, id));
    return !facts && is_missing(facts.error());
}

}  // namespace relay
