#include "relay/origin/queue_count.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"

namespace relay {

void QueueCount::add(const Recipient& recipient, const MailFacts& mail, std::string_view order) {
    if (!selection_.matches(mail)) return;
    std::string key = core::to_lower(mail.domain);
    const std::size_t domain_octets = key.size();
    key.append("\n").append(mail.tenant).append("\n").append(mail.campaign);
    auto found = queues_.find(key);
    if (found == queues_.end() && queues_.size() >= kMaxQueuesCounted) {
        ++view_.recipients_left_out;
        return;
    }
    if (found == queues_.end()) {
        QueueView queue{.domain = key.substr(0, domain_octets),
                        .tenant = std::string(mail.tenant),
                        .campaign = std::string(mail.campaign),
                        .oldest = recipient.message->created};
        found = queues_.emplace(std::move(key), std::move(queue)).first;
    }
    QueueView& queue = found->second;
    ++queue.scheduled;
    queue.oldest = std::min(queue.oldest, recipient.message->created);
    if (!order.empty()) {
        ++queue.suspended;
        if (queue.suspended_by.empty()) queue.suspended_by = order;
    } else if (recipient.next_attempt != core::WallTime{} &&
               (queue.next_attempt == core::WallTime{} ||
                recipient.next_attempt < queue.next_attempt)) {
        queue.next_attempt = recipient.next_attempt;
    }
    if (queue.last_reply.empty() && recipient.last_reply != nullptr) {
        const Reply& reply = recipient.last_reply->reply;
        queue.last_reply = std::to_string(reply.code) + " " + reply.text;
    }
}

QueuesView QueueCount::take() {
    view_.queues.reserve(queues_.size());
    for (auto& [key, queue] : queues_)
        view_.queues.push_back(std::move(queue));
    queues_.clear();
    view_.cut(kMaxQueues);
    return std::move(view_);
}

}  // namespace relay
