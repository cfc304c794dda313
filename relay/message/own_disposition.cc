#include "relay/message/own_disposition.h"

#include <utility>

namespace relay {

namespace {

constexpr std::size_t kQuotedOctets = 200;  // of a reply that does not answer the command

Disposition own(Outcome outcome, Scope scope, Reply reply, std::string_view command) {
    Disposition result;
    result.outcome = outcome;
    result.scope = scope;
    result.reply = std::move(reply);
    result.command = command;
    result.local = true;
    return result;
}

}  // namespace

Disposition session_failure(EnhancedCode enhanced, std::string text, std::string_view command) {
    return own(Outcome::deferred, Scope::session, {451, enhanced, std::move(text)}, command);
}

Disposition unexpected_reply(const Reply& reply, std::string_view command, Scope scope) {
    std::string text = "unexpected reply: " + std::to_string(reply.code) + " ";
    text += cut_text(reply.text, kQuotedOctets);
    return own(Outcome::deferred, scope, {451, {4, 5, 0}, std::move(text)}, command);
}

Disposition network_failure(std::string text) {
    return own(Outcome::deferred, Scope::site, {451, {4, 4, 1}, std::move(text)}, "connect");
}

Disposition host_barred(std::string text) {
    return own(Outcome::deferred, Scope::site, {451, {4, 7, 5}, std::move(text)}, "connect");
}

Disposition no_route(Reply reply) {
    const Outcome outcome = reply.permanent() ? Outcome::bounced : Outcome::deferred;
    return own(outcome, Scope::site, std::move(reply), "DNS");
}

Disposition no_domain_name() {
    return no_route({550, {5, 1, 2}, "the domain has no form that DNS knows (RFC 5891)"});
}

Disposition host_lacks(Reply reply, std::string_view command, Scope scope) {
    Disposition result = own(Outcome::bounced, scope, std::move(reply), command);
    result.host_lacks = true;
    return result;
}

Disposition without_required_tls(Disposition failed, bool unsupported) {
    failed.outcome = Outcome::bounced;
    failed.scope = Scope::site;
    failed.reply.code = 550;
    failed.reply.enhanced = {5, 7, static_cast<std::uint16_t>(unsupported ? 30 : 10)};
    return failed;
}

Disposition message_expired() {
    return own(Outcome::expired, Scope::message, {554, {5, 4, 7}, "message expired"}, {});
}

Disposition bounced_by_operator(const std::string& reason) {
    Disposition result = own(Outcome::bounced, Scope::recipient,
                             {551, {5, 7, 1}, "Administrator bounced with reason: " + reason}, {});
    result.by_operator = true;
    return result;
}

Disposition source_failure(SourceFault fault, std::string text) {
    Disposition result = own(Outcome::none, Scope::session, {451, {4, 3, 5}, std::move(text)}, {});
    result.source_fault = fault;
    return result;
}

Disposition no_usable_source(std::string_view pool) {
    std::string text = "no egress source of pool \"";
    text.append(pool).append("\" can be used now");
    Disposition result =
        own(Outcome::deferred, Scope::session, {451, {4, 3, 5}, std::move(text)}, "connect");
    result.untried = true;
    return result;
}

Disposition content_unreadable() {
    return own(Outcome::deferred, Scope::message,
               {451, {4, 3, 0}, "the content cannot be read back from the spool"}, "spool");
}

}  // namespace relay
