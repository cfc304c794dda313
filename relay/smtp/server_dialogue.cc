#include "relay/smtp/server_dialogue.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace relay {

namespace {

bool has_cr_or_nul(std::string_view line) {
    return std::ranges::any_of(line, [](char c) { return c == '\r' || c == '\0'; });
}

}  // namespace

ServerDialogue::ServerDialogue(const ServerDialogueOptions& options, bool may_relay,
                               const RecipientRules* rules, std::string client)
    : options_(options),
      may_relay_(may_relay),
      rules_(rules),
      denied_(client.empty() ? "550 5.7.1 Relaying denied"
                             : "550 5.7.1 Relaying denied for " + std::move(client)),
      envelope_(options.seed) {}

void ServerDialogue::greet() {
    output_ += "220 ";
    output_ += options_.hostname;
    output_ += " ESMTP Posthaste\r\n";
}

ServerDialogue::Step ServerDialogue::feed(std::string_view input) {
    std::size_t used = 0;
    for (;;) {
        if (asked_ != ServerEvent::none) {
            PH_ASSERT(!asked_reported_);  // the event before was not answered
            asked_reported_ = true;
            return {used, asked_};
        }
        if (std::exchange(rejected_, false)) return {used, ServerEvent::rejected};
        if (place_ == Place::closed) return {input.size(), ServerEvent::closed};
        if (std::exchange(turnaround_, false)) return {used, ServerEvent::turnaround};
        if (place_ == Place::chunk && chunk_.complete()) {
            end_chunk();
            continue;
        }
        const std::string_view rest = input.substr(used);
        if (rest.empty()) return {used, ServerEvent::none};
        switch (place_) {
            case Place::command:
                used += take_line(rest);
                break;
            case Place::data:
                used += take_data(rest);
                break;
            case Place::chunk:
                used += take_chunk(rest);
                break;
            case Place::closed:
                break;
        }
    }
}

std::size_t ServerDialogue::take_line(std::string_view input) {
    const CommandLine::Step step = line_.feed(input);
    switch (step.end) {
        case CommandLine::End::open:
            break;
        case CommandLine::End::crlf:
            obey(step.line);
            break;
        case CommandLine::End::bare_lf:
            close("500 5.5.2 Lines end with CRLF");
            break;
        case CommandLine::End::too_long:
            error("500 5.5.2 Line too long");
            break;
    }
    return step.used;
}

void ServerDialogue::obey(std::string_view line) {
    if (draining_) return reject("421 4.3.2 Shutting down, try again", RejectReason::draining);
    if (has_cr_or_nul(line)) return error("500 5.5.2 CR or NUL inside a command");
    execute(parse_command(line), line);
}

