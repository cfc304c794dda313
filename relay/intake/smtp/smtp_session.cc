#include "relay/intake/smtp/smtp_session.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/runtime/next_turn.h"
#include "relay/intake/smtp/smtp_words.h"

namespace relay {

namespace {

constexpr std::size_t kMaxLinger = 4 << 20;  // octets read and dropped

}  // namespace

SmtpSession::SmtpSession(SmtpSessionContext& context, core::ByteStream& stream, bool may_relay,
                         std::string id)
    : context_(context),
      stream_(stream),
      id_(std::move(id)),
      room_(context.intake, stream.peer().ip),
      patience_(context.times, reactor().now(), !may_relay),
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
            co_await core::NextTurn{reactor()};
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
    context_.intake.refuse(metrics::Rejection::memory_full);
    dialogue_.close("421 4.3.1 No memory for this message");
}

// Input after a command that ends a group (RFC 2920 section 3.1) is harmless from a friend, but
// what follows a refused DATA is content and must not run as commands.
bool SmtpSession::out_of_step(bool more_input) const {
    return more_input && (!dialogue_.may_relay() || dialogue_.refused_data());
}

void SmtpSession::answer_mail() {
    const auto declared = static_cast<std::size_t>(dialogue_.envelope().declared_size);
    const auto refusal = context_.intake.room_for(declared);
    refusal ? refuse(*refusal) : dialogue_.accept_mail();
}

void SmtpSession::begin_content() try {
    const Envelope& envelope = dialogue_.envelope();
    const auto declared = static_cast<std::size_t>(envelope.declared_size);
    if (const auto refusal = context_.intake.room_for(declared)) return refuse(*refusal);
    drop_content();
    submission_.emplace(context_.intake.begin(submitter()));
    patience_.begin_content(reactor().now());
    room_.begin(declared);
    const bool only = envelope.recipients.size() == 1;
    submission_->begin_content(declared, only ? std::string_view(envelope.recipients[0]) : "");
    dialogue_.begin_content(submission_->content());
} catch (const std::bad_alloc&) {
    out_of_memory();
}

Submitter SmtpSession::submitter() const {
    return {.address = stream_.peer().ip,
            .name = std::string(dialogue_.client_name()),
            .protocol = std::string(dialogue_.protocol()),
            .session_id = id_,
            .stranger = !dialogue_.may_relay()};
}

// Counts the envelope, and the content that is still arriving; asks for more room in steps.
void SmtpSession::count_memory() {
    if (!dialogue_.in_transaction()) return drop_content();  // refused, or RSET between chunks
    const std::size_t envelope = dialogue_.envelope().memory;
    if (!submission_) return room_.set(envelope);
    if (!room_.hold(envelope + submission_->memory())) return;
    context_.intake.refuse(metrics::Rejection::memory_full);
    dialogue_.close("421 4.3.1 No room for the rest of this message");
}

std::optional<RecipientFault> SmtpSession::fault_of(const AddressView& recipient) const {
    if (const auto fault = context_.intake.fault_of(recipient)) return fault;
    if (room_.check()) return RecipientFault::no_room;
    return std::nullopt;
}

// Of transactions that are over, where they were many.
core::Task<void> SmtpSession::free_recipients() {
    while (dialogue_.free_some(kRecipientsPerTurn))
        co_await core::NextTurn{reactor()};
}

void SmtpSession::drop_content() {
    room_.set(0);
    submission_.reset();
}

