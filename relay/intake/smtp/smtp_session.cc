#include "relay/intake/smtp/smtp_session.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <utility>

#include "core/base/assert.h"
#include "core/runtime/next_turn.h"
#include "relay/intake/expiry.h"
#include "relay/intake/seven_bit_content.h"
#include "relay/message/received.h"

namespace relay {

namespace {

constexpr std::size_t kMaxLinger = 4 << 20;  // octets read and dropped
constexpr std::size_t kLeadingDot = 4;       // octets for each line that begins with one

metrics::Rejection counted_as(RejectReason reason) {
    switch (reason) {
        case RejectReason::address:
            return metrics::Rejection::address;
        case RejectReason::relaying_denied:
            return metrics::Rejection::relay_denied;
        case RejectReason::too_many_recipients:
            return metrics::Rejection::recipients;
        case RejectReason::too_big:
            return metrics::Rejection::size;
        case RejectReason::bare_line_ending:
        case RejectReason::loop:
        case RejectReason::bad_content:
            return metrics::Rejection::content;
        case RejectReason::memory_full:
            return metrics::Rejection::memory_full;
        case RejectReason::draining:
            return metrics::Rejection::draining;
        case RejectReason::spool_full:
            return metrics::Rejection::spool_full;
        case RejectReason::spool_failed:
            return metrics::Rejection::spool_failed;
        case RejectReason::too_many_errors:
            break;
    }
    return metrics::Rejection::malformed;
}

// "550 5.7.1 Relaying denied", one of our own replies, into its parts.
EventResponse parts_of(std::string_view reply, std::string_view command) {
    EventResponse response;
    const auto number = [&reply](auto& value) {
        const auto [end, error] = std::from_chars(reply.data(), reply.data() + reply.size(), value);
        PH_ASSERT(error == std::errc{});
        const auto length = static_cast<std::size_t>(end - reply.data());
        reply.remove_prefix(std::min(length + 1, reply.size()));
    };
    number(response.reply.code);
    number(response.reply.enhanced.klass);
    number(response.reply.enhanced.subject);
    number(response.reply.enhanced.detail);
    response.reply.text = reply;
    response.command = command;
    return response;
}

}  // namespace

SmtpSession::SmtpSession(SmtpSessionContext& context, core::ByteStream& stream, bool may_relay,
                         std::string id)
    : context_(context),
      stream_(stream),
      id_(std::move(id)),
      opened_(context.reactor.now()),
      hold_(context.shares, stream.peer().ip),
      dialogue_(context.dialogue, may_relay, this,
                may_relay ? std::string() : stream.peer().ip.unmapped().to_string()) {}

SmtpSession::~SmtpSession() {
    drop_content();
}

core::Task<void> SmtpSession::run() {
    dialogue_.greet();
    if (!dialogue_.may_relay() && stream_.has_input()) {
        dialogue_.close("554 5.5.0 Wait for the greeting");
    }
    co_await flush();
    std::size_t since_turn = 0;
    while (!gone_ && !dialogue_.closed()) {
        stream_.set_deadline(next_deadline());
        const auto input = co_await stream_.read();
        if (!input) {
            say_why(input.error());
            co_await flush();
            break;
        }
        if (input->empty()) {
            gone_ = true;
            break;
        }
        const std::size_t length = input->size();
        co_await take(*input);
        stream_.consume(length);
        co_await free_recipients();
        count_memory();
        since_turn = stream_.has_input() ? since_turn + length : 0;  // it waits anyway
        if (since_turn >= kInputPerTurn) {
            since_turn = 0;
            co_await core::NextTurn{context_.reactor};
        }
        if (!stream_.has_input() || dialogue_.closed() ||
            dialogue_.output().size() >= kMaxReplies) {
            co_await flush();
        }
    }
    drop_content();
    dialogue_.forget();
    co_await free_recipients();
    if (!gone_ && !dialogue_.said_quit()) co_await linger();
    co_await stream_.close();
}

// Answers the events in one piece of input; the view stays valid until it is consumed.
core::Task<void> SmtpSession::take(std::string_view input) {
    for (;;) {
        const ServerDialogue::Step step = feed(input);
        input.remove_prefix(step.used);
        switch (step.event) {
            case ServerEvent::none:
                co_return;
            case ServerEvent::mail:
                answer_mail();
                break;
            case ServerEvent::content:
                begin_content();
                break;
            case ServerEvent::message:
                co_await commit();
                break;
            case ServerEvent::rejected:
                record_rejection();
                break;
            case ServerEvent::turnaround:
                if (out_of_step(!input.empty())) {
                    dialogue_.close("554 5.5.0 Out of step: wait for the reply");
                } else if (!input.empty()) {
                    co_await flush();
                    if (gone_) co_return;
                }
                break;
            case ServerEvent::closed:
                co_return;
        }
    }
}

// Memory that runs out ends this session, and no other.
ServerDialogue::Step SmtpSession::feed(std::string_view input) try {
    return dialogue_.feed(input);
} catch (const std::bad_alloc&) {
    out_of_memory();
    return {input.size(), ServerEvent::closed};
}

void SmtpSession::out_of_memory() {
    drop_content();
    context_.metrics.rejected(metrics::Protocol::smtp, metrics::Rejection::memory_full);
    dialogue_.close("421 4.3.1 No memory for this message");
}

// Input behind a command that ends a group (RFC 2920 section 3.1) is harmless from a friend, but
// what follows a refused DATA is content and must not run as commands.
bool SmtpSession::out_of_step(bool more_input) const {
    return more_input && (!dialogue_.may_relay() || dialogue_.refused_data());
}

void SmtpSession::answer_mail() {
    const auto declared = static_cast<std::size_t>(dialogue_.envelope().declared_size);
    const auto refusal = context_.acceptance.check(context_.shares.total() + declared);
    refusal ? refuse(*refusal) : dialogue_.accept_mail();
}

void SmtpSession::begin_content() try {
    const Envelope& envelope = dialogue_.envelope();
    const auto declared = static_cast<std::size_t>(envelope.declared_size);
    if (const auto refusal = context_.acceptance.check(context_.shares.total() + declared)) {
        return refuse(*refusal);
    }
    drop_content();
    message_ = context_.acceptance.begin();
    content_begun_ = context_.reactor.now();
    room_asked_ = std::max(declared, kRoomStep);
    const std::string id = message_->id.to_string();
    const std::string received = received_field({
        .from = dialogue_.client_name(),
        .peer = stream_.peer().ip,
        .by = context_.dialogue.hostname,
        .with = dialogue_.protocol(),
        .id = id,
        .recipient =
            envelope.recipients.size() == 1 ? std::string_view(envelope.recipients[0]) : "",
        .time = message_->created,
    });
    if (declared > 0) message_->content.reserve(declared + received.size());
    message_->content.append(received);
    dialogue_.begin_content(message_->content);
} catch (const std::bad_alloc&) {
    out_of_memory();
}

// Counts the envelope, and the content that is still arriving; asks for more room in steps.
void SmtpSession::count_memory() {
    if (!dialogue_.in_transaction()) return drop_content();  // refused, or RSET between chunks
    const std::size_t envelope = dialogue_.envelope().memory;
    if (message_ == nullptr) return hold_.set(envelope);
    const std::size_t size = message_->content.size();
    hold_.set(envelope + size + kLeadingDot * message_->content.leading_dots());
    if (size <= room_asked_) return;
    room_asked_ = size + kRoomStep;
    if (has_room()) return;
    context_.metrics.rejected(metrics::Protocol::smtp, metrics::Rejection::memory_full);
    dialogue_.close("421 4.3.1 No room for the rest of this message");
}

// For one more recipient, or what has arrived of a message.
bool SmtpSession::has_room() const {
    return !context_.acceptance.check(context_.shares.total() + hold_.must_be_left());
}

// Of transactions that are over, where they were many.
core::Task<void> SmtpSession::free_recipients() {
    while (dialogue_.free_some(kRecipientsPerTurn))
        co_await core::NextTurn{context_.reactor};
}

void SmtpSession::drop_content() {
    hold_.set(0);
    message_.reset();
}

// Some of them. False: memory ran out.
bool SmtpSession::add_recipients(Message& message, Added& added) try {
    Envelope& envelope = dialogue_.envelope();
    const std::vector<std::string>& all = envelope.recipients;
    std::vector<EnvelopeDsn>& dsn = envelope.recipients_dsn;
    if (added.recipients == 0) message.recipients.reserve(all.size());
    const std::size_t end = std::min(added.recipients + kRecipientsPerTurn, all.size());
    for (; added.recipients < end; ++added.recipients) {
        message.recipients.push_back(std::make_unique<Recipient>(message, all[added.recipients]));
    }
    for (; added.dsn < dsn.size() && dsn[added.dsn].recipient < end; ++added.dsn) {
        EnvelopeDsn& asked = dsn[added.dsn];
        Recipient& recipient = *message.recipients[asked.recipient];
        recipient.notify = asked.notify;
        recipient.set_original(std::move(asked.original));
    }
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

// What else the dialogue knows goes into the message. False: memory ran out.
bool SmtpSession::complete(Message& message) try {
    Envelope& envelope = dialogue_.envelope();
    message.sender = envelope.sender;
    message.set_dsn(std::move(envelope.dsn));
    if (envelope.by) message.set_deliver_by(DeliverBy::from(message.created, *envelope.by));
    message.bounces = context_.bounces;
    message.verp = context_.verp;
    set_expiry(message, core::Duration{}, context_.max_age);
    if (dialogue_.content().header().tls_waived()) message.tls = TlsRequest::waived;
    if (envelope.require_tls)
        message.tls = TlsRequest::required;  // outweighs (RFC 8689 section 4.1)
    message.content.seal();
    message.eight_bit = dialogue_.content().eight_bit();
    message.utf8 = dialogue_.content().header().has_utf8();
    message.edit_injection() = {
        .protocol = std::string(dialogue_.protocol()),
        .session_id = id_,
        .client_name = std::string(dialogue_.client_name()),
        .client_address = stream_.peer().ip.to_string(),
    };
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

core::Task<void> SmtpSession::commit() {
    std::unique_ptr<Message> message = std::move(message_);
    drop_content();
    Added added;
    const std::size_t all = dialogue_.envelope().recipients.size();
    bool room = add_recipients(*message, added);
    while (room && added.recipients < all) {
        co_await core::NextTurn{context_.reactor};
        room = add_recipients(*message, added);
    }
    if (!room || !complete(*message)) {
        context_.acceptance.drop(std::move(message));
        refuse(Refusal::memory_full);
        co_return;
    }
    if (message->eight_bit && context_.convert_eight_bit && !message->utf8) {
        const std::size_t octets = seven_bit_room(message->content.size());
        if (const auto full = context_.acceptance.check(context_.shares.total() + octets)) {
            context_.acceptance.drop(std::move(message));
            refuse(*full);
            co_return;
        }
        if (!co_await make_seven_bit(context_.reactor, message.get())) {
            context_.acceptance.drop(std::move(message));
            refuse(Refusal::memory_full);
            co_return;
        }
    }
    const auto id = co_await context_.acceptance.commit(std::move(message));
    if (!id) {
        refuse(id.error());
        co_return;
    }
    std::string reply =
        context_.durable ? "250 2.0.0 Ok: queued as " : "250 2.0.0 Ok: queued in memory as ";
    reply += id->to_string();
    dialogue_.accept_message(reply);
}

void SmtpSession::refuse(Refusal refusal) {
    switch (refusal) {
        case Refusal::memory_full:
            return dialogue_.refuse("452 4.3.1 No room for more mail now",
                                    RejectReason::memory_full);
        case Refusal::draining:
            return dialogue_.refuse("421 4.3.2 Shutting down, try again", RejectReason::draining);
        case Refusal::spool_full:
            return dialogue_.refuse("452 4.3.1 No space on disk for more mail now",
                                    RejectReason::spool_full);
        case Refusal::spool_failed:
            return dialogue_.refuse("451 4.3.0 The disk failed, mail cannot be committed",
                                    RejectReason::spool_failed);
    }
}

void SmtpSession::record_rejection() {
    const Rejection& rejection = dialogue_.rejection();
    context_.metrics.rejected(metrics::Protocol::smtp, counted_as(rejection.reason));
    const std::string address = stream_.peer().ip.to_string();
    const EventRejection event{
        .sender = rejection.sender,
        .recipient = rejection.recipient,
        .size = static_cast<std::size_t>(dialogue_.envelope().declared_size),
        .peer = {dialogue_.client_name(), address},
        .response = parts_of(rejection.reply, rejection.command),
        .protocol = dialogue_.protocol(),
        .session_id = id_,
    };
    context_.rejections.note(stream_.peer().ip, !dialogue_.may_relay(), event);
}

core::Task<void> SmtpSession::flush() {
    std::string& output = dialogue_.output();
    if (output.empty()) co_return;
    stream_.set_deadline(context_.reactor.now() + context_.times.idle);
    const auto written = co_await stream_.write(output);
    output.clear();
    if (!written) gone_ = true;
}

void SmtpSession::say_why(std::error_code error) {
    if (error.value() != ETIMEDOUT) return;
    if (draining_ && message_ == nullptr) {
        context_.metrics.rejected(metrics::Protocol::smtp, metrics::Rejection::draining);
        return dialogue_.close("421 4.3.2 Shutting down, try again");
    }
    context_.metrics.rejected(metrics::Protocol::smtp, metrics::Rejection::timeout);
    dialogue_.close(message_ == nullptr ? "421 4.4.2 Waited too long for a command"
                                        : "421 4.4.2 Content comes too slowly");
}

core::Instant SmtpSession::next_deadline() const {
    const SmtpTimes& times = context_.times;
    const core::Instant now = context_.reactor.now();
    core::Instant deadline = now + times.idle;
    if (!dialogue_.may_relay()) deadline = std::min(deadline, opened_ + times.stranger_session);
    if (message_ != nullptr) {
        // When the average rate would be too low if nothing more came.
        const auto earned =
            std::chrono::milliseconds(dialogue_.content().octets_read() * 1000 / times.least_rate);
        deadline = std::min({deadline, content_begun_ + times.content,
                             content_begun_ + times.content_grace + earned});
    } else if (draining_) {
        deadline = std::min(deadline, now + times.drain);
    }
    return deadline;
}

void SmtpSession::drain() {
    draining_ = true;
    dialogue_.drain();
    stream_.set_deadline(next_deadline());
}

// Closing a socket with unread input resets the connection, and the last reply may be lost with it.
// So a client that did not ask for the end is read from for a moment longer.
core::Task<void> SmtpSession::linger() {
    std::size_t dropped = 0;
    stream_.set_deadline(context_.reactor.now() + context_.times.linger);
    while (dropped < kMaxLinger) {
        const auto input = co_await stream_.read();
        if (!input || input->empty()) co_return;
        dropped += input->size();
        stream_.consume(input->size());
    }
}

}  // namespace relay
