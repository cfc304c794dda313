// What orders (relay/control) select mail by, of a recipient; its site too, if it has one. The
// texts live as long as the message and the site.
#pragma once

#include "relay/control/selection.h"
#include "relay/message/message.h"
#include "relay/routing/site.h"

namespace relay {

MailFacts facts_of(const Recipient& recipient, const Site* site);
inline MailFacts facts_of(const Recipient& recipient) {
    return facts_of(recipient, recipient.site);
}

}  // namespace relay
