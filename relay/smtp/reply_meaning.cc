#include "relay/smtp/reply_meaning.h"

#include "relay/message/own_disposition.h"

namespace relay {

namespace {

Disposition said_by(const Reply& reply, Outcome outcome, std::string_view command, Scope scope) {
    Disposition result;
    result.outcome = outcome;
    result.scope = scope;
    result.quote(reply);
    result.command = command;
    return result;
}

}  // namespace

Disposition result_of(const Reply& reply, std::string_view command, Scope scope) {
    if (!reply.positive()) return refusal_by(reply, command, scope);
    return said_by(reply, Outcome::delivered, command, scope);
}

Disposition refusal_by(const Reply& reply, std::string_view command, Scope scope) {
    if (reply.permanent()) return said_by(reply, Outcome::bounced, command, scope);
    if (reply.transient()) return said_by(reply, Outcome::deferred, command, scope);
    return unexpected_reply(reply, command, scope);
}

bool lost_track(const Reply& reply) {
    return reply.code == 500 || reply.code == 502 || reply.code == 503 ||
           (reply.code == 554 && reply.enhanced == EnhancedCode{5, 5, 0});
}

bool parameter_refused(const Reply& reply) {
    return reply.code == 555 || reply.code == 455 || reply.code == 504;
}

bool too_many_recipients(const Reply& reply) {
    const bool says_so = reply.enhanced.subject == 5 && reply.enhanced.detail == 3;
    const bool plain = reply.enhanced.klass == 0 && (reply.code == 452 || reply.code == 552);
    return says_so || plain;
}

}  // namespace relay
