// Origin: what an operator sees of the mail that waits here.
#include <string>
#include <utility>

#include "core/runtime/slices.h"
#include "relay/origin/origin.h"
#include "relay/origin/queue_count.h"
#include "relay/routing/mail_facts.h"

namespace relay {

core::Task<QueuesView> Origin::count_queues(Selection selection) {
    QueueCount count(shard_.reactor(), std::move(selection));
    if (closing_) co_return count.take();
    co_await suspended_.visit_all([this, &count](const std::string& order, Recipient& recipient) {
        count.add(recipient, facts_of(recipient, router_.known_site(recipient)), order);
    });
    if (closing_) co_return count.take();
    counts_.push_back(&count);
    look_through_scheduled();
    co_await count.ended().wait();
    co_return count.take();
}

core::Task<std::optional<MessageView>> Origin::view_message(MessageId id) {
    Message* const message = co_await store_.find(id);
    if (message == nullptr) co_return std::nullopt;
    const Labels& labels = message->labels();
    MessageView view{.id = id.to_string(),
                     .sender = std::string(message->sender),
                     .tenant = labels.tenant->name,
                     .campaign = labels.campaign,
                     .size = message->size(),
                     .shard = shard_.id(),
                     .created = message->created};
    for (const auto& recipient : message->recipients) {
        if (view.recipients.size() >= kMaxRecipientsShown) {
            view.recipients_left_out = message->recipients.size() - view.recipients.size();
            break;
        }
        // Its state is the business of whoever has it now; that it has a site, the origin's.
        RecipientView one{.address = std::string(recipient->address),
                          .state = recipient->settled           ? "final"
                                   : recipient->site != nullptr ? "sending"
                                                                : "scheduled",
                          .attempts = recipient->attempts,
                          .next_attempt = recipient->next_attempt};
        if (recipient->last_reply != nullptr && !recipient->settled) {
            const Reply& reply = recipient->last_reply->reply;
            one.last_reply = std::to_string(reply.code) + " " + reply.text;
        }
        view.recipients.push_back(std::move(one));
    }
    co_return view;
}

}  // namespace relay
