// Delivery: one transaction and the recipients it is for, from the moment a connection takes them
// off the ready queue until each has a disposition or goes back. Owned by its connection; one
// shard.
#pragma once

#include <vector>

#include "relay/message/message.h"
#include "relay/smtp/client_dialogue.h"

namespace relay {

struct Delivery {
    Transaction transaction;
    std::vector<Recipient*> recipients;  // empty: this slot is free

    void fill_transaction() {
        const Message& message = *recipients.front()->message;
        transaction.sender = message.sender;
        transaction.content = &message.content;
        transaction.eight_bit = message.eight_bit;
        transaction.utf8 = message.utf8;
        transaction.recipients.clear();
        for (const Recipient* recipient : recipients) {
            transaction.recipients.push_back(recipient->address);
        }
    }
};

}  // namespace relay
