// Dispositions of our own: what is decided without a server's reply, or against it. Each cause has
// its function here, with its codes and its scope, so that the same cause means the same wherever
// it is found. All are `local`: their text is ours. Pure.
#pragma once

#include <string>
#include <string_view>

#include "relay/message/disposition.h"

namespace relay {

// The session with a host cannot go on (nonsense, timeouts, a lost connection, what it lacks): 451.
Disposition session_failure(EnhancedCode enhanced, std::string text, std::string_view command);
// A reply of a kind that does not answer the command: 451 4.5.0, which quotes it.
Disposition unexpected_reply(const Reply& reply, std::string_view command, Scope scope);
// No host of the site could be reached: 451.
Disposition network_failure(std::string text);
// The host may not be used for this mail, by what records or policies say: 451 4.7.5.
Disposition host_barred(std::string text);
// DNS, or a policy, gives no host: permanent or not as the reply's code is.
Disposition no_route(Reply reply);
// No name that DNS could be asked for (RFC 5891).
Disposition no_domain_name();
// The host does not offer what this message, or this recipient, needs; another host may.
Disposition host_lacks(Reply reply, std::string_view command, Scope scope);
// Mail that demands TLS (RFC 8689 section 4.2.1) goes back when no host has what it takes. Keeps
// the words of what failed. unsupported: the host has TLS, but not REQUIRETLS.
Disposition without_required_tls(Disposition failed, bool unsupported);
// Too old before it was tried. The last reply, where there was one, is quoted instead of these
// words: Disposition::quote().
Disposition message_expired();
// An operator, or a rule, gave it up: 551 5.7.1, with the reason.
Disposition bounced_by_operator(const std::string& reason);
// The egress source cannot be used; mail goes by another one. None of an outcome.
Disposition source_failure(SourceFault fault, std::string text);
// No source of the pool can be used now: 451 4.3.5, and no attempt.
Disposition no_usable_source(std::string_view pool);
// The spool does not give the content back.
Disposition content_unreadable();

}  // namespace relay
