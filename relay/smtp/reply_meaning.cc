#include "relay/smtp/reply_meaning.h"

#include <utility>

namespace relay {

namespace {

Disposition said_by(const Reply& reply, Outcome outcome, std::string_view command, Scope scope) {
    Disposition result;
    result.outcome = outcome;
    result.scope = scope;
    result.code = reply.code;
    result.enhanced = reply.enhanced;
    result.quote(reply.text);
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
    Disposition result = local_deferral({4, 5, 0},
                                        "unexpected reply: " + std::to_string(reply.code) + " " +
                                            std::string(cut_text(reply.text, 200)),
                                        command);
    result.scope = scope;
    return result;
}

Disposition local_deferral(EnhancedCode enhanced, std::string text, std::string_view command) {
    Disposition result;
    result.outcome = Outcome::deferred;
    result.scope = Scope::session;
    result.code = 451;
    result.enhanced = enhanced;
    result.text = std::move(text);
    result.command = command;
    result.local = true;
    return result;
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
