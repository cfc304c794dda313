// Delivery: one transaction and the recipients it is for, from the moment a connection takes them
// off the ready queue until each has a disposition or goes back. Owned by its connection; one
// shard.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "relay/message/message.h"
#include "relay/message/verp.h"
#include "relay/smtp/client_dialogue.h"
#include "relay/spool/in_hand.h"

namespace relay {

struct Delivery {
    Transaction transaction;
    std::vector<Recipient*> recipients;  // empty: this slot is free
    std::string verp;          // the sender of this transaction, if it is not the message's
    core::WallTime expires{};  // its recipients
    core::Instant begun{};
    InHand::Note note;

    void fill_transaction(core::WallTime now) {
        const Message& message = *recipients.front()->message;
        verp = message.verp ? verp_sender(message.sender, recipients.front()->address) : "";
        transaction.sender = verp.empty() ? std::string_view(message.sender) : verp;
        transaction.content = &message.content;
        transaction.eight_bit = message.eight_bit;
        transaction.utf8 = message.utf8;
        transaction.dsn = &message.dsn();
        transaction.by = message.deliver_by().left(now);
        transaction.recipients.clear();
        transaction.notifications.clear();
        for (const Recipient* recipient : recipients)
            transaction.recipients.push_back(recipient->address);
        const bool asked = std::ranges::any_of(recipients, [](const Recipient* recipient) {
            return recipient->notify.said() || !recipient->original().empty();
        });
        if (!asked) return;
        for (const Recipient* recipient : recipients)
            transaction.notifications.push_back({recipient->notify, recipient->original()});
    }
};

}  // namespace relay
