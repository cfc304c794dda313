// The sender's cursor of a ClientDialogue: what may leave now, once transactions may begin. What is
// said before is in client_opening.cc, what replies mean in client_dialogue.cc.
#include "relay/smtp/client_dialogue.h"
#include "relay/smtp/client_envelope.h"

namespace relay {

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
    const MailTerms terms{extensions_, sparing_, requires_tls_};
    transaction.mail_parameters = append_mail(commands_, transaction, terms);
    transaction.rcpt_parameters = false;
    expect(Command::mail, &transaction);
}

void ClientDialogue::send_rcpt(Transaction& transaction, std::size_t recipient) {
    if (append_rcpt(commands_, transaction, recipient)) transaction.rcpt_parameters = true;
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

}  // namespace relay
