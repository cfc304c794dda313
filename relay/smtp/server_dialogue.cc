#include "relay/smtp/server_dialogue.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/assert.h"

namespace relay {

namespace {

constexpr std::size_t kMaxClientName = 255;

// What a recipient takes beside its text: strings, vectors, the set.
constexpr std::size_t kRecipientOverhead = 96;
constexpr std::size_t kDsnOverhead = 96;

bool has_cr_or_nul(std::string_view line) {
    return std::ranges::any_of(line, [](char c) { return c == '\r' || c == '\0'; });
}

bool leads_nowhere(Verb verb) {
    return verb == Verb::rset || verb == Verb::noop || verb == Verb::vrfy || verb == Verb::help ||
           verb == Verb::ehlo || verb == Verb::helo;
}

}  // namespace

std::string_view to_string(RejectReason reason) {
    constexpr std::array<std::string_view, 12> kNames = {
        "address",      "relaying_denied", "too_many_recipients", "too_big",  "bare_line_ending",
        "loop",         "bad_content",     "memory_full",         "draining", "spool_full",
        "spool_failed", "too_many_errors"};
    return kNames[static_cast<std::size_t>(reason)];
}

ServerDialogue::ServerDialogue(const ServerDialogueOptions& options, bool may_relay,
                               const RecipientRules* rules, std::string client)
    : options_(options),
      may_relay_(may_relay),
      rules_(rules),
      denied_(client.empty() ? "550 5.7.1 Relaying denied"
                             : "550 5.7.1 Relaying denied for " + std::move(client)),
      named_(options.seed) {}

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
        if (place_ == Place::chunk && chunk_left_ == 0) {
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

// One command line. Only CRLF ends a line: who ends lines otherwise might see other commands than
// we do in the same octets, so that is the end of the session (RFC 5321 section 2.3.8).
std::size_t ServerDialogue::take_line(std::string_view input) {
    const void* found = std::memchr(input.data(), '\n', input.size());
    const std::size_t length =
        found == nullptr
            ? input.size()
            : static_cast<std::size_t>(static_cast<const char*>(found) - input.data()) + 1;
    const std::string_view part = input.substr(0, length);
    const bool had_cr = line_.empty() ? ends_in_cr_ : line_.back() == '\r';
    overlong_ = overlong_ || line_.size() + part.size() > kMaxLine;
    if (found == nullptr) {
        if (overlong_) {
            line_.clear();
            ends_in_cr_ = part.back() == '\r';
        } else {
            line_ += part;
        }
        return length;
    }
    const bool crlf = length > 1 ? part[length - 2] == '\r' : had_cr;
    if (!crlf) {
        close("500 5.5.2 Lines end with CRLF");
    } else if (overlong_) {
        error("500 5.5.2 Line too long");
    } else if (line_.empty()) {
        finish_line(part.substr(0, length - 2));
    } else {
        line_ += part;
        finish_line(std::string_view(line_).substr(0, line_.size() - 2));
    }
    line_.clear();
    overlong_ = ends_in_cr_ = false;
    return length;
}

void ServerDialogue::finish_line(std::string_view line) {
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

// A name that may stand in events. From allowed networks whatever machines call themselves, such as
// "(none)" or "M\xdcLLER-PC" in any charset: RFC 5321 section 4.1.4 forbids to refuse mail for it.
bool ServerDialogue::is_client_name(std::string_view name) const {
    if (name.empty() || name.size() > kMaxClientName) return false;
    if (may_relay_) {
        return std::ranges::none_of(
            name, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
    }
    return std::ranges::all_of(
        name, [](char c) { return core::is_alnum(c) || std::string_view("-._:[]").contains(c); });
}

void ServerDialogue::ehlo(std::string_view name, bool extended) {
    turnaround_ = true;
    if (!is_client_name(name)) return error("501 5.5.4 Syntax: EHLO your.host.name");
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
    const auto mail = parse_mail(argument, extended_, local_part());
    if (!mail) return error(mail.error());
    if (mail->parameters.require_tls && !secured_) {
        return error("555 5.5.4 REQUIRETLS is offered inside TLS only");
    }
    envelope_.sender = mail->path.null ? std::string() : wire_mailbox(mail->path.address);
    if (mail->parameters.size > options_.max_message_size) {
        return reject("552 5.3.4 Message bigger than the limit", RejectReason::too_big);
    }
    envelope_.declared_size = mail->parameters.size;
    envelope_.eight_bit = mail->parameters.eight_bit;
    envelope_.utf8 = mail->parameters.utf8;
    envelope_.require_tls = mail->parameters.require_tls;
    envelope_.by = mail->parameters.by;
    envelope_.dsn = mail->parameters.dsn;
    envelope_.utf8_address = mail->path.address.utf8;
    asked_ = ServerEvent::mail;
}

void ServerDialogue::rcpt(std::string_view argument) {
    if (!in_transaction_) return error("503 5.5.1 Send MAIL first");
    if (chunks_begun_) return error("503 5.5.1 Content has begun");
    const auto rcpt = parse_rcpt(argument, extended_, envelope_.utf8, local_part());
    if (!rcpt) return error(rcpt.error());
    const AddressView& address = rcpt->path.address;
    if (address.utf8 && !envelope_.utf8) {
        return error("553 5.6.7 This recipient address needs SMTPUTF8");
    }
    if (!may_relay_) {
        note(denied_, RejectReason::relaying_denied, address.mailbox);
        return error(denied_);
    }
    if (envelope_.recipients.size() >= options_.max_recipients) {
        return reject("452 4.5.3 Too many recipients in one transaction",
                      RejectReason::too_many_recipients, address.mailbox);
    }
    if (refuse_recipient(address)) return;
    envelope_.utf8_address = envelope_.utf8_address || address.utf8;
    add_recipient(wire_mailbox(address), rcpt->dsn);
    reply("250 2.1.5 Recipient ok");
}

// True: it was refused.
bool ServerDialogue::refuse_recipient(const AddressView& address) {
    const auto fault = rules_ == nullptr ? std::nullopt : rules_->fault_of(address);
    if (!fault) return false;
    switch (*fault) {
        case RecipientFault::address_literal:
            reject("550 5.1.2 Mail for address literals is not taken", RejectReason::address,
                   address.mailbox);
            break;
        case RecipientFault::null_mx:
            reject("556 5.1.10 The domain takes no mail (null MX, RFC 7505)", RejectReason::address,
                   address.mailbox);
            break;
        case RecipientFault::no_room:
            reject("452 4.3.1 No room for more recipients now", RejectReason::memory_full,
                   address.mailbox);
            break;
    }
    return true;
}

bool ServerDialogue::named_before(const std::string& mailbox) {
    const std::vector<std::string>& all = envelope_.recipients;
    if (all.size() < kFewRecipients) {
        return std::ranges::any_of(all, [&mailbox](const std::string& other) {
            return RecipientSet::same_mailbox(mailbox, other);
        });
    }
    const auto mailbox_at = [&all](std::size_t i) -> std::string_view { return all[i]; };
    for (std::size_t i = named_.size(); i < all.size(); ++i)
        named_.insert(named_.hash(all[i]), all[i], mailbox_at);
    return !named_.insert(named_.hash(mailbox), mailbox, mailbox_at);
}

void ServerDialogue::add_recipient(std::string mailbox, RecipientDsn dsn) {
    if (named_before(mailbox)) return;
    envelope_.memory += kRecipientOverhead + mailbox.size();
    if (dsn.notify.said() || !dsn.original.empty()) {
        envelope_.memory += kDsnOverhead + dsn.original.size();
        envelope_.recipients_dsn.push_back(
            {envelope_.recipients.size(), dsn.notify, std::string(dsn.original)});
        const bool utf8 = std::ranges::any_of(dsn.original, [](char c) { return c < 0; });
        envelope_.utf8_address = envelope_.utf8_address || utf8;
    }
    envelope_.recipients.push_back(std::move(mailbox));
}

void ServerDialogue::data(std::string_view argument) {
    turnaround_ = true;
    refused_data_ = true;  // until begin_content()
    if (!argument.empty()) return error("501 5.5.4 DATA takes no argument");
    if (!in_transaction_) return error("503 5.5.1 Send MAIL first");
    if (chunks_begun_) return error("503 5.5.1 DATA cannot follow BDAT");
    if (envelope_.recipients.empty()) return error("554 5.5.1 No valid recipients");
    place_ = Place::data;
    asked_ = ServerEvent::content;
}

// Whatever the answer, the octets after a well-formed BDAT are read (RFC 3030 section 2). A
// malformed one leaves nobody knowing where the next command begins.
void ServerDialogue::bdat(std::string_view argument) {
    const auto bdat = parse_bdat(argument);
    if (!bdat) return close(bdat.error());
    place_ = Place::chunk;
    chunk_size_ = chunk_left_ = bdat->size;
    chunk_last_ = bdat->last;
    chunk_discarded_ = false;
    if (!in_transaction_) return discard_chunk("503 5.5.1 Send MAIL first");
    if (envelope_.recipients.empty()) return discard_chunk("554 5.5.1 No valid recipients");
    if (!chunks_begun_) asked_ = ServerEvent::content;
}

void ServerDialogue::discard_chunk(ReplyLine reply) {
    chunk_discarded_ = true;
    chunk_refusal_ = reply;
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
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), chunk_left_));
    if (!chunk_discarded_) decoder_.feed_chunk(input.substr(0, length));
    chunk_left_ -= length;
    return length;
}

void ServerDialogue::end_chunk() {
    place_ = Place::command;
    if (chunk_discarded_) {
        // Later chunks of this transaction find none open (RFC 3030 section 2).
        reset_transaction();
        return chunk_refusal_.front() == '4' ? reply(chunk_refusal_) : error(chunk_refusal_);
    }
    if (chunk_last_) {
        decoder_.end_chunks();
        return end_content();
    }
    if (refuse_faulty_content()) return;
    reply("250 2.0.0 " + std::to_string(chunk_size_) + " octets received");
}

void ServerDialogue::end_content() {
    if (refuse_faulty_content()) return;
    if (decoder_.header().has_utf8() && !envelope_.utf8) {
        reject("554 5.6.9 Header fields in UTF-8 need SMTPUTF8", RejectReason::bad_content);
        return reset_transaction();
    }
    asked_ = ServerEvent::message;
}

bool ServerDialogue::refuse_faulty_content() {
    switch (decoder_.fault()) {
        case ContentFault::none:
            return false;
        case ContentFault::bare_line_ending:
            // The client may think that some of what it sent are commands: they must not run.
            reject("550 5.5.2 Bare CR or LF in content", RejectReason::bare_line_ending);
            place_ = Place::closed;
            break;
        case ContentFault::nul:
            reject("550 5.5.2 NUL in content", RejectReason::bad_content);
            place_ = Place::closed;
            break;
        case ContentFault::too_big:
            reject("552 5.3.4 Message bigger than the limit", RejectReason::too_big);
            break;
        case ContentFault::loop:
            reject("554 5.4.6 Too many Received fields: a mail loop", RejectReason::loop);
            break;
        case ContentFault::line_too_long:
            reject("554 5.6.0 A line is longer than 998 octets", RejectReason::bad_content);
            break;
        case ContentFault::no_header:
            reject("554 5.6.0 Content begins with a byte order mark or a mailbox's \"From \" line",
                   RejectReason::bad_content);
            break;
    }
    reset_transaction();
    return true;
}

void ServerDialogue::accept_mail() {
    PH_ASSERT(asked_ == ServerEvent::mail && asked_reported_);
    asked_ = ServerEvent::none;
    asked_reported_ = false;
    in_transaction_ = true;
    reply("250 2.1.0 Sender ok");
}

void ServerDialogue::begin_content(Content& content) {
    PH_ASSERT(asked_ == ServerEvent::content && asked_reported_);
    asked_ = ServerEvent::none;
    asked_reported_ = false;
    if (place_ == Place::data) {
        refused_data_ = false;
        decoder_.begin_data(content, options_.max_message_size, options_.bare_endings);
        return reply("354 End with CRLF.CRLF");
    }
    chunks_begun_ = true;
    decoder_.begin_chunks(content, options_.max_message_size, options_.bare_endings);
}

void ServerDialogue::accept_message(ReplyLine line) {
    PH_ASSERT(asked_ == ServerEvent::message && asked_reported_);
    asked_ = ServerEvent::none;
    asked_reported_ = false;
    reply(line);
    reset_transaction();
    errors_ = junk_ = 0;
}

void ServerDialogue::refuse(ReplyLine line, RejectReason reason) {
    PH_ASSERT(asked_ != ServerEvent::none && asked_reported_);
    const ServerEvent refused = std::exchange(asked_, ServerEvent::none);
    asked_reported_ = false;
    if (refused == ServerEvent::content && place_ == Place::chunk) {
        note(line, reason, {});
        return discard_chunk(line);
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
    envelope_.sender.clear();
    if (envelope_.recipients.size() > kManyRecipients && over_.recipients.empty()) {
        over_.recipients.swap(envelope_.recipients);
        over_.recipients_dsn.swap(envelope_.recipients_dsn);
        named_.clear();
    }
    if (envelope_.recipients.capacity() > kFewRecipients) {
        envelope_.recipients = {};
        envelope_.recipients_dsn = {};
        named_.clear();
    }
    envelope_.recipients.clear();
    envelope_.recipients_dsn.clear();
    envelope_.memory = 0;
    envelope_.dsn = {};
    envelope_.declared_size = 0;
    envelope_.eight_bit = envelope_.utf8 = envelope_.utf8_address = false;
    envelope_.require_tls = false;
    envelope_.by.reset();
}

bool ServerDialogue::free_some(std::size_t recipients) {
    const auto shorten = [recipients](auto& list) {
        list.erase(list.end() - static_cast<std::ptrdiff_t>(std::min(recipients, list.size())),
                   list.end());
        if (list.empty()) list = {};
        return !list.empty();
    };
    const bool more = shorten(over_.recipients);
    return shorten(over_.recipients_dsn) || more;
}

std::string_view ServerDialogue::protocol() const {
    if (!extended_) return "SMTP";
    return envelope_.utf8 ? "UTF8SMTP" : "ESMTP";
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
    rejection_.sender = envelope_.sender;
    rejection_.recipient = recipient;
    rejection_.command = command_;
}

}  // namespace relay
