// adapt(): decides what of a transaction a server can be told, by the extensions that it offers
// (RFC 1870 section 6.1, RFC 6152, RFC 6531 section 3.2, RFC 2852). The dialogue calls it before a
// transaction is sent, and again when the transaction starts again in a simpler mode. Pure.
// Afterwards every recipient that cannot be named to this server, or all of them, have a final
// result that is marked as the host's lack; the rest is sent in the transaction's forms.
#pragma once

#include "relay/smtp/client_dialogue.h"

namespace relay {

// False: there is nobody it can be sent to here.
bool adapt(Transaction& transaction, const Extensions& offered);

}  // namespace relay
