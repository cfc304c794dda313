#include "relay/node/order_desk.h"

#include <chrono>
#include <filesystem>
#include <span>
#include <utility>

#include "core/base/log.h"
#include "core/base/text_file.h"
#include "core/file/file.h"
#include "core/file/replace_file.h"

namespace relay {

namespace {

constexpr std::size_t kMaxOrdersFile = 32 << 20;

std::uint64_t milliseconds(core::WallTime time) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

std::string_view verb_of(OrderKind kind) {
    return kind == OrderKind::bounce ? "end-bounce" : "resume";
}

constexpr std::size_t kQuotedReply = 300;  // octets, in a reason

core::Result<Order> order_of(const RunningAction& action, core::WallTime now) {
    const bool bounces = action.verb == AutomationVerb::bounce ||
                         action.verb == AutomationVerb::bounce_tenant ||
                         action.verb == AutomationVerb::bounce_campaign;
    std::string reason = action.place.substr(0, 100) + ": " + action.reply.substr(0, kQuotedReply);
    for (char& c : reason) {
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
    }
    return check_order({.kind = bounces ? OrderKind::bounce : OrderKind::suspend,
                        .selection = {.tenant = action.tenant,
                                      .campaign = action.campaign,
                                      .domain = action.domain},
                        .reason = std::move(reason),
                        .who = std::string(kAutomation),
                        .given = now,
                        .expires = action.until});
}

}  // namespace

core::Result<OrderBook> read_orders(const std::string& data_dir, core::WallTime now) {
    std::error_code error;
    std::filesystem::create_directories(data_dir, error);
    if (error) return core::failure("cannot make " + data_dir + ": " + error.message());
    const std::string path = data_dir + "/" + kOrdersFile;
    OrderBook book;
    if (!std::filesystem::exists(path, error)) return book;
    const auto text = core::read_text_file(path, kMaxOrdersFile);
    if (!text) return core::failure("cannot read " + path + ": " + text.error());
    if (auto read = book.read(*text, now); !read) {
        return core::failure(path + ": " + read.error() +
                             "; repair it, or remove it and with it every suspension");
    }
    return book;
}

OrderDesk::OrderDesk(core::Shard& shard, core::Disk& disk, std::string data_dir, OrderBook& book,
                     Broadcast broadcast)
    : shard_(shard),
      disk_(disk),
      data_dir_(std::move(data_dir)),
      book_(book),
      broadcast_(std::move(broadcast)),
      ids_(0, shard.prng().next()),
      free_(shard.reactor()),
      stop_(shard.reactor()),
      tasks_(shard.reactor()) {}

core::Task<void> OrderDesk::stop() {
    stop_.set();
    co_await tasks_.close();
    co_await begin_turn();
    end_turn();
    if (audit_ != core::kNoHandle) disk_.close(std::exchange(audit_, core::kNoHandle));
}

core::Task<void> OrderDesk::begin_turn() {
    while (busy_)
        co_await free_.wait();
    busy_ = true;
}

void OrderDesk::end_turn() {
    busy_ = false;
    free_.notify_one();
}

core::Task<core::Result<void>> OrderDesk::keep() {
    const std::string path = data_dir_ + "/" + kOrdersFile;
    const auto kept = co_await core::replace_file(shard_, disk_, path, book_.text());
    if (!kept) co_return core::failure("cannot write " + path + ": " + kept.error().message());
    co_return core::Result<void>{};
}

core::Task<Controlled<Order>> OrderDesk::give(Order order) {
    co_await begin_turn();
    order.id = ids_.next(milliseconds(shard_.wall())).to_string();
    AuditEntry entry{.who = order.who,
                     .action = std::string(to_string(order.kind)),
                     .what = order.selection.to_string(),
                     .reason = order.reason,
                     .result = "done"};
    const OrderBook before = book_;
    Controlled<Order> answer;
    if (auto given = book_.give(std::move(order)); !given) {
        answer = std::unexpected(ControlFault{409, given.error()});
    } else if (auto kept = co_await keep(); !kept) {
        book_ = before;
        answer = std::unexpected(ControlFault{500, kept.error()});
    } else {
        answer = std::move(*given);
        broadcast_(book_.snapshot());
    }
    if (!answer) entry.result = answer.error().message;
    co_await write_audit(std::move(entry));
    end_turn();
    co_return answer;
}

core::Task<Controlled<Order>> OrderDesk::end(std::string id, OrderKind kind, std::string who) {
    co_await begin_turn();
    AuditEntry entry{
        .who = std::move(who), .action = std::string(verb_of(kind)), .what = id, .result = "done"};
    const OrderBook before = book_;
    Controlled<Order> answer;
    const Order* const found = book_.find(id);
    if (found == nullptr || found->kind != kind) {
        answer = std::unexpected(ControlFault{404,
                                              "there is no " + std::string(to_string(kind)) + " " +
                                                  id.substr(0, 80) + "; it may have expired",
                                              "id"});
    } else {
        Order ended = *book_.end(id, [](OrderKind) { return true; });
        if (auto kept = co_await keep(); !kept) {
            book_ = before;
            answer = std::unexpected(ControlFault{500, kept.error()});
        } else {
            entry.what = ended.selection.to_string();
            answer = std::move(ended);
            broadcast_(book_.snapshot());
        }
    }
    if (!answer) entry.result = answer.error().message;
    co_await write_audit(std::move(entry));
    end_turn();
    co_return answer;
}

void OrderDesk::order(const RunningAction& action) {
    auto order = order_of(action, shard_.wall());
    if (!order) return core::log_warning("automation: {}", order.error());
    if (giving_ >= kMaxGiving) {
        return core::log_warning("automation: too many orders at once, {} is not given",
                                 order->selection.to_string());
    }
    ++giving_;
    if (!tasks_.spawn(give_one(std::move(*order)))) --giving_;
}

core::Task<void> OrderDesk::give_one(Order order) {
    const auto given = co_await give(std::move(order));
    --giving_;
    if (!given) core::log_warning("automation: {}", given.error().message);
}

core::Task<void> OrderDesk::note(AuditEntry entry) {
    co_await begin_turn();
    co_await write_audit(std::move(entry));
    end_turn();
}

// ---- the audit log

bool OrderDesk::open_audit() {
    if (audit_ != core::kNoHandle) return true;
    const auto file = disk_.open(data_dir_ + "/" + kAuditFile, core::Access::write);
    if (!file) return false;
    audit_ = *file;
    const auto size = disk_.size(audit_);
    audit_octets_ = size ? *size : 0;
    return true;
}

void OrderDesk::rotate_audit() {
    disk_.close(std::exchange(audit_, core::kNoHandle));
    const std::string path = data_dir_ + "/" + kAuditFile;
    for (unsigned number = kAuditFiles; number > 0; --number) {
        const std::string from = number == 1 ? path : path + "." + std::to_string(number - 1);
        [[maybe_unused]] const auto moved = disk_.rename(from, path + "." + std::to_string(number));
    }
}

// A line that cannot be written is in the log at least: the change itself is in force.
core::Task<void> OrderDesk::write_audit(AuditEntry entry) {
    entry.when = shard_.wall();
    core::log_info("{} by {}: {}{}{}: {}", entry.action, core::escaped(entry.who),
                   core::escaped(entry.what), entry.reason.empty() ? "" : ", because ",
                   core::escaped(entry.reason), core::escaped(entry.result));
    const std::string line = audit_line(entry);
    if (open_audit() && audit_octets_ + line.size() > kMaxAuditFile) rotate_audit();
    if (!open_audit()) {
        core::log_warning("cannot open {}/{}", data_dir_, kAuditFile);
        co_return;
    }
    const auto written = co_await core::write_fully(
        shard_, audit_, std::span<const char>(line.data(), line.size()), audit_octets_, true);
    if (written) {
        audit_octets_ += line.size();
    } else {
        core::log_warning("cannot write {}/{}: {}", data_dir_, kAuditFile,
                          written.error().message());
    }
}

// ---- the end of orders

core::Task<void> OrderDesk::end_expired() {
    while (!co_await stop_.wait(shard_.now() + kLookAtClock)) {
        const auto next = book_.next_expiry();
        if (!next || *next > shard_.wall()) continue;
        co_await begin_turn();
        if (book_.expire(shard_.wall())) {
            broadcast_(book_.snapshot());
            // If that fails, the next start leaves them out.
            if (auto kept = co_await keep(); !kept) core::log_warning("{}", kept.error());
        }
        end_turn();
    }
}

}  // namespace relay