void ServerDialogue::execute(const Command& command, std::string_view line) {
    refused_data_ = false;
    if (leads_nowhere(command.verb) && ++junk_ > kMaxJunk) {
        return reject("421 4.7.0 Too many commands without mail", RejectReason::too_many_errors);
    }
    switch (command.verb) {
        case Verb::ehlo:
            return ehlo(command.argument, true);
        case Verb::helo:
            return ehlo(command.argument, false);
        case Verb::mail:
            command_ = "MAIL";
            return mail(command.argument);
        case Verb::rcpt:
            command_ = "RCPT";
            return rcpt(command.argument);
        case Verb::data:
            command_ = "DATA";
            return data(command.argument);
        case Verb::bdat:
            command_ = "BDAT";
            return bdat(command.argument);
        case Verb::rset:
            return rset(command.argument);
        case Verb::quit:
            return quit(command.argument);
        case Verb::noop:
            turnaround_ = true;
            return reply("250 2.0.0 Ok");
        case Verb::vrfy:  // RFC 5321 section 7.3
            turnaround_ = true;
            if (command.argument.empty()) return error("501 5.5.4 Syntax: VRFY address");
            return reply("252 2.0.0 Cannot verify, but will take mail for it");
        case Verb::help:
            turnaround_ = true;
            return reply("214 2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
        case Verb::starttls:
        case Verb::auth:
        case Verb::expn:
        case Verb::turn:
        case Verb::etrn:
            turnaround_ = true;
            return error("502 5.5.1 Not offered here");
        case Verb::unknown:
            turnaround_ = true;
            return unknown(line);
    }
}

void ServerDialogue::ehlo(std::string_view name, bool extended) {
    turnaround_ = true;
    if (!is_client_name(name, local_part())) return error("501 5.5.4 Syntax: EHLO your.host.name");
    forget();
    client_name_ = name;
    extended_ = extended;
    output_ += extended ? "250-" : "250 ";
    output_ += options_.hostname;
    output_ += "\r\n";
    if (extended) {
        output_ += "250-PIPELINING\r\n250-SIZE ";
        output_ += std::to_string(options_.max_message_size);
        output_ +=
            "\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
            "250-DSN\r\n250-DELIVERBY\r\n";
        if (secured_) output_ += "250-REQUIRETLS\r\n";  // RFC 8689 section 2
        output_ += "250 HELP\r\n";
    }
}

void ServerDialogue::mail(std::string_view argument) {
    if (client_name_.empty()) return error("503 5.5.1 Send EHLO first");
    if (in_transaction_) return error("503 5.5.1 A transaction is open: send RCPT, or RSET");
    auto mail = parse_mail(argument, extended_, local_part());
    if (!mail) return error(mail.error());
    if (mail->parameters.require_tls && !secured_) {
        return error("555 5.5.4 REQUIRETLS is offered inside TLS only");
    }
    envelope_.set_sender(mail->path);
    if (mail->parameters.size > options_.max_message_size) {
        return reject("552 5.3.4 Message bigger than the limit", RejectReason::too_big);
    }
    envelope_.set_parameters(std::move(mail->parameters));
    asked_ = ServerEvent::mail;
}

void ServerDialogue::rcpt(std::string_view argument) {
    if (!in_transaction_) return error("503 5.5.1 Send MAIL first");
    if (chunks_begun_) return error("503 5.5.1 Content has begun");
    const auto rcpt = parse_rcpt(argument, extended_, envelope().utf8, local_part());
    if (!rcpt) return error(rcpt.error());
    const AddressView& address = rcpt->path.address;
    if (address.utf8 && !envelope().utf8) {
        return error("553 5.6.7 This recipient address needs SMTPUTF8");
    }
    if (!may_relay_) {
        note(denied_, RejectReason::relaying_denied, address.mailbox);
        return error(denied_);
    }
    if (envelope().recipients.size() >= options_.max_recipients) {
        return reject("452 4.5.3 Too many recipients in one transaction",
                      RejectReason::too_many_recipients, address.mailbox);
    }
    if (const auto fault = rules_ == nullptr ? std::nullopt : rules_->fault_of(address)) {
        const SmtpRefusal refusal = refusal_of(*fault);
        return reject(refusal.line, refusal.reason, address.mailbox);
    }
    envelope_.add_recipient(address, rcpt->dsn);
    reply("250 2.1.5 Recipient ok");
}

void ServerDialogue::data(std::string_view argument) {
    turnaround_ = true;
    refused_data_ = true;  // until begin_content()
    if (!argument.empty()) return error("501 5.5.4 DATA takes no argument");
    if (!in_transaction_) return error("503 5.5.1 Send MAIL first");
    if (chunks_begun_) return error("503 5.5.1 DATA cannot follow BDAT");
    if (envelope().recipients.empty()) return error("554 5.5.1 No valid recipients");
    place_ = Place::data;
    asked_ = ServerEvent::content;
}

// Whatever the answer, the octets after a well-formed BDAT are read (RFC 3030 section 2). A
// malformed one leaves nobody knowing where the next command begins.
void ServerDialogue::bdat(std::string_view argument) {
    const auto bdat = parse_bdat(argument);
    if (!bdat) return close(bdat.error());
    place_ = Place::chunk;
    chunk_.begin(*bdat);
    if (!in_transaction_) return chunk_.refuse("503 5.5.1 Send MAIL first");
    if (envelope().recipients.empty()) return chunk_.refuse("554 5.5.1 No valid recipients");
    if (!chunks_begun_) asked_ = ServerEvent::content;
}

void ServerDialogue::rset(std::string_view argument) {
    if (!argument.empty()) return error("501 5.5.4 RSET takes no argument");
    reset_transaction();
    reply("250 2.0.0 Ok");
}

void ServerDialogue::quit(std::string_view argument) {
    if (!argument.empty()) return error("501 5.5.4 QUIT takes no argument");
    said_quit_ = true;
    close("221 2.0.0 Bye");
}

void ServerDialogue::unknown(std::string_view line) {
    // A web page can make a browser on an allowed host post to this port.
    if (line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0")) {
        return close("421 4.7.0 This is SMTP");
    }
    error("500 5.5.1 Command not recognized");
}

std::size_t ServerDialogue::take_data(std::string_view input) {
    const std::size_t used = decoder_.feed_data(input);
    if (decoder_.at_end()) {
        place_ = Place::command;
        end_content();
    }
    return used;
}

std::size_t ServerDialogue::take_chunk(std::string_view input) {
    const std::string_view octets = chunk_.take(input);
    if (!chunk_.refused()) decoder_.feed_chunk(octets);
    return octets.size();
}

void ServerDialogue::end_chunk() {
    place_ = Place::command;
    if (chunk_.refused()) {
        // Later chunks of this transaction find none open (RFC 3030 section 2).
        reset_transaction();
        const ReplyLine refusal = chunk_.refusal();
        return refusal.starts_with('4') ? reply(refusal) : error(refusal);
    }
    if (chunk_.last()) {
        decoder_.end_chunks();
        return end_content();
    }
    if (refuse_faulty_content()) return;
    reply("250 2.0.0 " + std::to_string(chunk_.size()) + " octets received");
}

void ServerDialogue::end_content() {
    if (refuse_faulty_content()) return;
    if (decoder_.header().has_utf8() && !envelope().utf8) {
        reject("554 5.6.9 Header fields in UTF-8 need SMTPUTF8", RejectReason::bad_content);
        return reset_transaction();
    }
    asked_ = ServerEvent::message;
}

bool ServerDialogue::refuse_faulty_content() {
    const ContentFault fault = decoder_.fault();
    const auto refusal = refusal_of(fault);
    if (!refusal) return false;
    reject(refusal->line, refusal->reason);
    if (loses_step(fault)) place_ = Place::closed;
    reset_transaction();
    return true;
}

// The session answered the event that it was told of.
void ServerDialogue::take_answer(ServerEvent to) {
    PH_ASSERT(asked_ == to && to != ServerEvent::none && asked_reported_);
    asked_ = ServerEvent::none;
    asked_reported_ = false;
}

void ServerDialogue::accept_mail() {
    take_answer(ServerEvent::mail);
    in_transaction_ = true;
    reply("250 2.1.0 Sender ok");
}

void ServerDialogue::begin_content(Content& content) {
    take_answer(ServerEvent::content);
    if (place_ == Place::data) {
        refused_data_ = false;
        decoder_.begin_data(content, options_.max_message_size, options_.bare_endings);
        return reply("354 End with CRLF.CRLF");
    }
    chunks_begun_ = true;
    decoder_.begin_chunks(content, options_.max_message_size, options_.bare_endings);
}

void ServerDialogue::accept_message(ReplyLine line) {
    take_answer(ServerEvent::message);
    reply(line);
    reset_transaction();
    errors_ = junk_ = 0;
}

void ServerDialogue::refuse(ReplyLine line, RejectReason reason) {
    const ServerEvent refused = asked_;
    take_answer(refused);
    if (refused == ServerEvent::content && place_ == Place::chunk) {
        note(line, reason, {});
        return chunk_.refuse(line);
    }
    place_ = Place::command;
    reject(line, reason);
    reset_transaction();
}

void ServerDialogue::close(ReplyLine line) {
    asked_ = ServerEvent::none;
    asked_reported_ = false;
    reply(line);
    place_ = Place::closed;
}

// Back to the state after the greeting (also before TLS: RFC 3207 section 4.2).
void ServerDialogue::forget() {
    reset_transaction();
    client_name_.clear();
    extended_ = false;
}

void ServerDialogue::secured() {
    secured_ = true;
    forget();
}

void ServerDialogue::reset_transaction() {
    command_ = {};
    in_transaction_ = chunks_begun_ = false;
    envelope_.clear();
}

std::string_view ServerDialogue::protocol() const {
    if (!extended_) return "SMTP";
    return envelope().utf8 ? "UTF8SMTP" : "ESMTP";
}

void ServerDialogue::reply(ReplyLine line) {
    output_ += line;
    output_ += "\r\n";
    if (line.starts_with("421")) place_ = Place::closed;
}

// An answer to something that a client should not have sent.
void ServerDialogue::error(ReplyLine line) {
    if (++errors_ <= kMaxErrors) return reply(line);
    reject("421 4.7.0 Too many errors", RejectReason::too_many_errors);
}

// An answer to something well-formed that we do not want, or not now.
void ServerDialogue::reject(ReplyLine line, RejectReason reason, std::string_view recipient) {
    note(line, reason, recipient);
    reply(line);
}

void ServerDialogue::note(ReplyLine line, RejectReason reason, std::string_view recipient) {
    rejected_ = true;
    rejection_.reason = reason;
    rejection_.reply = line;
    rejection_.sender = envelope().sender;
    rejection_.recipient = recipient;
    rejection_.command = command_;
}

}  // namespace relay
