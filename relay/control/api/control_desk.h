// ControlDesk: what an operator can ask and order, whatever face the question comes by (admin API,
// console). The composition root has one for each shard; its calls run on the shard that was asked,
// ask the others, and answer when the change is in force everywhere and durable. Each change, and
// each attempt at one, is noted in the audit log. Outlives those who ask.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/runtime/task.h"
#include "relay/control/order_set.h"
#include "relay/control/views.h"
#include "relay/message/message_id.h"

namespace relay {

struct ControlFault {
    int status = 400;  // of HTTP
    std::string message{};
    std::string field{};
};

template <typename T>
using Controlled = std::expected<T, ControlFault>;

class ControlDesk {
  public:
    virtual ~ControlDesk() = default;

    virtual core::WallTime now() const = 0;
    // ---- changes; who: for the audit log
    virtual core::Task<Controlled<Order>> give(Order order) = 0;
    virtual core::Task<Controlled<Order>> end(std::string id, OrderKind kind, std::string who) = 0;
    virtual core::Task<Controlled<void>> retry(Selection selection, std::string reason,
                                               std::string who) = 0;
    // The changes that are in force now, as the log names them.
    virtual core::Task<Controlled<std::vector<std::string>>> reload(std::string who) = 0;
    virtual core::Task<Controlled<void>> drain(std::string who) = 0;

    // ---- views
    virtual std::shared_ptr<const OrderSet> orders() const = 0;
    virtual StatusView status() const = 0;
    virtual core::Task<QueuesView> queues(Selection selection, std::size_t most) = 0;
    virtual core::Task<PathsView> paths(std::size_t most) = 0;
    // How mail for a domain goes now, for people; with what is learned about its paths.
    virtual core::Task<Controlled<std::string>> path(std::string domain) = 0;
    virtual core::Task<std::optional<MessageView>> message(MessageId id) = 0;
};

}  // namespace relay
