// An envelope as one server is told it, by the extensions that it offers (RFC 1870 section 6.1, RFC
// 6152, RFC 6531 section 3.2, RFC 2852, RFC 3461): adapt() decides what of a transaction can be
// said at all, append_mail() and append_rcpt() write it. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "relay/smtp/extensions.h"
#include "relay/smtp/transaction.h"

namespace relay {

// The dialogue calls it before a transaction is sent, and again when the transaction starts again
// in a simpler mode. Afterwards every recipient that cannot be named to this server, or all of
// them, have a final result that is marked as the host's lack; the rest is sent in the
// transaction's forms. False: there is nobody it can be sent to here.
bool adapt(Transaction& transaction, const Extensions& offered);

// What goes for all MAIL commands of a session.
struct MailTerms {
    const Extensions& offered;
    bool sparing;       // parameters that can be spared are left out
    bool requires_tls;  // REQUIRETLS is said (RFC 8689)
};

// Append a command. True: it has parameters that can be spared, SIZE or those of DSN.
bool append_mail(std::string& commands, Transaction& transaction, const MailTerms& terms);
// After the MAIL of this transaction.
bool append_rcpt(std::string& commands, const Transaction& transaction, std::size_t recipient);

}  // namespace relay
