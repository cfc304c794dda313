#include "relay/smtp/client_dialogue.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "relay/message/own_disposition.h"
#include "relay/smtp/client_envelope.h"
#include "relay/smtp/reply_meaning.h"

namespace relay {

ClientDialogue::ClientDialogue(std::string ehlo_name, PipelineMode mode, bool chunking)
    : ehlo_name_(std::move(ehlo_name)), mode_(mode), chunking_(chunking) {
    expect(Command::greeting, nullptr);
}

bool ClientDialogue::can_begin() const {
    return greeted_ && !ended_ && !quit_wanted_ && open_.size() < kMaxOpenTransactions;
}

void ClientDialogue::begin(Transaction& transaction) {
    PH_ASSERT(can_begin() && transaction.content != nullptr && !transaction.recipients.empty());
    transaction.restart();
    transaction.answered = false;
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
        return end_session(refusal_by(reply, name_of(asked.command), Scope::session),
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
        transaction.settle_open(refusal_by(reply, "MAIL", Scope::message));
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
            result.reply.code = Transaction::kGoesAgain;  // in another transaction
        } else if (transaction.rcpt_parameters && parameter_refused(reply)) {
            result.reply.code = Transaction::kGoesAgain;  // without the parameters
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
    if (transaction.somebody_left()) return Event::need_input;
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
    transaction.settle_accepted(refused);
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
        transaction.settle_accepted(unsure);
    }
    ++completed_;
    chunked_ = chunked_ || (chunk && reply.positive());
    Disposition result = result_of(reply, chunk ? "BDAT" : ".", Scope::message);
    result.recipients = static_cast<std::uint32_t>(transaction.accepted);
    transaction.settle_accepted(result);
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
    transaction.restart();
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
        if (!untouched) transaction.settle_open(owed);
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

std::string_view ClientDialogue::awaited() const {
    if (unanswered_.empty()) return "idle";
    return name_of(unanswered_.front().command);
}

core::Duration ClientDialogue::timeout() const {
    const TimeLimits& limits = *time_limits_;
    if (unanswered_.empty()) return limits.mail_from;
    if (awaits_reply_behind_dot()) {
        return std::min<core::Duration>(kBehindDotPatience, limits.mail_from);
    }
    return limit_for(unanswered_.front().command, limits);
}

}  // namespace relay