// Some of them. False: memory ran out.
bool SmtpSession::add_recipients(Submission& submission, Added& added) try {
    Envelope& envelope = dialogue_.envelope();
    const std::vector<std::string>& all = envelope.recipients;
    std::vector<EnvelopeDsn>& dsn = envelope.recipients_dsn;
    if (added.recipients == 0) submission.expect_recipients(all.size());
    const std::size_t end = std::min(added.recipients + kRecipientsPerTurn, all.size());
    for (; added.recipients < end; ++added.recipients)
        submission.add_recipient(all[added.recipients]);
    for (; added.dsn < dsn.size() && dsn[added.dsn].recipient < end; ++added.dsn) {
        EnvelopeDsn& asked = dsn[added.dsn];
        submission.set_notify(asked.recipient, asked.notify, std::move(asked.original));
    }
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

// What else the dialogue knows goes into the submission. False: memory ran out.
bool SmtpSession::complete(Submission& submission) try {
    Envelope& envelope = dialogue_.envelope();
    submission.set_sender(envelope.sender);
    submission.wishes = {.dsn = std::move(envelope.dsn),
                         .by = envelope.by,
                         .require_tls = envelope.require_tls,
                         .max_age = {}};
    submission.end_content(dialogue_.content().header(), dialogue_.content().eight_bit());
    bad_label_.clear();
    if (const auto wrong = submission.take_label_fields()) bad_label_ = "554 5.6.0 " + *wrong;
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

core::Task<void> SmtpSession::commit() {
    Submission submission = std::move(*submission_);
    drop_content();
    Added added;
    const std::size_t all = dialogue_.envelope().recipients.size();
    bool room = add_recipients(submission, added);
    while (room && added.recipients < all) {
        co_await core::NextTurn{reactor()};
        room = add_recipients(submission, added);
    }
    if (!room || !complete(submission)) {
        context_.intake.drop(std::move(submission));
        refuse(Refusal::memory_full);
        co_return;
    }
    if (!bad_label_.empty()) {
        context_.intake.drop(std::move(submission));
        dialogue_.refuse(bad_label_, RejectReason::bad_content);
        co_return;
    }
    const auto id = co_await context_.intake.commit(std::move(submission));
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
    const SmtpRefusal words = words_for(refusal);
    dialogue_.refuse(words.line, words.reason);
}

void SmtpSession::record_rejection() {
    const Rejection& rejection = dialogue_.rejection();
    context_.intake.refuse(counted_as(rejection.reason));
    context_.intake.record(submitter(),
                           {.sender = rejection.sender,
                            .recipient = rejection.recipient,
                            .size = static_cast<std::size_t>(dialogue_.envelope().declared_size),
                            .reply = parts_of(rejection.reply),
                            .command = rejection.command});
}

core::Task<void> SmtpSession::flush() {
    std::string& output = dialogue_.output();
    if (output.empty()) co_return;
    stream_.set_deadline(reactor().now() + context_.times.idle);
    const auto written = co_await stream_.write(output);
    output.clear();
    if (!written) gone_ = true;
}

void SmtpSession::say_why(std::error_code error) {
    if (error.value() != ETIMEDOUT) return;
    if (patience_.draining() && !submission_) {
        context_.intake.refuse(metrics::Rejection::draining);
        return dialogue_.close("421 4.3.2 Shutting down, try again");
    }
    context_.intake.refuse(metrics::Rejection::timeout);
    dialogue_.close(submission_ ? "421 4.4.2 Content comes too slowly"
                                : "421 4.4.2 Waited too long for a command");
}

core::Instant SmtpSession::next_deadline() const {
    std::optional<std::uint64_t> content;
    if (submission_) content = dialogue_.content().octets_read();
    return patience_.deadline(reactor().now(), content);
}

void SmtpSession::drain() {
    patience_.drain();
    dialogue_.drain();
    stream_.set_deadline(next_deadline());
}

// Closing a socket with unread input resets the connection, and the last reply may be lost with it.
// So a client that did not ask for the end is read from for a moment longer.
core::Task<void> SmtpSession::linger() {
    std::size_t dropped = 0;
    stream_.set_deadline(reactor().now() + context_.times.linger);
    while (dropped < kMaxLinger) {
        const auto input = co_await stream_.read();
        if (!input || input->empty()) co_return;
        dropped += input->size();
        stream_.consume(input->size());
    }
}

}  // namespace relay
