// What a reply means for a recipient: from the server's words to a Disposition, and the few replies
// that mean something else than they say. Pure, no state.
#pragma once

#include <string_view>

#include "relay/message/disposition.h"

namespace relay {

// To content: a positive reply delivers it, any other is a refusal.
Disposition result_of(const Reply& reply, std::string_view command, Scope scope);
// Never a delivery: 4yz and 5yz are what they say; a reply of another kind does not answer the
// command, and is a deferral of our own (unexpected_reply()).
Disposition refusal_by(const Reply& reply, std::string_view command, Scope scope);

// Replies by which a server says that it lost track of the group, not that it minds the message.
bool lost_track(const Reply& reply);
// Refuses a parameter of MAIL or RCPT (RFC 5321 section 4.1.1.11), not the address.
bool parameter_refused(const Reply& reply);
// RFC 5321 section 4.5.3.1.10: the server takes no more recipients in this transaction. 552 is the
// code of older servers. With an enhanced code that says something else it is something else.
bool too_many_recipients(const Reply& reply);

}  // namespace relay
