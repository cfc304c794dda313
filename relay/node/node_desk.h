// NodeDesk: the ControlDesk of one shard: asks the other shards for views and adds up what they
// say, and hands changes to shard 0. Built by the RelayShard on its shard, outlived by the Node.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/io/shard.h"
#include "relay/control/api/control_desk.h"
#include "relay/control/audit_line.h"
#include "relay/node/node.h"

namespace relay {

class NodeDesk final : public ControlDesk {
  public:
    NodeDesk(Node& node, core::Shard& shard) : node_(node), shard_(shard) {}
    void use_orders(std::shared_ptr<const OrderSet> orders) { orders_ = std::move(orders); }

    core::WallTime now() const override { return shard_.wall(); }
    core::Task<Controlled<Order>> give(Order order) override;
    core::Task<Controlled<Order>> end(std::string id, OrderKind kind, std::string who) override;
    core::Task<Controlled<void>> retry(Selection selection, std::string reason,
                                       std::string who) override;
    core::Task<Controlled<std::vector<std::string>>> reload(std::string who) override;
    core::Task<Controlled<void>> drain(std::string who) override;

    std::shared_ptr<const OrderSet> orders() const override { return orders_; }
    StatusView status() const override;
    core::Task<QueuesView> queues(Selection selection, std::size_t most) override;
    core::Task<PathsView> paths(std::size_t most) override;
    core::Task<Controlled<std::string>> path(std::string domain) override;
    core::Task<std::optional<MessageView>> message(MessageId id) override;

  private:
    core::Task<void> note(AuditEntry entry);

    Node& node_;
    core::Shard& shard_;
    std::shared_ptr<const OrderSet> orders_ = std::make_shared<const OrderSet>();
};

}  // namespace relay
