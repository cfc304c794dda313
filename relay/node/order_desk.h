// OrderDesk: shard 0 keeps the book of orders: it takes changes one after the other, makes each
// durable (data_dir/orders.jsonl, replaced as a whole) before it is broadcast to every shard and
// answered, ends what expires, and notes each change in data_dir/audit.jsonl. A change that cannot
// be written is not in force. Built on shard 0 by the composition root; the book was read before
// any shard ran. stop() before it dies. Limits: those of OrderBook; kMaxAuditFile octets of the
// audit log, then it begins again and kAuditFiles older ones are kept.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/file/disk.h"
#include "core/io/shard.h"
#include "core/runtime/event.h"
#include "core/runtime/task_group.h"
#include "relay/automation/action_keeper.h"
#include "relay/control/api/control_desk.h"
#include "relay/control/audit_line.h"
#include "relay/control/order_book.h"

namespace relay {

inline constexpr const char* kOrdersFile = "orders.jsonl";
inline constexpr const char* kAuditFile = "audit.jsonl";

// The orders that an earlier run left, or nothing. Makes the directory. Before any shard runs.
core::Result<OrderBook> read_orders(const std::string& data_dir, core::WallTime now);

class OrderDesk final : public ActionSink {
  public:
    static constexpr std::uint64_t kMaxAuditFile = 8 << 20;
    static constexpr unsigned kAuditFiles = 4;
    // Orders of automation at once; a further one is dropped with a warning: its reply comes again.
    static constexpr std::size_t kMaxGiving = 100;
    // The wall clock may be set meanwhile.
    static constexpr core::Duration kLookAtClock = std::chrono::seconds{1};

    using Broadcast = std::function<void(std::shared_ptr<const OrderSet>)>;

    OrderDesk(core::Shard& shard, core::Disk& disk, std::string data_dir, OrderBook& book,
              Broadcast broadcast);
    void start() { tasks_.spawn(end_expired()); }
    core::Task<void> stop();

    core::Task<Controlled<Order>> give(Order order);
    core::Task<Controlled<Order>> end(std::string id, OrderKind kind, std::string who);
    // ActionSink: what automation wants done with mail becomes an order like any other.
    void order(const RunningAction& action) override;
    // Notes any other change.
    core::Task<void> note(AuditEntry entry);

  private:
    // One change, or one line, at a time.
    core::Task<void> begin_turn();
    void end_turn();
    core::Task<core::Result<void>> keep();
    core::Task<void> give_one(Order order);
    core::Task<void> write_audit(AuditEntry entry);
    bool open_audit();
    void rotate_audit();
    core::Task<void> end_expired();

    core::Shard& shard_;
    core::Disk& disk_;
    const std::string data_dir_;
    OrderBook& book_;
    Broadcast broadcast_;
    MessageIdGenerator ids_;
    std::size_t giving_ = 0;  // orders of automation
    bool busy_ = false;
    core::Event free_;
    core::Event stop_;
    core::Handle audit_ = core::kNoHandle;
    std::uint64_t audit_octets_ = 0;
    core::TaskGroup tasks_;
};

}  // namespace relay
