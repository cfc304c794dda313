#include "relay/smtp/client_dialogue.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/assert.h"
#include "relay/message/own_disposition.h"
#include "relay/smtp/client_envelope.h"
#include "relay/smtp/reply_meaning.h"

namespace relay {

namespace {

constexpr std::string_view kCrLf = "\r\n";

bool accepted(const Disposition& result) {
    return result.outcome == Outcome::none && result.reply.code >= 200 && result.reply.code < 300;
}

}  // namespace

ClientDialogue::ClientDialogue(std::string ehlo_name, PipelineMode mode, bool chunking)
    : ehlo_name_(std::move(ehlo_name)), mode_(mode), chunking_(chunking) {
    expect(Command::greeting, nullptr);
}

bool ClientDialogue::can_begin() const {
    return greeted_ && !ended_ && !quit_wanted_ && open_.size() < kMaxOpenTransactions;
}

void ClientDialogue::begin(Transaction& transaction) {
    PH_ASSERT(can_begin() && transaction.content != nullptr && !transaction.recipients.empty());
    transaction.phase = Transaction::Phase::waiting;
    transaction.next_command = 0;
    transaction.accepted = 0;
    transaction.answered = transaction.behind_dot = transaction.by_chunk = false;
    if (!adapt(transaction, extensions_)) {
        transaction.phase = Transaction::Phase::done;
        finished_.push_back(&transaction);
        return;
    }
    open_.push_back(&transaction);
}

void ClientDialogue::quit() {
    quit_wanted_ = true;
}

Transaction* ClientDialogue::take_finished() {
    if (finished_.empty()) return nullptr;
    Transaction* transaction = finished_.front();
    finished_.pop_front();
    return transaction;
}

void ClientDialogue::settle(Transaction& transaction, const Disposition& disposition,
                            bool only_accepted) const {
    for (Disposition& result : transaction.results) {
        if (only_accepted ? accepted(result) : result.outcome == Outcome::none) {
            result = disposition;
        }
    }
}

// ---- the sender's cursor

void ClientDialogue::compose(std::vector<iovec>& parts) {
    commands_.clear();
    // The envelope of a thousand recipients is no reason for an idle connection to stay large.
    if (commands_.capacity() > kMaxCommandsKept) commands_.shrink_to_fit();
    if (content_ && content_->done()) content_.reset();  // its last slice has been written
    if (ended_) return;
    if (content_ && !compose_content(parts)) return;
    compose_opening();
    bool chunk = false;
    if (greeted_) {
        if (lone_dot_needed_) {
            lone_dot_needed_ = false;
            commands_.append(".\r\n");
            expect(Command::lone_dot, nullptr);
        }
        for (Transaction* transaction : open_) {
            if (transaction->phase == Transaction::Phase::content) {
                expect(Command::dot, transaction);
                transaction->phase = Transaction::Phase::result;
                start_content(*transaction);
                if (!compose_content(parts)) return;
            } else if (may_send_envelope(*transaction)) {
                send_envelope(*transaction);
                if (transaction->by_chunk && transaction->phase == Transaction::Phase::result) {
                    start_content(*transaction);
                    chunk = true;
                }
            }
        }
        if (quit_wanted_ && open_.empty() && unanswered_.empty()) {
            commands_.append("QUIT\r\n");
            expect(Command::quit, nullptr);
        }
    }
    if (!commands_.empty()) parts.push_back({commands_.data(), commands_.size()});
    if (chunk) compose_content(parts);
}

void ClientDialogue::start_content(const Transaction& transaction) {
    content_.emplace(*transaction.content, transaction.by_chunk ? ContentCursor::Form::plain
                                                                : ContentCursor::Form::stuffed);
    content_by_chunk_ = transaction.by_chunk;
}

// True: that was the last slice, and other commands may follow it.
bool ClientDialogue::compose_content(std::vector<iovec>& parts) {
    content_->next(parts);
    if (!content_->done()) return false;
    if (!content_by_chunk_) commands_.append(".\r\n");
    return true;
}

bool ClientDialogue::may_send_envelope(const Transaction& transaction) const {
    if (effective_mode() == PipelineMode::lock_step) {
        const bool first = &transaction == open_.front();
        return first && unanswered_.empty() && transaction.phase < Transaction::Phase::content;
    }
    if (transaction.phase != Transaction::Phase::waiting) return false;
    if (unanswered_.empty()) return true;
    // After a final dot, and after nothing else: DATA stays the last command on the wire.
    return effective_mode() == PipelineMode::next && !uses_chunking() && unanswered_.size() == 1 &&
           unanswered_.front().command == Command::dot;
}

void ClientDialogue::send_envelope(Transaction& transaction) {
    if (effective_mode() == PipelineMode::lock_step) return send_lock_step(transaction);
    transaction.behind_dot = !unanswered_.empty();
    transaction.phase = Transaction::Phase::envelope;
    send_reset();
    send_mail(transaction);
    for (std::size_t i = 0; i < transaction.recipients.size(); ++i) {
        if (transaction.results[i].outcome == Outcome::none) send_rcpt(transaction, i);
    }
    send_data(transaction);
}

void ClientDialogue::send_lock_step(Transaction& transaction) {
    transaction.phase = Transaction::Phase::envelope;
    if (reset_needed_) return send_reset();
    std::size_t step = transaction.next_command++;
    if (step == 0) return send_mail(transaction);
    const auto refused = [&] { return transaction.results[step - 1].outcome != Outcome::none; };
    while (step <= transaction.recipients.size() && refused())
        step = transaction.next_command++;
    if (step <= transaction.recipients.size()) return send_rcpt(transaction, step - 1);
    send_data(transaction);
}

void ClientDialogue::send_reset() {
    if (!reset_needed_) return;
    reset_needed_ = false;
    commands_.append("RSET\r\n");
    expect(Command::rset, nullptr);
}

void ClientDialogue::send_mail(Transaction& transaction) {
    const EnvelopeForms& forms = transaction.forms;
    const std::string_view sender = forms.rewritten ? forms.sender : transaction.sender;
    commands_.append("MAIL FROM:<").append(sender).append(">");
    const bool dsn = extensions_.dsn && !sparing_;
    transaction.mail_parameters = transaction.rcpt_parameters = false;
    if (extensions_.size && !sparing_) {
        transaction.mail_parameters = true;
        char digits[24];
        const auto end =
            std::to_chars(digits, digits + sizeof digits, transaction.content->size()).ptr;
        commands_.append(" SIZE=").append(digits, end);
    }
    if (transaction.eight_bit && extensions_.eight_bit) commands_.append(" BODY=8BITMIME");
    if (forms.utf8) commands_.append(" SMTPUTF8");
    if (requires_tls_) commands_.append(" REQUIRETLS");
    transaction.by_passed = extensions_.deliver_by && transaction.by.has_value();
    if (transaction.by_passed) say_by(*transaction.by);
    transaction.dsn_passed = dsn;
    if (dsn && transaction.dsn != nullptr) {  // RFC 3461 section 5.2.1
        transaction.mail_parameters = true;
        if (transaction.dsn->content == ReturnContent::full) commands_.append(" RET=FULL");
        if (transaction.dsn->content == ReturnContent::headers) commands_.append(" RET=HDRS");
        const std::string& id = transaction.dsn->envelope_id;
        if (!id.empty()) commands_.append(" ENVID=").append(id);
    }
    commands_.append(kCrLf);
    expect(Command::mail, &transaction);
}

void ClientDialogue::say_by(const ByTime& by) {
    constexpr std::int64_t kMost = 999'999'999;  // RFC 2852 section 4
    commands_.append(" BY=").append(std::to_string(std::clamp(by.seconds, -kMost, kMost)));
    commands_.append(by.returns ? ";R" : ";N").append(by.traces ? "T" : "");
}

void ClientDialogue::send_rcpt(Transaction& transaction, std::size_t recipient) {
    const EnvelopeForms& forms = transaction.forms;
    const std::string_view mailbox =
        forms.rewritten ? forms.recipients[recipient] : transaction.recipients[recipient];
    commands_.append("RCPT TO:<").append(mailbox).append(">");
    if (transaction.dsn_passed && !transaction.notifications.empty()) {
        transaction.rcpt_parameters = true;
        const RecipientDsn& dsn = transaction.notifications[recipient];
        if (dsn.notify.said()) commands_.append(" NOTIFY=").append(dsn.notify.text());
        const std::string_view original =
            forms.rewritten ? forms.originals[recipient] : dsn.original;
        if (!original.empty()) commands_.append(" ORCPT=").append(original);
    }
    commands_.append(kCrLf);
    expect(Command::rcpt, &transaction, recipient);
}

void ClientDialogue::send_data(Transaction& transaction) {
    transaction.by_chunk = uses_chunking();
    if (!transaction.by_chunk) {
        commands_.append("DATA\r\n");
        expect(Command::data, &transaction);
        return;
    }
    commands_.append("BDAT ").append(std::to_string(transaction.content->size()));
    commands_.append(" LAST\r\n");
    expect(Command::bdat, &transaction);
    transaction.phase = Transaction::Phase::result;
}

// ---- the receiver's cursor

ClientDialogue::Event ClientDialogue::receive(std::string_view& input) {
    while (!ended_) {
        parser_.expect_keywords(!unanswered_.empty() &&
                                unanswered_.front().command == Command::ehlo);
        switch (parser_.feed(input)) {
            case ReplyParser::Status::need_input:
                return Event::need_input;
            case ReplyParser::Status::malformed:
                return end_session(session_failure({4, 5, 0}, "malformed reply", awaited()));
            case ReplyParser::Status::complete:
                break;
        }
        ++replies_;
        hide_secrets();
        const Reply& reply = parser_.reply();
        if (unanswered_.empty()) {  // unsolicited, usually 421
            return end_session(refusal_by(reply, "idle", Scope::session));
        }
        const Unanswered asked = unanswered_.front();
        unanswered_.pop_front();
        const Event event =
            asked.command == Command::starttls ? on_starttls(reply, input) : on_reply(asked, reply);
        if (event != Event::need_input) return event;
    }
    input = {};
    return Event::closing;
}

ClientDialogue::Event ClientDialogue::on_reply(const Unanswered& asked, const Reply& reply) {
    if (asked.command == Command::quit) {
        ended_ = true;
        return Event::closed;
    }
    if (asked.command <= Command::helo) return on_hello(asked, reply);
    if (asked.command == Command::auth) return on_auth(reply);
    if (asked.transaction != nullptr) asked.transaction->answered = true;
    if (reply.code == 421) {  // RFC 5321 section 3.8: the server closes the channel
        return end_session(refusal_by(reply, command_name(asked.command), Scope::session),
                           asked.transaction);
    }
    if (asked.transaction == nullptr) {
        // An answer that no longer matters; but content once asked for must be ended.
        if (asked.command == Command::data && reply.intermediate()) lone_dot_needed_ = true;
        return Event::need_input;
    }
    switch (asked.command) {
        case Command::mail:
            return on_mail(*asked.transaction, reply);
        case Command::rcpt:
            return on_rcpt(*asked.transaction, asked.recipient, reply);
        case Command::data:
            return on_data(*asked.transaction, reply);
        default:
            return on_result(*asked.transaction, asked, reply);
    }
}

ClientDialogue::Event ClientDialogue::on_mail(Transaction& transaction, const Reply& reply) {
    if (transaction.behind_dot && lost_track(reply)) return fall_back(transaction);
    followed_dot_ = followed_dot_ || transaction.behind_dot;
    if (reply.intermediate()) {
        return end_session(session_failure({4, 5, 0}, "unexpected reply to MAIL", "MAIL"));
    }
    if (transaction.mail_parameters && parameter_refused(reply)) {
        sparing_ = true;
        return go_again(transaction);
    }
    if (!reply.positive()) {
        // The 503s that follow in the group say nothing new: RCPT finds its results settled.
        settle(transaction, refusal_by(reply, "MAIL", Scope::message), false);
    }
    return after_lock_step_reply(transaction);
}

ClientDialogue::Event ClientDialogue::on_rcpt(Transaction& transaction, std::size_t recipient,
                                              const Reply& reply) {
    Disposition& result = transaction.results[recipient];
    if (result.outcome == Outcome::none) {
        if (reply.positive()) {  // 250, 251 and every other 2yz
            result.reply.code = reply.code;
            ++transaction.accepted;
        } else if (transaction.accepted > 0 && too_many_recipients(reply)) {
            result.reply.code =
                452;  // stays without outcome: goes again at once, in another transaction
        } else if (transaction.rcpt_parameters && parameter_refused(reply)) {
            result.reply.code = 452;  // goes again at once, without the parameters
            sparing_ = true;
        } else if (lost_track(reply) && transaction.accepted == 0 &&
                   effective_mode() != PipelineMode::lock_step) {
            return fall_back(transaction);
        } else {
            result = refusal_by(reply, "RCPT", Scope::recipient);
        }
    }
    return after_lock_step_reply(transaction);
}

// In lock-step nothing is sent after a refusal that leaves nobody to send to.
ClientDialogue::Event ClientDialogue::after_lock_step_reply(Transaction& transaction) {
    if (effective_mode() != PipelineMode::lock_step) return Event::need_input;
    const bool somebody_left = std::ranges::any_of(transaction.results, [](const auto& result) {
        return result.outcome == Outcome::none && result.reply.code != 452;
    });
    if (somebody_left) return Event::need_input;
    reset_needed_ = true;
    return finish(transaction);
}

ClientDialogue::Event ClientDialogue::on_data(Transaction& transaction, const Reply& reply) {
    if (reply.intermediate()) {
        if (transaction.accepted > 0) {
            transaction.phase = Transaction::Phase::content;
            return Event::need_input;
        }
        lone_dot_needed_ = true;  // RFC 2920 section 3.1: end the content nobody gets
        return finish(transaction);
    }
    if (reply.positive()) {
        return end_session(session_failure({4, 5, 0}, "unexpected reply to DATA", "DATA"));
    }
    if (transaction.accepted > 0 && lost_track(reply) &&
        effective_mode() != PipelineMode::lock_step) {
        return fall_back(transaction);
    }
    Disposition refused = refusal_by(reply, "DATA", Scope::message);
    refused.recipients = static_cast<std::uint32_t>(transaction.accepted);
    settle(transaction, refused, true);
    reset_needed_ = true;
    return finish(transaction);
}

ClientDialogue::Event ClientDialogue::on_result(Transaction& transaction, const Unanswered& asked,
                                                const Reply& reply) {
    const bool chunk = asked.command == Command::bdat;
    if (reply.intermediate()) {
        return end_session(session_failure({4, 5, 0}, "unexpected reply to the content", "."));
    }
    if (chunk && !reply.positive()) {
        reset_needed_ = true;  // RFC 3030 section 2
        const bool unknown = lost_track(reply) || reply.code == 504;
        if (unknown && transaction.accepted > 0) return fall_back(transaction);
    }
    if (!chunk && lost_track(reply) && !unanswered_.empty()) {
        // A server confused by the group after the dot: whether it took the message is unknown.
        mode_ = PipelineMode::message;
        Disposition unsure = refusal_by(reply, ".", Scope::session);
        unsure.outcome = Outcome::deferred;
        unsure.ambiguous_end = true;
        settle(transaction, unsure, true);
    }
    ++completed_;
    chunked_ = chunked_ || (chunk && reply.positive());
    Disposition result = result_of(reply, chunk ? "BDAT" : ".", Scope::message);
    result.recipients = static_cast<std::uint32_t>(transaction.accepted);
    settle(transaction, result, true);
    return finish(transaction);
}

// ---- ends

// The server lost track of a group: nothing of the message was transferred, so it goes again at
// once, in a simpler mode that stays in force for the session.
ClientDialogue::Event ClientDialogue::fall_back(Transaction& transaction) {
    if (transaction.by_chunk) {
        chunking_ = false;
    } else {
        mode_ = transaction.behind_dot ? PipelineMode::message : PipelineMode::lock_step;
    }
    return go_again(transaction);
}

// From its MAIL on, behind a RSET; what is still to be answered says nothing any more.
ClientDialogue::Event ClientDialogue::go_again(Transaction& transaction) {
    for (Unanswered& asked : unanswered_) {
        if (asked.transaction == &transaction) asked.transaction = nullptr;
    }
    adapt(transaction, extensions_);
    transaction.phase = Transaction::Phase::waiting;
    transaction.next_command = 0;
    transaction.accepted = 0;
    transaction.behind_dot = transaction.by_chunk = false;
    reset_needed_ = true;
    return Event::fell_back;
}

ClientDialogue::Event ClientDialogue::finish(Transaction& transaction) {
    // Answered before all of it left: whoever writes finds out that the server reads no further.
    if (transaction.phase == Transaction::Phase::result) content_.reset();
    transaction.phase = Transaction::Phase::done;
    ++transactions_over_;
    std::erase(open_, &transaction);
    for (Unanswered& asked : unanswered_) {
        if (asked.transaction == &transaction) asked.transaction = nullptr;
    }
    finished_.push_back(&transaction);
    return Event::finished;
}

ClientDialogue::Event ClientDialogue::end_session(const Disposition& why, Transaction* answered,
                                                  bool last_write_done) {
    ended_ = true;
    content_.reset();
    ending_ = why;
    PH_ASSERT(ending_.outcome != Outcome::delivered);
    const Transaction* oldest = open_.empty() ? nullptr : open_.front();
    // A site that drops the connection at the first group after a dot would do so for ever.
    if (completed_ == 0 && open_.size() > 1 && open_.back()->behind_dot) {
        mode_ = PipelineMode::message;
    }
    while (!open_.empty()) {
        Transaction& transaction = *open_.front();
        Disposition owed = ending_;
        if (owed.outcome == Outcome::bounced) owed.outcome = Outcome::deferred;
        const bool content_sent = transaction.phase == Transaction::Phase::result;
        if (content_sent && answered != &transaction) {
            owed.ambiguous_end = last_write_done && transaction.accepted > 0;
        }
        // A peer that closes between messages is normal, and what was prefetched is not to blame;
        // but the first message of a connection must count, or a site could refuse it for ever.
        // 421 to MAIL says that content which is on its way after it was not taken either.
        const bool turned_away = why.reply.code == 421 && answered == &transaction;
        const bool untouched =
            transaction.phase == Transaction::Phase::waiting || &transaction != oldest ||
            (completed_ > 0 && !transaction.accepted &&
             (turned_away || (!content_sent && (!transaction.answered || why.reply.code == 421))));
        if (!untouched) settle(transaction, owed, false);
        finish(transaction);
    }
    unanswered_.clear();
    return Event::closing;
}

void ClientDialogue::connection_lost(std::string_view reason, bool last_write_done) {
    if (ended_) return;
    Disposition why = session_failure({4, 4, 2}, std::string(reason), awaited());
    end_session(why, nullptr, last_write_done);
}

void ClientDialogue::timed_out(std::string_view reason) {
    if (awaits_reply_behind_dot()) mode_ = PipelineMode::message;
    connection_lost(reason, true);
}

const Transaction* ClientDialogue::uploading() const {
    if (open_.empty()) return nullptr;
    const bool sent =
        open_.front()->phase >= Transaction::Phase::result && !(content_ && !content_->done());
    return sent ? nullptr : open_.front();
}

bool ClientDialogue::between_messages() const {
    if (!greeted_ || ended_ || completed_ == 0) return false;
    if (unanswered_.empty()) return open_.empty();
    const Command oldest = unanswered_.front().command;
    return oldest == Command::mail || oldest == Command::rset;
}

bool ClientDialogue::awaits_reply_behind_dot() const {
    if (unanswered_.empty() || unanswered_.front().command != Command::mail) return false;
    const Transaction* transaction = unanswered_.front().transaction;
    return transaction != nullptr && transaction->behind_dot;
}

std::string_view ClientDialogue::command_name(Command command) {
    constexpr std::string_view kNames[] = {"connect", "EHLO", "HELO", "STARTTLS", "AUTH",
                                           "RSET",    "MAIL", "RCPT", "DATA",     "BDAT",
                                           ".",       ".",    "QUIT"};
    return kNames[static_cast<std::size_t>(command)];
}

std::string_view ClientDialogue::awaited() const {
    if (unanswered_.empty()) return "idle";
    return command_name(unanswered_.front().command);
}

core::Duration ClientDialogue::timeout() const {
    const TimeLimits& limits = *time_limits_;
    if (unanswered_.empty()) return limits.mail_from;
    if (awaits_reply_behind_dot()) {
        return std::min<core::Duration>(kBehindDotPatience, limits.mail_from);
    }
    switch (unanswered_.front().command) {
        case Command::greeting:
            return limits.banner;
        case Command::ehlo:
        case Command::helo:
            return limits.ehlo;
        case Command::starttls:
            return limits.starttls;
        case Command::auth:
            return limits.auth;
        case Command::rset:
            return limits.rset;
        case Command::mail:
            return limits.mail_from;
        case Command::rcpt:
            return limits.rcpt_to;
        case Command::data:
            return limits.data;
        case Command::bdat:
        case Command::dot:
        case Command::lone_dot:
            return limits.data_dot;
        case Command::quit:
            return limits.quit;
    }
    PH_ASSERT(false && "a command");
    std::unreachable();
}

}  // namespace relay
